/*
 * upload_list.c - a page of the uploads that are open in a bucket.
 *
 * The rows stand in the order of the answer (key, then the time of the upload: upload_row.h), so a page is one scan from the marker on, and
 * a common prefix is one seek. Each row that is visited is an entry or the last look, so a page is one short view.
 */
#include "storage/object/multipart.h"

#include <string.h>

#include "storage/base/encode.h"
#include "storage/base/thread.h"
#include "storage/object/bucket.h"
#include "storage/object/upload_row.h"

#define SCRATCH_BYTES (256 * KIB) /* of one row at a time */

struct listing {
    const struct upload_query *query;
    struct arena *arena;   /* the caller's */
    struct arena *scratch; /* emptied with each row */
    struct rows_scan scan;
    uint64_t bucket_id;
    struct upload_page *page;
};

/* The common prefix of a key below the query's prefix; .data is NULL when it has none. */
static struct str common_prefix(const struct upload_query *q, struct str key)
{
    if (q->delimiter.len == 0 || key.len < q->prefix.len) return STR_NONE;
    const struct str rest = str_from(key, q->prefix.len);
    const size_t at = str_find(rest, q->delimiter);
    if (at == rest.len) return STR_NONE;
    return str_slice(key, 0, q->prefix.len + at + q->delimiter.len);
}

/* Go on behind all rows of keys that begin with prefix. False: there is nothing behind. */
static bool key_behind(uint64_t bucket_id, struct str prefix, uint8_t *out, struct str *ret)
{
    size_t len;
    const struct str all = upload_row_prefix(bucket_id, prefix, out);

    if (!key_after_prefix(all, (char *)out, &len)) return false;
    *ret = str_of(out, len);
    return true;
}

/* Where the page begins. out has UPLOAD_KEY_BYTES. False: behind the end. */
static struct err first_row(const struct listing *l, uint8_t *out, struct str *ret, bool *ret_is_end)
{
    const struct upload_query *q = l->query;
    struct uid id = { { 0 } };

    *ret_is_end = false;
    if (q->key_marker.len == 0 || str_cmp(q->key_marker, q->prefix) < 0) {
        *ret = upload_row_prefix(l->bucket_id, q->prefix, out);
        return OK;
    }
    if (q->key_marker.len > LIMIT_KEY) return FAIL(ERR_INVALID_ARGUMENT, "The key marker is too long");

    const struct str prefix = str_starts(q->key_marker, q->prefix) ? common_prefix(q, q->key_marker)
                                                                   : STR_NONE;
    if (prefix.data && str_eq(prefix, q->key_marker)) {
        *ret_is_end = !key_behind(l->bucket_id, prefix, out, ret);
        return OK;
    }
    if (q->upload_id_marker.len == 0) memset(id.bytes, 0xff, sizeof(id.bytes));
    else if (!upload_id_parse(q->upload_id_marker, &id))
        return FAIL(ERR_INVALID_ARGUMENT, "Invalid uploadId marker");
    const size_t len = upload_row_key(l->bucket_id, q->key_marker, id, out).len;

    /* The place just behind: for the whole key its rows end before 00 ff, which is how a longer key with a NUL there would begin. */
    if (q->upload_id_marker.len == 0) {
        *ret = str_of(out, len - sizeof(id.bytes) + 1);
        return OK;
    }
    out[len] = 0;
    *ret = str_of(out, len + 1);
    return OK;
}

/* One entry from one row. Of the meta only the storage class is told: a thousand uploads with all their headers would not fit a request. */
static struct err tell(struct listing *l, struct str key, struct uid id, struct str value,
                       struct upload_entry *ret)
{
    struct upload_row row;
    struct object_info said;

    TRY(upload_row_decode(value, &row));
    TRY(object_decode(row.meta, l->scratch, &said));
    *ret = (struct upload_entry){
        .key = arena_str(l->arena, key),
        .info = {
            .id = id,
            .created_ms = row.created_ms,
            .owner = arena_str(l->arena, row.owner),
            .checksum = row.checksum,
            .checksum_type = row.checksum_type,
            .is_completing = upload_is_marked_now(&row),
        },
    };
    ret->info.key = ret->key;
    if (!ret->key.data || !ret->info.owner.data)
        return FAIL(ERR_NO_MEMORY, "no memory for a list of uploads");
    const struct str class = said.meta.headers[OBJECT_STORAGE_CLASS];
    if (!class.data) return OK;
    ret->info.meta.headers[OBJECT_STORAGE_CLASS] = arena_str(l->arena, class);
    return ret->info.meta.headers[OBJECT_STORAGE_CLASS].data
        ? OK
        : FAIL(ERR_NO_MEMORY, "no memory for a list of uploads");
}

static struct err tell_prefix(struct listing *l, struct str prefix, struct upload_entry *ret)
{
    uint8_t bytes[UPLOAD_KEY_BYTES];
    struct str behind;

    *ret = (struct upload_entry){ .is_prefix = true, .key = arena_str(l->arena, prefix) };
    if (!ret->key.data) return FAIL(ERR_NO_MEMORY, "no memory for a list of uploads");
    if (!key_behind(l->bucket_id, prefix, bytes, &behind)) return OK; /* not with a bucket id in front */
    rows_scan_seek(&l->scan, behind);
    return OK;
}

static struct err next_markers(struct listing *l)
{
    const struct upload_entry *last = &l->page->entries[l->page->count - 1];
    char id[UPLOAD_ID_SIZE] = "";

    if (!last->is_prefix) upload_id_print(last->info.id, id);
    l->page->is_truncated = true;
    l->page->next_key_marker = last->key;
    l->page->next_upload_id_marker = arena_str(l->arena, str_from_z(id));
    return l->page->next_upload_id_marker.data ? OK : FAIL(ERR_NO_MEMORY, "no memory for a list of uploads");
}

static struct err read_page(struct listing *l, uint32_t max, struct str rows_prefix)
{
    struct str row_key, value;

    while (rows_scan_next(&l->scan, &row_key, &value) && str_starts(row_key, rows_prefix)) {
        struct upload_entry *entry = &l->page->entries[l->page->count];
        struct str key;
        struct uid id;

        if (l->page->count == max) return next_markers(l);
        arena_reset(l->scratch);
        TRY(upload_row_key_parse(row_key, l->scratch, &key, &id));
        const struct str prefix = common_prefix(l->query, key);
        if (prefix.data) TRY(tell_prefix(l, prefix, entry));
        else TRY(tell(l, key, id, value, entry));
        l->page->count++;
    }
    return l->scan.err;
}

struct err upload_list(struct store *s, const struct upload_query *q, struct arena *arena,
                       struct upload_page *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    CLEANUP(arena_freep) struct arena *scratch = arena_new(SCRATCH_BYTES);
    struct upload_page page = { 0 };
    struct listing l = { .query = q, .arena = arena, .scratch = scratch, .page = &page };
    const uint32_t max = q->max > LIMIT_PAGE ? (uint32_t)LIMIT_PAGE : q->max;
    uint8_t from_bytes[UPLOAD_KEY_BYTES + 1], prefix_bytes[UPLOAD_KEY_BYTES];
    struct str from;
    bool is_end;

    TRY(view_open(s->meta, &view));
    TRY(bucket_id_get(view, q->bucket, &l.bucket_id));
    page.entries = arena_array(arena, struct upload_entry, max ? max : 1);
    if (!scratch || !page.entries) return FAIL(ERR_NO_MEMORY, "no memory for a list of uploads");
    if (q->prefix.len <= LIMIT_KEY && max) {
        TRY(first_row(&l, from_bytes, &from, &is_end));
        if (!is_end) {
            rows_scan_begin(&l.scan, view, SPACE_UPLOADS, from, false);
            const struct err e = read_page(&l, max, upload_row_prefix(l.bucket_id, q->prefix, prefix_bytes));
            rows_scan_done(&l.scan);
            TRY(e);
        }
    }
    *ret = page;
    return OK;
}
