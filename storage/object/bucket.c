/*
 * bucket.c - buckets.
 *
 * The row of a bucket, in SPACE_BUCKETS under its name:
 *   OFFSET  SIZE  MEANING
 *   0       1     version of the row: 1
 *   1       8     id, little endian, at least 1
 *   9       6     created, milliseconds since 1970, little endian
 *   then fields to the end of the row, each: an id of one byte, then
 *           0x01  owner, a string
 *           0x02  region, a string
 *           0x41  tag, two strings: name, value
 *   A string is a varint of its length and its bytes. Ids ascend; only 0x41 repeats.
 *
 * Objects stand under the id, not the name, so that a bucket that is made anew under an old name can never
 * see, or be hurt by, what was of the old one. Ids are counted in a row of SPACE_SYSTEM and never used again.
 *
 * Whoever writes into a bucket reads its row in the same transaction. Transactions are serialisable (M1), so
 * bucket_delete's look for objects cannot miss a PUT that is under way: one of the two comes first, and the
 * other sees it.
 */
#include "storage/object/bucket.h"

#include <string.h>

#include "storage/base/clock.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/object/garbage.h"
#include "storage/object/row_code.h"

#define ROW_VERSION 1
#define FIELD_OWNER 0x01
#define FIELD_REGION 0x02
#define FIELD_TAG 0x41
#define CREATED_BYTES 6
#define NAME_MAX_STORED 63 /* longer names cannot have been created */

/* ---- the row ---- */

static void encode(const struct bucket_info *info, struct buf *out)
{
    row_put_uint(out, ROW_VERSION, 1);
    row_put_uint(out, info->id, 8);
    row_put_uint(out, (uint64_t)info->created_ms, CREATED_BYTES);
    if (info->owner.len) {
        row_put_uint(out, FIELD_OWNER, 1);
        row_put_str(out, info->owner);
    }
    if (info->region.len) {
        row_put_uint(out, FIELD_REGION, 1);
        row_put_str(out, info->region);
    }
    for (size_t i = 0; i < info->tag_count; i++) {
        row_put_uint(out, FIELD_TAG, 1);
        row_put_str(out, info->tags[i].name);
        row_put_str(out, info->tags[i].value);
    }
}

/* Check the fields and count the tags. The reader is by value: tags are read by a second pass. */
static bool read_fields(struct row_reader r, struct bucket_info *info)
{
    unsigned last_id = 0;

    while (row_more(&r)) {
        const unsigned id = (unsigned)row_uint(&r, 1);
        if (id < last_id || (id == last_id && id != FIELD_TAG)) return false;
        last_id = id;

        const struct str value = row_str(&r);
        if (id == FIELD_OWNER) info->owner = value;
        else if (id == FIELD_REGION) info->region = value;
        else if (id == FIELD_TAG) (void)row_str(&r), info->tag_count++;
        else return false;
    }
    return !r.is_bad;
}

static struct err read_tags(struct row_reader r, struct arena *arena, struct bucket_info *info)
{
    struct pair *tags = arena_array(arena, struct pair, info->tag_count);
    if (!tags) return FAIL(ERR_NO_MEMORY, "no memory for a bucket's tags");

    info->tags = tags;
    while (row_more(&r)) {
        const unsigned id = (unsigned)row_uint(&r, 1);
        const struct str first = row_str(&r);
        if (id == FIELD_TAG) *tags++ = (struct pair){ first, row_str(&r) };
    }
    return OK;
}

struct err bucket_decode(struct str row, struct arena *arena, struct bucket_info *ret)
{
    struct row_reader r = row_reader_of(row);
    struct bucket_info info = { 0 };

    const uint64_t version = row_uint(&r, 1);
    info.id = row_uint(&r, 8);
    info.created_ms = (int64_t)row_uint(&r, CREATED_BYTES);
    if (version != ROW_VERSION || r.is_bad || info.id == 0 || !read_fields(r, &info))
        return FAIL(ERR_CORRUPT, "a bucket's row is not well formed");
    if (!arena) info.tag_count = 0;
    if (info.tag_count > 0) TRY(read_tags(r, arena, &info));

    *ret = info;
    return OK;
}

static struct err put(struct txn *txn, struct str name, const struct bucket_info *info)
{
    struct buf row;

    buf_init(&row, LIMIT_ROW_VALUE);
    encode(info, &row);
    struct err e = buf_err(&row);
    if (!e.code) e = txn_put(txn, SPACE_BUCKETS, name, buf_view(&row));
    buf_done(&row);
    return e;
}

/* ---- looking ---- */

struct err bucket_get(struct rows *r, struct str name, struct arena *arena, struct bucket_info *ret)
{
    struct str row;

    if (name.len == 0 || name.len > NAME_MAX_STORED)
        return FAIL(ERR_NO_SUCH_BUCKET, err_text(ERR_NO_SUCH_BUCKET));
    const struct err e = rows_get(r, SPACE_BUCKETS, name, &row);
    if (e.code == ERR_NOT_FOUND) return FAIL(ERR_NO_SUCH_BUCKET, err_text(ERR_NO_SUCH_BUCKET));
    TRY(e);
    return bucket_decode(row, arena, ret);
}

struct err bucket_id_get(struct rows *r, struct str name, uint64_t *ret_id)
{
    struct bucket_info info;

    TRY(bucket_get(r, name, NULL, &info));
    *ret_id = info.id;
    return OK;
}

void bucket_iter_begin(struct bucket_iter *it, struct rows *r, struct str prefix, struct str after,
                       struct arena *arena)
{
    *it = (struct bucket_iter){ .prefix = prefix };
    struct str from = prefix;

    if (str_cmp(after, prefix) >= 0 && after.len > 0) {
        /* The smallest name behind `after` is `after` and a NUL, which is how arena_str ends its copies. */
        from = arena_str(arena, str_slice(after, 0, LIMIT_ROW_KEY - 1));
        if (from.data) from.len++;
        else it->err = FAIL(ERR_NO_MEMORY, "no memory to list buckets");
    }
    rows_scan_begin(&it->scan, r, SPACE_BUCKETS, from, false);
}

bool bucket_iter_next(struct bucket_iter *it, struct str *ret_name, struct bucket_info *ret)
{
    struct str name, row;

    if (it->err.code) return false;
    if (!rows_scan_next(&it->scan, &name, &row)) {
        it->err = it->scan.err;
        return false;
    }
    if (!str_starts(name, it->prefix)) return false;
    it->err = bucket_decode(row, NULL, ret);
    if (it->err.code) return false;
    *ret_name = name;
    return true;
}

void bucket_iter_done(struct bucket_iter *it)
{
    rows_scan_done(&it->scan);
}

/* ---- creating ---- */

struct bucket_change {
    struct str name, owner, region;
    const struct pair *tags;
    size_t tag_count;
};

/* The next id, counted up in its row. */
static struct err take_id(struct txn *txn, uint64_t *ret)
{
    static const struct str counter = { "bucket id", 9 };
    struct str row;
    uint8_t next[8];

    uint64_t id = 1;
    const struct err e = rows_get(txn_rows(txn), SPACE_SYSTEM, counter, &row);
    if (e.code != ERR_NOT_FOUND) {
        TRY(e);
        if (row.len != sizeof(next) || get_le64(row.data) == 0)
            return FAIL(ERR_CORRUPT, "the count of bucket ids is damaged");
        id = get_le64(row.data);
    }
    put_le64(next, id + 1);
    TRY(txn_put(txn, SPACE_SYSTEM, counter, str_of(next, sizeof(next))));
    *ret = id;
    return OK;
}

static struct err create_fn(struct txn *txn, void *arg)
{
    const struct bucket_change *change = arg;
    struct bucket_info info;

    const struct err e = bucket_get(txn_rows(txn), change->name, NULL, &info);
    if (!e.code) {
        return str_eq(info.owner, change->owner)
            ? FAIL(ERR_BUCKET_OWNED_BY_YOU, err_text(ERR_BUCKET_OWNED_BY_YOU))
            : FAIL(ERR_EXISTS, "The requested bucket name is not available.");
    }
    if (e.code != ERR_NO_SUCH_BUCKET) return e;

    info = (struct bucket_info){ .created_ms = clock_now_ms(),
                                 .owner = change->owner,
                                 .region = change->region };
    TRY(take_id(txn, &info.id));
    return put(txn, change->name, &info);
}

struct err bucket_create(struct store *s, struct str name, struct str owner, struct str region)
{
    struct bucket_change change = { .name = name, .owner = owner, .region = region };

    TRY(bucket_name_check(name));
    return meta_run(s->meta, create_fn, &change);
}

/* ---- changing and deleting ---- */

static struct err set_tags_fn(struct txn *txn, void *arg)
{
    const struct bucket_change *change = arg;
    struct bucket_info info;

    TRY(bucket_get(txn_rows(txn), change->name, NULL, &info));
    info.tags = change->tags;
    info.tag_count = change->tag_count;
    return put(txn, change->name, &info);
}

struct err bucket_set_tags(struct store *s, struct str name, const struct pair *tags, size_t count)
{
    struct bucket_change change = { .name = name, .tags = tags, .tag_count = count };
    return meta_run(s->meta, set_tags_fn, &change);
}

/* Is there a row under this bucket id? */
static struct err has_rows(struct rows *r, enum space space, uint64_t bucket_id, bool *ret)
{
    uint8_t prefix[8];
    struct rows_scan scan;
    struct str key, value;

    put_be64(prefix, bucket_id);
    const struct str from = str_of(prefix, sizeof(prefix));
    rows_scan_begin(&scan, r, space, from, false);
    *ret = rows_scan_next(&scan, &key, &value) && str_starts(key, from);
    rows_scan_done(&scan);
    return scan.err;
}

/* Uploads do not keep a bucket alive, and there may be more of them than a transaction can clear: they are
 * left behind as garbage. */
static struct err delete_fn(struct txn *txn, void *arg)
{
    const struct bucket_change *change = arg;
    struct bucket_info info;
    bool has_objects, has_uploads;

    TRY(bucket_get(txn_rows(txn), change->name, NULL, &info));
    TRY(has_rows(txn_rows(txn), SPACE_OBJECTS, info.id, &has_objects));
    if (has_objects) return FAIL(ERR_BUCKET_NOT_EMPTY, err_text(ERR_BUCKET_NOT_EMPTY));
    TRY(has_rows(txn_rows(txn), SPACE_UPLOADS, info.id, &has_uploads));
    if (has_uploads) {
        struct garbage uploads = { .kind = GARBAGE_BUCKET,
                                   .uid = garbage_bucket_uid(info.id),
                                   .bucket_id = info.id };
        TRY(garbage_put(txn, &uploads));
    }
    return txn_del(txn, SPACE_BUCKETS, change->name);
}

struct err bucket_delete(struct store *s, struct str name)
{
    struct bucket_change change = { .name = name };
    return meta_run_freeing(s->meta, delete_fn, &change);
}
