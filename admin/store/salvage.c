/*
 * salvage.c - from names and extents to a new store (salvage.h).
 *
 * Names are in a memtable, which is read as any engine's rows are; so buckets and objects are walked and decoded by the code that serves them. What is written goes through the same doors as a client's PUT.
 *
 * Until it has ended, the new directory has the mark of a restore, and no server starts on it.
 */
#include "admin/store/salvage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/store/offline.h"
#include "admin/store/salvage_state.h"
#include "storage/base/arena.h"
#include "storage/base/digest.h"
#include "storage/base/encode.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "storage/meta/rows.h"
#include "storage/meta/segment.h"
#include "storage/object/bucket.h"
#include "storage/object/object_put.h"
#include "storage/object/part_map.h"

#define UNNAMED_BUCKET STR("salvaged-bodies")
#define NOBODY STR("root") /* owns what nobody is known to own */
#define PROGRESS_OBJECTS 1000
#define SCRATCH_BYTES (8 * MIB)

struct salvage {
    const struct salvage_options *options;
    struct salvage_result r;
    struct memtable *names;
    struct rows_merged rows; /* the same, to be read */
    struct salvage_extents extents;
    struct store store;    /* the new one; without rows: nothing is written */
    struct arena *scratch; /* emptied for each object */
    uint64_t bucket_id;    /* of the bucket that was made last */
    char bucket[64];
    char rows_dir[STORE_PATH_MAX + 32], volumes_dir[STORE_PATH_MAX + 32], to_rows[STORE_PATH_MAX + 32],
        to_volumes[STORE_PATH_MAX + 32];
};

static bool writes(const struct salvage *s)
{
    return s->store.meta != NULL;
}

/* ---- a body ---- */

/* Where it goes. A failure of ours ends the salvage; one of the source costs one object. */
struct sink {
    struct body_writer *writer; /* NULL: nothing is written */
    uint64_t bytes;
    struct err failed;
};

static struct err pour(void *arg, struct str piece)
{
    struct sink *sink = arg;

    sink->bytes += piece.len;
    if (sink->writer) sink->failed = body_writer_write(sink->writer, piece);
    return sink->failed;
}

/* A body in the journal. */
static struct err place_read(struct salvage *s, struct place p, struct str *ret)
{
    char path[STORE_PATH_MAX + 64];
    int fd = -1;
    char *bytes = arena_alloc(s->scratch, p.length ? p.length : 1);

    if (!bytes) return FAIL(ERR_CORRUPT, "its place says an impossible length");
    (void)snprintf(path, sizeof(path), "%s/journal/%08x.seg", s->rows_dir, p.segment_id);
    struct err e = sys_open(path, O_RDONLY, 0, &fd);
    if (e.code == ERR_NOT_FOUND) e = FAIL(ERR_NOT_FOUND, "the journal segment of its body is gone");
    if (!e.code) e = sys_pread_all(fd, bytes, p.length, p.offset);
    sys_close(fd);
    TRY(e);
    if (crc32c(0, bytes, p.length) != p.crc32c)
        return FAIL(ERR_CORRUPT, "its bytes do not match their checksum");
    *ret = str_of(bytes, p.length);
    return OK;
}

static struct err blob_pour(struct salvage *s, struct uid uid, struct sink *sink)
{
    struct salvage_body b;

    if (!salvage_body_find(&s->extents, uid, &b)) return FAIL(ERR_NOT_FOUND, "its body is in no volume");
    s->extents.items[b.first].is_used = true;
    return salvage_body_read(&s->extents, &b, pour, sink);
}

static struct err parts_pour(struct salvage *s, struct place place, struct sink *sink)
{
    struct part_entry part;
    struct part_map map;
    struct str bytes;

    TRY(place_read(s, place, &bytes));
    TRY(part_map_open(bytes, &map));
    for (struct part_cursor c = part_map_from(&map, 0); part_map_next(&c, &part);) {
        if (part.size) TRY(blob_pour(s, part.body, sink));
    }
    return OK;
}

static struct err body_pour(struct salvage *s, const struct object_info *info, struct sink *sink)
{
    struct str bytes;

    switch (info->body.kind) {
    case BODY_NONE_AT_ALL: return OK;
    case BODY_SMALL: TRY(place_read(s, info->body.place, &bytes)); return pour(sink, bytes);
    case BODY_BLOB: return blob_pour(s, info->body.uid, sink);
    case BODY_PARTS: return parts_pour(s, info->body.place, sink);
    }
    return FAIL(ERR_CORRUPT, "its row has no body of a known kind");
}

/* ---- an object ---- */

/* As long as its row says, and, where the row has the sum of the whole, of the same bytes. */
static struct err verify(const struct object_info *info, struct sink *sink)
{
    if (sink->bytes != info->size) return FAIL(ERR_CORRUPT, "its body has not the length that its row says");
    if (info->part_count || !sink->writer) return OK;
    const struct digest_value md5 = body_writer_md5(sink->writer);
    return memcmp(md5.bytes, info->etag_md5, sizeof(info->etag_md5)) == 0
        ? OK
        : FAIL(ERR_CORRUPT, "its body is another's");
}

static struct err publish(struct salvage *s, struct str bucket, struct str key,
                          const struct object_info *info, struct body_writer *w)
{
    struct object_put put = {
        .store = &s->store, .bucket = bucket, .key = key, .meta = info->meta, .body = w
    };

    TRY(body_writer_finish_wait(w));
    return meta_run(s->store.meta, object_put_fn, &put);
}

/* *ret_lost: why there is none; what is returned ends the salvage. */
static struct err bring(struct salvage *s, struct str bucket, struct str key, const struct object_info *info,
                        struct err *ret_lost)
{
    struct sink sink = { .failed = OK };

    if (writes(s))
        TRY(body_writer_new(&s->store, (struct body_sums_wanted){ .checksum = DIGEST_NONE }, info->size,
                            &sink.writer));
    struct err lost = body_pour(s, info, &sink);
    if (!lost.code) lost = verify(info, &sink);
    struct err e = sink.failed;
    if (!e.code && !lost.code && writes(s)) e = publish(s, bucket, key, info, sink.writer);
    body_writer_free(sink.writer);
    *ret_lost = lost;
    return e;
}

static void note_lost(struct salvage *s, struct str bucket, struct str key, struct err why)
{
    s->r.damaged++;
    if (s->options->lost) s->options->lost(s->options->arg, bucket, key, why.why);
}

static void tell(struct salvage *s)
{
    if (s->options->progress && (s->r.objects + s->r.unnamed + s->r.damaged) % PROGRESS_OBJECTS == 0)
        s->options->progress(s->options->arg, &s->r);
}

static struct err make_bucket(struct salvage *s, struct str name, struct str owner)
{
    if (!writes(s)) return OK;
    const struct err e = bucket_create(&s->store, name, owner, STR_NONE);
    return e.code == ERR_BUCKET_OWNED_BY_YOU || e.code == ERR_EXISTS ? OK : e;
}

/* The bucket of that id, made; its name in s->bucket. */
static struct err enter_bucket(struct salvage *s, uint64_t id)
{
    struct bucket_iter it;
    struct bucket_info info;
    struct str name;
    bool is_known = false;
    char owner[256] = "root";

    if (s->bucket[0] && s->bucket_id == id) return OK;
    s->bucket_id = id;
    (void)snprintf(s->bucket, sizeof(s->bucket), "bucket-%llu", (unsigned long long)id);
    bucket_iter_begin(&it, &s->rows.rows, STR_NONE, STR_NONE, NULL);
    while (!is_known && bucket_iter_next(&it, &name, &info)) {
        is_known = info.id == id;
        if (!is_known) continue;
        (void)snprintf(s->bucket, sizeof(s->bucket), "%.*s", STR_ARG(name));
        if (info.owner.len) (void)snprintf(owner, sizeof(owner), "%.*s", STR_ARG(info.owner));
    }
    bucket_iter_done(&it);
    return make_bucket(s, str_from_z(s->bucket), str_from_z(owner));
}

static struct err bring_row(struct salvage *s, struct str row_key, struct str value)
{
    struct object_info info;
    struct err lost;

    if (row_key.len <= OBJECT_BUCKET_ID_BYTES) return OK;
    arena_reset(s->scratch);
    s->r.names++;
    TRY(enter_bucket(s, get_be64(row_key.data)));
    const struct str bucket = str_from_z(s->bucket), key = str_from(row_key, OBJECT_BUCKET_ID_BYTES);
    lost = object_decode(value, s->scratch, &info);
    if (!lost.code) TRY(bring(s, bucket, key, &info, &lost));
    if (lost.code) {
        note_lost(s, bucket, key, lost);
    } else {
        s->r.objects++;
        s->r.bytes += info.size;
    }
    tell(s);
    return OK;
}

static struct err bring_named(struct salvage *s)
{
    struct rows_scan scan;
    struct str key, value;
    struct err e = OK;

    rows_scan_begin(&scan, &s->rows.rows, SPACE_OBJECTS, STR_NONE, false);
    while (!e.code && rows_scan_next(&scan, &key, &value)) e = bring_row(s, key, value);
    if (!e.code) e = scan.err;
    rows_scan_done(&scan);
    return e;
}

/* ---- what has no name ---- */

static struct err bring_body(struct salvage *s, const struct salvage_body *b)
{
    const struct uid uid = s->extents.items[b->first].record.body;
    struct object_info info = { .size = b->length,
                                .part_count = 1,
                                .body = { .kind = BODY_BLOB, .uid = uid } };
    char hex[33];
    struct err lost;

    hex_z(uid.bytes, sizeof(uid.bytes), hex);
    TRY(bring(s, UNNAMED_BUCKET, str_from_z(hex), &info, &lost));
    if (lost.code) {
        note_lost(s, UNNAMED_BUCKET, str_from_z(hex), lost);
    } else {
        s->r.unnamed++;
        s->r.unnamed_bytes += b->length;
    }
    tell(s);
    return OK;
}

static struct err bring_unnamed(struct salvage *s)
{
    struct salvage_body b;

    if (s->extents.count) TRY(make_bucket(s, UNNAMED_BUCKET, NOBODY));
    for (size_t at = 0; at < s->extents.count; at += b.count) {
        b = salvage_body_at(&s->extents, at);
        if (!s->extents.items[at].is_used) TRY(bring_body(s, &b));
    }
    return OK;
}

/* ---- the new store ---- */

static struct err refuse_any(void *arg, const char *name)
{
    (void)name;
    return err_fail(ERR_EXISTS, "%s is there and not empty: a salvage makes a new directory",
                    (const char *)arg);
}

static struct err open_new(struct salvage *s, const char *to)
{
    char mark[STORE_PATH_MAX + 32], name[STORE_PATH_MAX + 32];

    TRY(sys_mkdir(to, 0700));
    (void)snprintf(name, sizeof(name), "%s", to);
    TRY(sys_list_dir(to, refuse_any, name));
    (void)snprintf(mark, sizeof(mark), "%s/" RESTORE_MARK, to);
    TRY(sys_write_file(mark, STR("a salvage into this directory has not ended\n"), 0600));
    (void)snprintf(s->to_rows, sizeof(s->to_rows), "%s/rows", to);
    (void)snprintf(s->to_volumes, sizeof(s->to_volumes), "%s/volumes", to);
    const struct meta_options m = { .dir = s->to_rows };
    TRY(meta_open(&m, &s->store.meta));
    const struct blob_options b = { .dir = s->to_volumes, .meta = s->store.meta };
    TRY(blob_open(&b, &s->store.blobs));
    s->store.part_bytes_min = LIMIT_PART_BYTES_MIN;
    s->store.small_body_max = LIMIT_SMALL_BODY;
    return OK;
}

static void close_new(struct salvage *s)
{
    s->store.blobs = blob_close(s->store.blobs);
    s->store.meta = meta_close(s->store.meta);
}

static struct err unmark(const char *to)
{
    char mark[STORE_PATH_MAX + 32];

    (void)snprintf(mark, sizeof(mark), "%s/" RESTORE_MARK, to);
    TRY(sys_unlink(mark));
    return sys_sync_dir(to);
}

/* ---- all of it ---- */

/* No server has the source open. One whose lock is lost, too, is nobody's. The lock is a shared one, which a file that is only read can have: the source may lie on a disk that is not mounted to be written. */
static struct err lock_source(const struct salvage *s, int *ret_fd)
{
    char path[STORE_PATH_MAX + 64];

    (void)snprintf(path, sizeof(path), "%s/lock", s->rows_dir);
    const struct err e = sys_open(path, O_RDONLY, 0, ret_fd);
    if (e.code == ERR_NOT_FOUND) return OK;
    TRY(e);
    const struct err locked = sys_lock_shared(*ret_fd);
    if (locked.code == ERR_BUSY)
        return err_fail(ERR_BUSY, "%s is in use: stop its server first", s->options->from);
    return locked;
}

static struct err gather(struct salvage *s)
{
    bool has_rows, has_volumes;

    TRY(store_place_has(s->options->from, "rows", &has_rows));
    TRY(store_place_has(s->options->from, "volumes", &has_volumes));
    if (!has_rows && !has_volumes)
        return err_fail(ERR_NOT_FOUND, "there is nothing of a store in %s", s->options->from);
    TRY(salvage_names(s->rows_dir, s->names, &s->r));
    TRY(salvage_extents_find(&s->extents, s->volumes_dir, &s->r));
    const struct rows_sources from = { .active = memtable_working(s->names) };
    rows_merged_init(&s->rows, &from);
    return OK;
}

static struct err salvage(struct salvage *s)
{
    const char *to = s->options->to;

    TRY(gather(s));
    if (to) TRY(open_new(s, to));
    TRY(bring_named(s));
    return bring_unnamed(s);
}

static struct err salvage_locked(struct salvage *s)
{
    char why[512];
    int lock = -1;

    struct err e = lock_source(s, &lock);
    if (!e.code) e = salvage(s);
    e = err_keep(e, why, sizeof(why));
    close_new(s);
    sys_close(lock);
    if (!e.code && s->options->to) e = unmark(s->options->to);
    return e.code ? err_fail(e.code, "%s", e.why) : OK;
}

struct err store_salvage(const struct salvage_options *options, struct salvage_result *ret)
{
    CLEANUP(memtable_freep) struct memtable *names = memtable_new();
    CLEANUP(arena_freep) struct arena *scratch = arena_new(SCRATCH_BYTES);
    struct salvage *s = calloc(1, sizeof(*s));

    if (!s || !names || !scratch) {
        free(s);
        return no_memory();
    }
    s->options = options;
    s->names = names;
    s->scratch = scratch;
    struct err e = OK;
    if (strlen(options->from) > STORE_PATH_MAX || (options->to && strlen(options->to) > STORE_PATH_MAX))
        e = FAIL(ERR_INVALID, "the path of the directory is too long");
    (void)snprintf(s->rows_dir, sizeof(s->rows_dir), "%s/rows", options->from);
    (void)snprintf(s->volumes_dir, sizeof(s->volumes_dir), "%s/volumes", options->from);
    if (!e.code) e = salvage_locked(s);
    if (!e.code) *ret = s->r;
    salvage_extents_done(&s->extents);
    free(s);
    return e;
}
