/*
 * object_list.c - a page of a listing.
 *
 * One ordered scan over the bucket's rows. A key in which the delimiter follows the prefix stands for its
 * common prefix: that becomes one entry, and the scan seeks behind all keys that begin with it. So every row
 * that is visited gives an entry of the page, and a page visits at most one row more than it has entries
 * (that one says "truncated"), plus the one it begins at: a listing of the top of a bucket with 10^8 keys in
 * ten folders reads eleven rows. LIMIT_SCAN_ROWS, which bounds the life of a view, is held without counting.
 *
 * `after` is where the page before ended. When it is a common prefix of this same query, all below it was
 * told already; any other `after` is a key, and a common prefix is told again if keys below it come behind
 * that key.
 */
#include "storage/object/object_list.h"

#include <string.h>

#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "storage/object/bucket.h"

_Static_assert(LIMIT_PAGE + 2 <= LIMIT_SCAN_ROWS, "one view is enough for a page");

#define ENTRIES_FIRST 64 /* most listings are short; the array doubles up to max */

struct lister {
    const struct list_query *query;
    struct arena *arena;
    uint64_t bucket_id;
    struct rows_scan scan;
    struct list_page page;
    size_t room; /* of page.entries */
};

/* The common prefix that key stands for, as a view of key; empty when it stands for itself. key begins with
 * the query's prefix. */
static struct str common_prefix(const struct list_query *q, struct str key)
{
    if (q->delimiter.len == 0) return STR_NONE;
    const struct str rest = str_from(key, q->prefix.len);
    const size_t at = str_find(rest, q->delimiter);
    return at < rest.len ? str_slice(key, 0, q->prefix.len + at + q->delimiter.len) : STR_NONE;
}

/* The first row key behind name, or (is_prefix) behind everything that begins with it. out has
 * OBJECT_ROW_KEY_SIZE + 1 bytes. */
static struct str behind(uint64_t bucket_id, struct str name, bool is_prefix, char *out)
{
    uint8_t bytes[OBJECT_ROW_KEY_SIZE];
    const struct str key = object_row_key(bucket_id, str_slice(name, 0, LIMIT_KEY), bytes);
    size_t len;

    /* There always is a key behind a prefix: the bucket's id is not all 0xff. */
    if (is_prefix && key_after_prefix(key, out, &len)) return str_of(out, len);
    memcpy(out, key.data, key.len);
    out[key.len] = '\0';
    return str_of(out, key.len + 1);
}

/* Where the page begins. */
static struct str start(const struct lister *l, char *out)
{
    const struct list_query *q = l->query;

    if (q->after.len == 0 || str_cmp(q->after, q->prefix) < 0)
        return object_row_key(l->bucket_id, q->prefix, (uint8_t *)out);
    const bool is_prefix = str_starts(q->after, q->prefix) && common_prefix(q, q->after).len == q->after.len;
    return behind(l->bucket_id, q->after, is_prefix, out);
}

/* A zeroed entry at the end of the page; NULL: no memory. */
static struct list_entry *new_entry(struct lister *l)
{
    if (l->page.count == l->room) {
        const size_t room = l->room ? 2 * l->room : ENTRIES_FIRST;
        struct list_entry *entries = arena_array(l->arena, struct list_entry, room);
        if (!entries) return NULL;
        if (l->page.count) memcpy(entries, l->page.entries, l->page.count * sizeof(*entries));
        l->page.entries = entries;
        l->room = room;
    }
    return &l->page.entries[l->page.count++];
}

static struct err add_key(struct lister *l, struct str key, struct str row)
{
    struct object_info info;

    TRY(object_decode(row, NULL, &info));
    struct list_entry *entry = new_entry(l);
    if (!entry) return FAIL(ERR_NO_MEMORY, "no memory for a listing");
    const struct str class = info.meta.headers[OBJECT_STORAGE_CLASS];

    entry->name = arena_str(l->arena, key);
    entry->size = info.size;
    entry->mtime_ms = info.mtime_ms;
    object_etag(&info, entry->etag);
    entry->checksum = info.checksum.kind;
    entry->checksum_type = info.checksum.type;
    if (class.data) entry->storage_class = arena_str(l->arena, class);
    return entry->name.data && (!class.data || entry->storage_class.data)
        ? OK
        : FAIL(ERR_NO_MEMORY, "no memory for a listing");
}

/* Also goes on behind all that it stands for. */
static struct err add_prefix(struct lister *l, struct str prefix)
{
    char seek[OBJECT_ROW_KEY_SIZE + 1];
    struct list_entry *entry = new_entry(l);

    if (entry) entry->name = arena_str(l->arena, prefix);
    if (!entry || !entry->name.data) return FAIL(ERR_NO_MEMORY, "no memory for a listing");
    entry->is_prefix = true;
    rows_scan_seek(&l->scan, behind(l->bucket_id, entry->name, true, seek));
    return OK;
}

static struct err fill(struct lister *l, uint32_t max)
{
    uint8_t own[OBJECT_ROW_KEY_SIZE];
    const struct str within = object_row_key(l->bucket_id, l->query->prefix, own);
    struct str row_key, row;

    while (rows_scan_next(&l->scan, &row_key, &row)) {
        if (!str_starts(row_key, within)) return OK;
        if (l->page.count == max) {
            l->page.is_truncated = true;
            l->page.next = l->page.entries[max - 1].name;
            return OK;
        }
        const struct str key = str_from(row_key, 8);
        const struct str prefix = common_prefix(l->query, key);
        TRY(prefix.len ? add_prefix(l, prefix) : add_key(l, key, row));
    }
    return l->scan.err;
}

struct err object_list(struct store *s, const struct list_query *q, struct arena *arena,
                       struct list_page *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct lister l = { .query = q, .arena = arena };
    char from[OBJECT_ROW_KEY_SIZE + 1];

    TRY(view_open(s->meta, &view));
    TRY(bucket_id_get(view, q->bucket, &l.bucket_id));
    const uint32_t max = q->max < LIMIT_PAGE ? q->max : LIMIT_PAGE;

    /* No key is that long, and S3 says that a page of nothing is not truncated. */
    if (max > 0 && q->prefix.len <= LIMIT_KEY) {
        rows_scan_begin(&l.scan, view, SPACE_OBJECTS, start(&l, from), false);
        const struct err e = fill(&l, max);
        rows_scan_done(&l.scan);
        TRY(e);
    }
    *ret = l.page;
    return OK;
}
