/*
 * init_dir_test.c - files become objects once, whatever fails on the way, and nothing outside of the directory does.
 */
#include "server/init_dir.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "storage/base/limits.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "storage/object/object_get.h"
#include "storage/object/object_list.h"
#include "tests/unit/test.h"

static struct store store;
static char data_dir[512], init_dir[512];

static struct err store_start(void)
{
    char rows[600], volumes[600];

    (void)snprintf(rows, sizeof(rows), "%s/rows", data_dir);
    (void)snprintf(volumes, sizeof(volumes), "%s/volumes", data_dir);
    const struct meta_options m = { .dir = rows,
                                    .segment_bytes = 256 * KIB,
                                    .checkpoint_rows_bytes = 1 * MIB,
                                    .checkpoint_log_bytes = 4 * MIB,
                                    .disk_floor_bytes = 1 * MIB };
    TRY(meta_open(&m, &store.meta));
    const struct blob_options b = {
        .dir = volumes, .meta = store.meta, .volume_bytes = 4 * MIB, .disk_floor_bytes = 1 * MIB
    };
    TRY(blob_open(&b, &store.blobs));
    store.part_bytes_min = LIMIT_PART_BYTES_MIN;
    store.small_body_max = 4096;
    return OK;
}

static void store_stop(void)
{
    store.blobs = blob_close(store.blobs);
    store.meta = meta_close(store.meta);
}

static void begin(void)
{
    (void)snprintf(data_dir, sizeof(data_dir), "%s/data", test_dir());
    (void)snprintf(init_dir, sizeof(init_dir), "%s/init", test_dir());
    CHECK_OK(sys_mkdir(data_dir, 0700));
    CHECK_OK(sys_mkdir(init_dir, 0700));
    CHECK_OK(store_start());
}

/* Make init_dir/name, and the directories above it. */
static void file(const char *name, struct str body)
{
    char path[1024];
    const int root = snprintf(path, sizeof(path), "%s/", init_dir);

    (void)snprintf(path + root, sizeof(path) - (size_t)root, "%s", name);
    for (char *slash = strchr(path + root, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        CHECK_OK(sys_mkdir(path, 0700));
        *slash = '/';
    }
    CHECK_OK(sys_write_file(path, body, 0600));
}

static struct err load(struct init_dir_result *ret)
{
    const struct init_dir_options o = { .store = &store, .dir = str_from_z(init_dir), .owner = STR("root") };
    return init_dir_load(&o, ret);
}

static void check_object(const char *bucket, const char *key, struct str wanted, const char *type)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(16 * MIB);
    CLEANUP(view_closep) struct rows *view = NULL;
    struct object_info info;
    struct str body;

    CHECK_OK(view_open(store.meta, &view));
    CHECK_OK(object_stat(view, str_from_z(bucket), str_from_z(key), arena, &info));
    CHECK_STR(info.meta.headers[OBJECT_CONTENT_TYPE], str_from_z(type));
    CHECK_OK(object_read_all(&store, str_from_z(bucket), str_from_z(key), 16 * MIB, arena, &body));
    CHECK_STR(body, wanted);
}

static bool has_object(const char *bucket, const char *key)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct object_info info;

    CHECK_OK(view_open(store.meta, &view));
    return object_stat(view, str_from_z(bucket), str_from_z(key), NULL, &info).code == ERR_OK;
}

TEST(files_become_objects_with_their_types)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(4 * MIB);
    char *large = arena_alloc(arena, 300000);
    struct init_dir_result r;

    begin();
    for (size_t i = 0; i < 300000; i++) large[i] = (char)(i * 7);
    file("raw-events/2026/01/a.json", STR("{\"id\":1}"));
    file("raw-events/empty", STR(""));
    file("raw-users/gr\xc3\xbc\xc3\x9f .CSV", STR("a,b\n"));
    file("raw-users/large.parquet", str_of(large, 300000));
    CHECK_OK(load(&r));
    CHECK_U64(r.loaded, 4);
    CHECK_U64(r.bytes, 8 + 4 + 300000);
    CHECK_U64(r.present + r.passed_over, 0);
    check_object("raw-events", "2026/01/a.json", STR("{\"id\":1}"), "application/json");
    check_object("raw-events", "empty", STR(""), "");
    check_object("raw-users", "gr\xc3\xbc\xc3\x9f .CSV", STR("a,b\n"), "text/csv");
    check_object("raw-users", "large.parquet", str_of(large, 300000), "application/vnd.apache.parquet");
    store_stop();
}

TEST(i1_what_is_there_is_left_as_it_is)
{
    struct init_dir_result r;

    begin();
    file("bucket/a.txt", STR("first"));
    CHECK_OK(load(&r));
    file("bucket/a.txt", STR("second"));
    file("bucket/b.txt", STR("new"));
    CHECK_OK(load(&r));
    CHECK_U64(r.loaded, 1);
    CHECK_U64(r.present, 1);
    check_object("bucket", "a.txt", STR("first"), "text/plain");
    check_object("bucket", "b.txt", STR("new"), "text/plain");
    store_stop();
}

static void link_to(const char *target, const char *name)
{
    char path[1024];

    (void)snprintf(path, sizeof(path), "%s/%s", init_dir, name);
    CHECK(symlink(target, path) == 0);
}

TEST(i2_nothing_outside_of_the_directory_is_read)
{
    struct init_dir_result r;
    char path[1024];

    begin();
    file("bucket/a.txt", STR("in"));
    file("bucket/.hidden", STR("no"));
    file("beside.txt", STR("no"));
    (void)snprintf(path, sizeof(path), "%s/secret", test_dir());
    CHECK_OK(sys_write_file(path, STR("secret"), 0600));
    link_to("a.txt", "bucket/link.txt");
    link_to("../../secret", "bucket/out.txt");
    link_to(path, "bucket/out2.txt");
    link_to("../..", "bucket/up");
    link_to("bucket", "other");
    link_to("nowhere", "bucket/broken");
    CHECK_OK(load(&r));
    CHECK_U64(r.loaded, 2);
    CHECK_U64(r.passed_over, 7);
    check_object("bucket", "link.txt", STR("in"), "text/plain");
    CHECK(!has_object("bucket", "out.txt") && !has_object("bucket", "out2.txt")
          && !has_object("bucket", ".hidden"));
    store_stop();
}

TEST(what_cannot_be_loaded_is_named)
{
    static const struct {
        const char *name, *wanted;
    } rows[] = {
        { "Not_A_Bucket/x", "'Not_A_Bucket'" },
        { "bucket/latin-\xfc", "bucket/latin-\xfc" },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct init_dir_result r;
        if (i == 0) begin();
        file(rows[i].name, STR("x"));
        const struct err e = load(&r);
        if (e.code == ERR_OK || !strstr(e.why, rows[i].wanted) || !strstr(e.why, "init directory"))
            test_fail(__FILE__, __LINE__, "wanted %s, got %s", rows[i].wanted, e.why ? e.why : "accepted");
        char path[1024];
        (void)snprintf(path, sizeof(path), "%s/%s", init_dir, rows[i].name);
        CHECK_OK(sys_unlink(path));
        if (i == 0) {
            *strrchr(path, '/') = '\0';
            CHECK(rmdir(path) == 0);
        }
    }
    (void)snprintf(init_dir, sizeof(init_dir), "%s/none", test_dir());
    CHECK_ERR(load(&(struct init_dir_result){ 0 }), ERR_NOT_FOUND);
    store_stop();
}

static int questions;
static bool stop_at_once(void)
{
    questions++;
    return true;
}

TEST(a_stop_ends_it_between_batches)
{
    struct init_dir_options o = { .store = &store, .owner = STR("root"), .should_stop = stop_at_once };
    struct init_dir_result r;
    char path[1024];

    begin();
    file("bucket/first", STR(""));
    for (int i = 1; i < LIMIT_INIT_BATCH + 10; i++) {
        int fd = -1;
        (void)snprintf(path, sizeof(path), "%s/bucket/%d", init_dir, i);
        CHECK_OK(sys_open(path, O_CREAT | O_WRONLY, 0600, &fd));
        sys_close(fd);
    }
    o.dir = str_from_z(init_dir);
    CHECK_OK(init_dir_load(&o, &r));
    CHECK(r.is_stopped && questions == 1);
    CHECK_U64(r.loaded, LIMIT_INIT_BATCH);
    CHECK_OK(load(&r));
    CHECK_U64(r.loaded, 10);
    CHECK_U64(r.present, LIMIT_INIT_BATCH);
    store_stop();
}

TEST(i3_whatever_fails_on_the_way_the_next_start_makes_up_for)
{
    struct init_dir_result r;
    char key[32];
    bool struck = true;

    begin();
    for (uint64_t nth = 0; struck; nth++) {
        (void)snprintf(key, sizeof(key), "bucket/%llu.json", (unsigned long long)nth);
        file(key, STR("small"));
        fault_arm(FAULT_ALL, nth, EIO);
        const struct err e = load(&r);
        struck = fault_disarm();
        if (e.code == ERR_OK) check_object("bucket", key + 7, STR("small"), "application/json");
        store_stop();
        CHECK_OK(store_start());
        CHECK_OK(load(&r));
        check_object("bucket", key + 7, STR("small"), "application/json");
    }
    store_stop();
}
