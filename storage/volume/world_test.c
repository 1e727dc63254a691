/* world_test.c - see world_test.h; it has no tests of its own. */
#include "storage/volume/world_test.h"
#include "tests/unit/postgresql.h"
#include "tests/unit/test.h"

#include <stdlib.h>

#include "storage/base/sysio.h"

/* The strings live as long as the test, like test_dir's. */
static const char *path_in(const char *dir, const char *name)
{
    static char *kept[2048];
    static size_t count;
    char **path = &kept[count++];

    CHECK(count < sizeof(kept) / sizeof(*kept));
    CHECK(asprintf(path, "%s/%s", dir, name) > 0);
    return *path;
}

void world_init(struct world *w)
{
    const char *dir = test_dir(), *meta_dir = path_in(dir, "meta"), *volume_dir = path_in(dir, "volumes");

    *w = (struct world){
        .meta_dir = meta_dir,
        .volume_dir = volume_dir,
        .meta_options = { .store = test_store(),
                          .dir = meta_dir,
                          .segment_bytes = 256 * KIB,
                          .disk_floor_bytes = MIB,
                          .map_bytes = 64 * MIB,
                          .is_checkpoint_manual = true },
        .blob_options = { .dir = volume_dir,
                          .volume_bytes = 4 * MIB,
                          .disk_floor_bytes = MIB,
                          .writers_open_max = 4,
                          .is_reclaim_manual = true },
    };
}

struct err world_try_open(struct world *w)
{
    w->meta_options.schema = test_store_schema(w->meta_options.dir);
    TRY(meta_open(&w->meta_options, &w->meta));
    w->blob_options.meta = w->meta;
    const struct err e = blob_open(&w->blob_options, &w->b);
    if (e.code) w->meta = meta_close(w->meta);
    return e;
}

void world_open(struct world *w)
{
    CHECK_OK(world_try_open(w));
}

void world_close(struct world *w)
{
    w->b = blob_close(w->b);
    w->meta = meta_close(w->meta);
}

void world_reopen(struct world *w)
{
    world_close(w);
    world_open(w);
}

/* Eight bytes at a time, from a counter that is mixed: no two places look alike. */
static uint64_t pattern_word(uint64_t seed, uint64_t index)
{
    uint64_t x = (seed + 1) * 0x9e3779b97f4a7c15ull + index * 0xbf58476d1ce4e5b9ull;

    x ^= x >> 29;
    return x * 0x94d049bb133111ebull;
}

static uint8_t pattern_byte(uint64_t seed, uint64_t at)
{
    return (uint8_t)(pattern_word(seed, at / 8) >> (8 * (at % 8)));
}

void pattern_fill(uint8_t *out, size_t len, uint64_t seed, uint64_t offset)
{
    for (size_t i = 0; i < len; i++) out[i] = pattern_byte(seed, offset + i);
}

bool pattern_is(const uint8_t *data, size_t len, uint64_t seed, uint64_t offset)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] != pattern_byte(seed, offset + i)) return false;
    }
    return true;
}

struct err world_write(struct blob_writer *w, size_t len, uint64_t seed, size_t piece)
{
    uint8_t *data = malloc(piece);
    struct err e = OK;

    for (size_t at = 0; at < len && !e.code;) {
        const size_t n = len - at < piece ? len - at : piece;
        pattern_fill(data, n, seed, blob_writer_length(w));
        e = blob_write(w, data, n);
        at += n;
    }
    free(data);
    return e;
}

struct err world_upload(struct world *w, size_t len, uint64_t seed, struct blob_writer **ret)
{
    *ret = NULL;
    TRY(blob_write_begin(w->b, 0, ret));
    TRY(world_write(*ret, len, seed, 300000));
    return blob_write_flush_wait(*ret);
}

/* ---- transactions ---- */

struct action {
    const struct blob_writer *writer;
    struct uid body, referrer;
};

static struct err publish_fn(struct txn *txn, void *arg)
{
    const struct action *a = arg;

    return blob_publish(txn, a->writer, a->referrer);
}

static struct err ref_fn(struct txn *txn, void *arg)
{
    const struct action *a = arg;

    return blob_ref(txn, a->body, a->referrer);
}

static struct err unref_fn(struct txn *txn, void *arg)
{
    const struct action *a = arg;

    return blob_unref(txn, a->body, a->referrer);
}

struct err world_publish(struct world *w, const struct blob_writer *writer, struct uid referrer)
{
    struct action a = { .writer = writer, .referrer = referrer };

    return meta_run(w->meta, publish_fn, &a);
}

struct err world_ref(struct world *w, struct uid body, struct uid referrer)
{
    struct action a = { .body = body, .referrer = referrer };

    return meta_run(w->meta, ref_fn, &a);
}

struct err world_unref(struct world *w, struct uid body, struct uid referrer)
{
    struct action a = { .body = body, .referrer = referrer };

    return meta_run_freeing(w->meta, unref_fn, &a);
}

struct uid world_put(struct world *w, size_t len, uint64_t seed)
{
    struct blob_writer *writer;

    CHECK_OK(world_upload(w, len, seed, &writer));
    const struct uid body = blob_writer_uid(writer);
    CHECK_OK(world_publish(w, writer, body));
    blob_write_close(writer);
    return body;
}

void world_delete(struct world *w, struct uid body)
{
    CHECK_OK(world_unref(w, body, body));
}

/* ---- reading ---- */

struct err world_reader(struct world *w, struct uid body, struct blob_reader **ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;

    TRY(view_open(w->meta, &view));
    return blob_reader_open(w->b, view, body, ret);
}

void check_body(struct world *w, struct uid body, size_t len, uint64_t seed)
{
    struct blob_reader *r = NULL;
    uint8_t *data = malloc(len + 1);

    CHECK_OK(world_reader(w, body, &r));
    CHECK_U64(blob_reader_length(r), len);
    CHECK_OK(blob_read(r, 0, data, len));
    CHECK(pattern_is(data, len, seed, 0));
    blob_reader_close(r);
    free(data);
}

void check_gone(struct world *w, struct uid body)
{
    struct blob_reader *r = NULL;

    CHECK_ERR(world_reader(w, body, &r), ERR_NOT_FOUND);
}

/* ---- space ---- */

uint64_t world_reclaim(struct world *w)
{
    uint64_t bytes;

    CHECK_OK(blob_reclaim(w->b, &bytes));
    return bytes;
}

uint64_t world_settle(struct world *w)
{
    CHECK_OK(meta_checkpoint(w->meta));
    return world_reclaim(w);
}

struct totals {
    const char *dir;
    uint64_t bytes, files;
};

static struct err add_file(void *arg, const char *name)
{
    struct totals *t = arg;
    char path[PATH_MAX];
    struct stat st;
    uint64_t id;

    if (!volume_id_from(name, &id)) return OK;
    volume_path(t->dir, id, path);
    const struct err e = sys_stat(path, &st);
    if (e.code == ERR_NOT_FOUND) return OK; /* reclaim has unlinked it since it was listed */
    TRY(e);
    t->bytes += 512 * (uint64_t)st.st_blocks;
    t->files++;
    return OK;
}

uint64_t world_disk_bytes(const struct world *w)
{
    struct totals t = { .dir = w->volume_dir };

    CHECK_OK(sys_list_dir(w->volume_dir, add_file, &t));
    return t.bytes;
}

uint64_t world_files(const struct world *w)
{
    struct totals t = { .dir = w->volume_dir };

    CHECK_OK(sys_list_dir(w->volume_dir, add_file, &t));
    return t.files;
}

uint64_t world_rows(struct world *w, enum space space)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct rows_scan scan;
    struct str key, value;
    uint64_t count = 0;

    CHECK_OK(view_open(w->meta, &view));
    rows_scan_begin(&scan, view, space, STR_NONE, false);
    while (rows_scan_next(&scan, &key, &value)) count++;
    CHECK_OK(scan.err);
    rows_scan_done(&scan);
    return count;
}

struct extent world_extent(struct world *w, struct uid body, uint32_t index)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct body_row row;
    struct str value;

    CHECK_OK(view_open(w->meta, &view));
    CHECK_OK(rows_get(view, SPACE_BODIES, key_body(&body), &value));
    CHECK_OK(body_row_decode(value, &row));
    CHECK(index < row.count);
    return body_row_extent(&row, index);
}
