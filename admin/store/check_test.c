/* check_test.c - a whole store is clean, and each kind of damage is found. */
#include "admin/store/check.h"

#include <stdio.h>
#include <string.h>

#include "admin/store/shelf_test.h"
#include "catalog/commit/guarded.h"
#include "storage/base/limits.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "storage/object/bucket.h"
#include "storage/object/scrub_row.h"
#include "storage/volume/volume.h"
#include "storage/volume/volume_rows.h"
#include "tests/unit/test.h"

struct seen {
    char text[4096]; /* "SPACE: what" of each */
};

static void see(void *arg, const struct check_finding *f)
{
    struct seen *s = arg;
    const size_t len = strlen(s->text);

    (void)snprintf(s->text + len, sizeof(s->text) - len, "%s: %s\n", f->space, f->what);
}

static struct check_result check(struct shelf *f, bool reads_bodies, struct seen *seen)
{
    struct check_result result;
    char volumes[320];

    *seen = (struct seen){ "" };
    (void)snprintf(volumes, sizeof(volumes), "%s/volumes", f->dir);
    const struct check_options o = {
        .store = &f->store, .volumes_dir = volumes, .reads_bodies = reads_bodies, .found = see, .arg = seen
    };
    CHECK_OK(store_check(&o, &result));
    return result;
}

TEST(a_whole_store_is_clean_and_counted)
{
    struct shelf f;
    struct seen seen;

    shelf_open(&f, "data");
    const struct check_result r = check(&f, true, &seen);
    CHECK_STR(str_from_z(seen.text), STR(""));
    CHECK_U64(r.findings, 0);
    CHECK_U64(r.objects, SHELF_OBJECTS);
    CHECK(r.bytes_read >= 1000 + SHELF_BIG + 2 * SHELF_BIG + 1000);
    CHECK_OK(meta_checkpoint(f.store.meta));
    CHECK_U64(check(&f, false, &seen).findings, 0);
    shelf_close(&f);
}

/* ---- damage in rows ---- */

struct row_change {
    enum space space;
    struct str key, value; /* an empty value: the row goes */
};

static struct err change(struct txn *txn, void *arg)
{
    const struct row_change *c = arg;

    return c->value.len ? txn_put(txn, c->space, c->key, c->value) : txn_del(txn, c->space, c->key);
}

/* The first row of a space goes. */
static void lose_first(struct shelf *f, enum space space)
{
    struct rows *view;
    struct rows_scan scan;
    struct row_change c = { .space = space };
    struct str value;

    CHECK_OK(view_open(f->store.meta, &view));
    rows_scan_begin(&scan, view, space, STR_NONE, false);
    CHECK(rows_scan_next(&scan, &c.key, &value));
    c.key = arena_str(f->arena, c.key);
    rows_scan_done(&scan);
    view_close(view);
    CHECK_OK(meta_run(f->store.meta, change, &c));
}

TEST(a_lost_row_of_any_space_that_others_need_is_found)
{
    static const struct {
        enum space space;
        const char *want;
    } rows[] = {
        { SPACE_BUCKETS, "OBJECTS: its bucket is not there" },
        { SPACE_BODIES, "EXTENTS: its body is not there" },
        { SPACE_BODY_REFS, "nothing refers to it" },
        { SPACE_EXTENTS, "BODIES: its extent in volume" },
        { SPACE_VOLUMES, "EXTENTS: no such volume" },
        { SPACE_NAMESPACES, "NAMESPACE_IDS: no such namespace" },
        { SPACE_NAMESPACE_IDS, "NAMESPACES: its id leads nowhere" },
        { SPACE_CATALOGS, "TABLES: its catalog is not there" },
        { SPACE_TABLES, "TABLE_IDS: no such table or view" },
        { SPACE_TABLE_IDS, "TABLES: its id leads nowhere" },
        { SPACE_PURGES, "LOCATIONS: no such purge" },
        { SPACE_UPLOADS, "PARTS: no such upload" },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct shelf f;
        struct seen seen;
        char name[16];

        (void)snprintf(name, sizeof(name), "data-%zu", i);
        shelf_open(&f, name);
        lose_first(&f, rows[i].space);
        const struct check_result r = check(&f, false, &seen);
        if (!r.findings || !strstr(seen.text, rows[i].want))
            test_fail(__FILE__, __LINE__, "wanted \"%s\", got:\n%s", rows[i].want, seen.text);
        shelf_close(&f);
    }
}

static void guard(struct shelf *f, const char *value)
{
    static const struct actor who = { .principal = STR("root") };
    CLEANUP(json_freep) json_t *properties = json_pack("{s:s}", GUARD_PROPERTY, value);
    struct catalog_change c = { .properties = properties };
    struct catalog_info info;

    CHECK_OK(catalog_get(&f->store, STR("lake"), f->arena, &info));
    c.version = info.version;
    CHECK_OK(catalog_update(&f->store, STR("lake"), &c, &who, f->arena, &info));
}

TEST(a_guard_that_is_not_what_its_catalog_says_is_found)
{
    struct row_change row = { .space = SPACE_SYSTEM, .key = STR("guarded/lake") };
    struct rows *view;
    struct shelf f;
    struct seen seen;

    shelf_open(&f, "data");
    guard(&f, "true");
    CHECK_U64(check(&f, false, &seen).findings, 0);
    CHECK_OK(view_open(f.store.meta, &view));
    CHECK_OK(rows_get(view, row.space, row.key, &row.value));
    const struct str kept = arena_str(f.arena, row.value);
    view_close(view);
    row.value = STR_NONE;
    CHECK_OK(meta_run(f.store.meta, change, &row));
    CHECK_U64(check(&f, false, &seen).findings, 1);
    CHECK(strstr(seen.text, "CATALOGS: its live files are not guarded") != NULL);
    guard(&f, "false");
    CHECK_U64(check(&f, false, &seen).findings, 0);
    row.value = kept;
    CHECK_OK(meta_run(f.store.meta, change, &row));
    CHECK(check(&f, false, &seen).findings == 1 && strstr(seen.text, "does not say so") != NULL);
    shelf_close(&f);
}

TEST(a_row_of_an_unknown_form_is_found)
{
    static const enum space spaces[] = { SPACE_BUCKETS,    SPACE_OBJECTS,      SPACE_UPLOADS,
                                         SPACE_PARTS,      SPACE_BODIES,       SPACE_EXTENTS,
                                         SPACE_FREED,      SPACE_VOLUMES,      SPACE_GARBAGE,
                                         SPACE_CATALOGS,   SPACE_TABLES,       SPACE_VIEWS,
                                         SPACE_NAMESPACES, SPACE_BODY_REFS,    SPACE_LOCATIONS,
                                         SPACE_TABLE_IDS,  SPACE_NAMESPACE_IDS };
    struct shelf f;
    struct seen seen;

    shelf_open(&f, "data");
    for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
        struct row_change c = { spaces[i], STR("\xff\xff\xff\xff\xff\xff\xff\xffzzzzzzzz"), STR("\x7f!") };
        CHECK_OK(meta_run(f.store.meta, change, &c));
        CHECK(check(&f, false, &seen).findings > 0);
        c.value = STR_NONE;
        CHECK_OK(meta_run(f.store.meta, change, &c));
        CHECK_U64(check(&f, false, &seen).findings, 0);
    }
    shelf_close(&f);
}

/* ---- damage in files ---- */

static struct extent extent_of(struct shelf *f, const char *key)
{
    struct object_info info;
    struct body_row row;
    struct rows *view;
    struct str value;

    CHECK_OK(view_open(f->store.meta, &view));
    CHECK_OK(object_stat(view, STR("shelf"), str_from_z(key), NULL, &info));
    CHECK_OK(rows_get(view, SPACE_BODIES, key_body(&info.body.uid), &value));
    CHECK_OK(body_row_decode(value, &row));
    const struct extent x = body_row_extent(&row, 0);
    view_close(view);
    return x;
}

static void write_over(struct shelf *f, uint64_t volume, uint64_t offset)
{
    char dir[320], path[4096];
    int fd;

    (void)snprintf(dir, sizeof(dir), "%s/volumes", f->dir);
    volume_path(dir, volume, path);
    CHECK_OK(sys_open(path, O_RDWR, 0, &fd));
    CHECK_OK(sys_pwrite_all(fd, "damage", 6, offset));
    sys_close(fd);
}

TEST(damage_of_data_is_found_only_by_reading_bodies_that_of_a_trailer_always)
{
    struct shelf f;
    struct seen seen;

    shelf_open(&f, "data");
    const struct extent x = extent_of(&f, "big");
    write_over(&f, x.volume, x.offset + 70000);
    CHECK_U64(check(&f, false, &seen).findings, 0);
    CHECK_U64(check(&f, true, &seen).findings, 1);
    CHECK(strstr(seen.text, "OBJECTS: ") == seen.text);
    write_over(&f, x.volume, x.offset + x.data_len);
    CHECK_U64(check(&f, false, &seen).findings, 1);
    CHECK(strstr(seen.text, "BODIES: volume") == seen.text);
    shelf_close(&f);
}

static struct err put_found(struct txn *txn, void *arg)
{
    struct object_info info;
    uint8_t key[OBJECT_ROW_KEY_SIZE];
    uint64_t bucket;

    (void)arg;
    TRY(bucket_id_get(txn_rows(txn), STR("shelf"), &bucket));
    TRY(object_stat(txn_rows(txn), STR("shelf"), STR("big"), NULL, &info));
    const struct scrub_found f = { .row_key = object_row_key(bucket, STR("big"), key),
                                   .uid = info.uid,
                                   .found_ms = 1,
                                   .pass = 1,
                                   .what = STR("a block is damaged") };
    return scrub_found_put(txn, &f);
}

TEST(what_the_scrub_had_found_is_a_finding_until_the_bytes_are_read_here)
{
    struct shelf f;
    struct seen seen;

    shelf_open(&f, "data");
    CHECK_OK(meta_run(f.store.meta, put_found, NULL));
    CHECK_U64(check(&f, false, &seen).findings, 1);
    CHECK_STR(str_from_z(seen.text), STR("SCRUB: a block is damaged\n"));
    CHECK_U64(check(&f, true, &seen).findings, 0);
    shelf_delete(&f, "big");
    CHECK_U64(check(&f, false, &seen).findings, 0);
    shelf_close(&f);
}

TEST(a_volume_whose_file_is_gone_is_found)
{
    struct shelf f;
    struct seen seen;
    char dir[320], path[4096];

    shelf_open(&f, "data");
    (void)snprintf(dir, sizeof(dir), "%s/volumes", f.dir);
    volume_path(dir, extent_of(&f, "big").volume, path);
    CHECK_OK(sys_unlink(path));
    CHECK(check(&f, false, &seen).findings > 0);
    CHECK(strstr(seen.text, "VOLUMES: its file is not there") != NULL);
    shelf_close(&f);
}
