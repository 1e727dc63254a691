/* backup_test.c - what was backed up comes back whole; an old backup survives a new one that fails; what has not changed is not copied. */
#include "admin/store/backup.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "admin/store/check.h"
#include "admin/store/manifest.h"
#include "admin/store/offline.h"
#include "admin/store/restore.h"
#include "admin/store/shelf_test.h"
#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/log.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "storage/object/object_get.h"
#include "tests/unit/test.h"

static struct err back_up_to(struct shelf *s, const char *name, struct backup_result *ret)
{
    const struct backup_options o = { .store = &s->store, .data_dir = s->dir, .to = shelf_path(name) };

    return store_backup(&o, ret);
}

static void count(void *arg, const struct check_finding *f)
{
    (void)arg;
    printf("    %s: %s\n", f->space, f->what);
}

static void check_clean(const char *dir)
{
    struct offline o;
    struct check_result r;

    CHECK_OK(offline_open(&(struct store_place){ .dir = dir }, &o));
    const struct check_options options = {
        .store = &o.store, .volumes_dir = o.volumes, .reads_bodies = true, .found = count
    };
    CHECK_OK(store_check(&options, &r));
    CHECK_U64(r.findings, 0);
    offline_close(&o);
}

static void check_body(struct shelf *s, const char *key, struct str want)
{
    struct str got;

    CHECK_OK(shelf_get(s, key, &got));
    CHECK(str_eq(got, want));
}

/* What shelf_open has put is in the store of that directory. */
static void check_restored(const char *dir)
{
    struct shelf s;
    struct str got;

    check_clean(dir);
    shelf_start(&s, dir);
    check_body(&s, "small", shelf_body(&s, 1, 1000));
    check_body(&s, "big", shelf_body(&s, 2, SHELF_BIG));
    CHECK_ERR(shelf_get(&s, "gone", &got), ERR_NO_SUCH_KEY);
    shelf_put(&s, "later", shelf_body(&s, 9, SHELF_BIG)); /* it goes on as a store */
    check_body(&s, "later", shelf_body(&s, 9, SHELF_BIG));
    shelf_close(&s);
}

TEST(a_restored_backup_is_the_store_at_the_moment_of_the_backup)
{
    struct shelf s;
    struct backup_result b;
    struct restore_result r;
    struct str got;

    shelf_open(&s, "data");
    CHECK_OK(back_up_to(&s, "backup", &b));
    CHECK_U64(b.number, 1);
    CHECK_U64(b.files, b.files_copied);
    shelf_put(&s, "after", shelf_body(&s, 5, SHELF_BIG));
    shelf_put(&s, "small", shelf_body(&s, 6, 500));
    shelf_delete(&s, "big");
    CHECK_OK(store_restore(shelf_path("backup"), shelf_path("copy"), &r));
    CHECK_U64(r.files, b.files);
    CHECK_U64(r.bytes, b.bytes);
    check_restored(shelf_path("copy"));
    shelf_close(&s);
    shelf_start(&s, shelf_path("copy"));
    CHECK_ERR(shelf_get(&s, "after", &got), ERR_NO_SUCH_KEY);
    shelf_close(&s);
}

TEST(what_has_not_changed_is_not_copied_again_and_old_files_go)
{
    struct shelf s;
    struct backup_result first, second, third;
    struct restore_result r;

    shelf_open(&s, "data");
    clock_set_offset_ms(10000); /* as if ten seconds had passed since the files were written */
    CHECK_OK(back_up_to(&s, "backup", &first));
    CHECK_OK(back_up_to(&s, "backup", &second));
    CHECK_U64(second.number, 2);
    CHECK_U64(second.files, first.files);
    CHECK_U64(second.files_copied, 1); /* LMDB's file always is */
    shelf_put(&s, "more", shelf_body(&s, 7, SHELF_BIG));
    CHECK_OK(back_up_to(&s, "backup", &third));
    CHECK(third.files_copied > 1 && third.files_copied < third.files);
    CHECK_OK(store_restore(shelf_path("backup"), shelf_path("copy"), &r));
    CHECK_U64(r.number, 3);
    check_restored(shelf_path("copy"));
    shelf_close(&s);
}

/* ---- others at work meanwhile ---- */

#define CROWD 24

static void back_up_beside(void *arg)
{
    struct backup_result b;

    CHECK_OK(back_up_to(arg, "backup", &b));
}

/* Delete what is in the volumes, one by one, and give the space back as soon as it may be. */
static void clear_crowd(struct shelf *s)
{
    uint64_t bytes;
    char key[16];

    for (unsigned i = 0; i < CROWD; i++) {
        (void)snprintf(key, sizeof(key), "crowd-%u", i);
        shelf_delete(s, key);
        CHECK_OK(meta_checkpoint(s->store.meta));
        CHECK_OK(blob_reclaim(s->store.blobs, &bytes));
    }
}

TEST(what_is_freed_while_a_backup_is_made_is_in_it_all_the_same)
{
    struct shelf s;
    struct restore_result r;
    pthread_t thread;
    char key[16], copy[16];

    shelf_open(&s, "data");
    for (unsigned round = 0; round < 4; round++) {
        for (unsigned i = 0; i < CROWD; i++) {
            (void)snprintf(key, sizeof(key), "crowd-%u", i);
            shelf_put(&s, key, shelf_body(&s, round * CROWD + i, 1 * MIB));
        }
        CHECK_OK(thread_start("backup", back_up_beside, &s, &thread));
        clear_crowd(&s);
        thread_join(thread);
        (void)snprintf(copy, sizeof(copy), "copy-%u", round);
        CHECK_OK(store_restore(shelf_path("backup"), shelf_path(copy), &r));
        check_clean(shelf_path(copy));
    }
    shelf_close(&s);
}

/* ---- faults ---- */

TEST(whichever_call_of_a_backup_fails_the_one_before_it_is_whole)
{
    struct shelf s;
    struct backup_result b;
    struct restore_result r;
    struct meta_status status;
    bool struck = true;
    char copy[32];

    shelf_open(&s, "data");
    CHECK_OK(back_up_to(&s, "backup", &b));
    for (uint64_t n = 0; struck; n++) {
        fault_arm_stop(n);
        const struct err e = back_up_to(&s, "backup", &b);
        struck = fault_disarm();
        if (!struck) CHECK_OK(e);
        meta_status(s.store.meta, &status);
        if (!status.is_writable) { /* the engine takes no more after a fault of its own */
            shelf_close(&s);
            shelf_start(&s, shelf_path("data"));
        }
        if (n % 10 && struck) continue; /* restoring takes longer than failing */
        (void)snprintf(copy, sizeof(copy), "copy-%llu", (unsigned long long)n);
        CHECK_OK(store_restore(shelf_path("backup"), shelf_path(copy), &r));
        check_clean(shelf_path(copy));
    }
    shelf_close(&s);
}

TEST(whichever_call_of_a_restore_fails_no_store_is_there_or_a_whole_one)
{
    struct shelf s;
    struct backup_result b;
    struct restore_result r;
    struct offline o;
    bool struck = true;
    char copy[32];

    shelf_open(&s, "data");
    CHECK_OK(back_up_to(&s, "backup", &b));
    shelf_close(&s);
    for (uint64_t n = 0; struck; n++) {
        (void)snprintf(copy, sizeof(copy), "copy-%llu", (unsigned long long)n);
        fault_arm_stop(n);
        const struct err e = store_restore(shelf_path("backup"), shelf_path(copy), &r);
        struck = fault_disarm();
        CHECK(struck == (e.code != ERR_OK));
        const struct err opened = offline_open(&(struct store_place){ .dir = shelf_path(copy) }, &o);
        if (opened.code == ERR_OK) offline_close(&o);
        else CHECK(opened.code == ERR_NOT_FOUND || opened.code == ERR_INVALID);
        if (opened.code == ERR_OK) check_clean(shelf_path(copy));
        if (!struck) CHECK(opened.code == ERR_OK);
    }
}

/* ---- what is refused ---- */

static void damage(const char *name, uint64_t offset)
{
    char path[PATH_MAX];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", shelf_path("backup/files"), name);
    CHECK_OK(sys_open(path, O_RDWR, 0, &fd));
    CHECK_OK(sys_pwrite_all(fd, "rot", 3, offset));
    sys_close(fd);
}

TEST(a_backup_that_has_rotted_is_not_restored)
{
    struct shelf s;
    struct backup_result b;
    struct restore_result r;
    struct offline o;

    shelf_open(&s, "data");
    CHECK_OK(back_up_to(&s, "backup", &b));
    damage("1-0000000001.vol", 5000);
    CHECK_ERR(store_restore(shelf_path("backup"), shelf_path("copy"), &r), ERR_CORRUPT);
    CHECK_ERR(offline_open(&(struct store_place){ .dir = shelf_path("copy") }, &o), ERR_INVALID);
    shelf_close(&s);
}

TEST(a_place_that_is_not_for_a_backup_is_refused)
{
    struct shelf s;
    struct backup_result b;
    struct restore_result r;

    shelf_open(&s, "data");
    CHECK_ERR(back_up_to(&s, "data", &b), ERR_INVALID);
    CHECK_ERR(back_up_to(&s, "data/backup", &b), ERR_INVALID);
    CHECK_OK(sys_mkdir(shelf_path("full"), 0700));
    CHECK_OK(sys_mkdir(shelf_path("full/of-others"), 0700));
    CHECK_ERR(back_up_to(&s, "full", &b), ERR_INVALID);
    struct backup_options relative = { .store = &s.store, .data_dir = s.dir, .to = "backup" };
    CHECK_ERR(store_backup(&relative, &b), ERR_INVALID);
    CHECK_OK(back_up_to(&s, "backup", &b));
    CHECK_ERR(store_restore(shelf_path("backup"), s.dir, &r), ERR_EXISTS);
    CHECK_ERR(store_restore(shelf_path("nothing"), shelf_path("copy"), &r), ERR_NOT_FOUND);
    shelf_close(&s);
}

TEST(a_backup_of_another_store_is_not_written_over)
{
    struct shelf s, other;
    struct backup_result b;

    shelf_open(&s, "data");
    CHECK_OK(back_up_to(&s, "backup", &b));
    shelf_start(&other, shelf_path("other"));
    CHECK_ERR(back_up_to(&other, "backup", &b), ERR_INVALID);
    shelf_close(&other);
    shelf_close(&s);
}

TEST(a_backup_ends_at_its_time_and_gives_up_its_hold)
{
    struct shelf s;
    struct backup_result b;
    atomic_bool is_stopping = true;

    shelf_open(&s, "data");
    struct backup_options o = {
        .store = &s.store, .data_dir = s.dir, .to = shelf_path("backup"), .is_stopping = &is_stopping
    };
    CHECK_ERR(store_backup(&o, &b), ERR_CLOSED);
    CHECK_OK(meta_checkpoint(s.store.meta));
    const struct meta_positions p = meta_positions(s.store.meta);
    CHECK_U64(p.viewed_by_all, p.published);
    shelf_close(&s);
}
