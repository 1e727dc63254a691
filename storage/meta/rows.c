/*
 * rows.c - reading rows: the door of meta.h, and the merging reader behind it.
 *
 * A scan keeps one head for each source: the row it would give next. A step takes the nearest head; of equal
 * keys the freshest source's is the row, the others are hidden by it. All heads with that key are then
 * "taken": they are moved on at the next step only, so that the strings handed out stay valid until then. A
 * tombstone is taken like a row and not shown.
 *
 * Only the overlay may change under a scan. Its cursor is then stale; memtable_changes tells, and the cursor
 * is set anew behind the last row that was given. The other heads stay, they are behind it anyway.
 */
#include "storage/meta/rows.h"

#include <stdlib.h>
#include <string.h>

enum { OVERLAY, ACTIVE, FROZEN, TREES, BOTTOM = TREES, SOURCES };

struct head {
    bool has;      /* there is a row */
    bool is_taken; /* and it was given, or hidden: move on first */
    bool is_deleted;
    struct str key, value;
};

struct merge {
    struct rows_scan_state state;
    const struct rows_sources *from;
    uint8_t space;
    bool is_backward;
    bool is_behind;           /* bound was given: go on behind it, not at it */
    uint64_t overlay_changes; /* when its cursor was set */
    struct head heads[SOURCES];
    struct memtable_cursor cursors[TREES];
    struct lmdb_cursor *lmdb; /* the bottom source: one of these two, or none */
    struct rows_scan remote;
    size_t bound_len;
    char bound[LIMIT_ROW_KEY
               + 1]; /* one more than a key has: then cutting a longer `from` changes no comparison */
};

static struct memtable_tree tree_of(const struct rows_sources *from, int source)
{
    if (source == ACTIVE) return from->active;
    if (source == FROZEN) return from->frozen;
    return from->overlay ? memtable_working(from->overlay) : (struct memtable_tree){ NULL };
}

/* ---- one row ---- */

static struct err merged_get(struct rows *r, enum space space, struct str key, struct str *ret)
{
    const struct rows_sources *from = &((struct rows_merged *)r)->from;
    struct memtable_row row;

    for (int i = 0; i < TREES; i++) {
        if (!memtable_find(tree_of(from, i), (uint8_t)space, key, &row)) continue;
        if (row.is_deleted) return FAIL(ERR_NOT_FOUND, "there is no such row");
        *ret = row.value;
        return OK;
    }
    if (from->remote) return from->remote->ops->get(from->remote, space, key, ret);
    if (!from->lmdb) return FAIL(ERR_NOT_FOUND, "there is no such row");
    return lmdb_get(from->lmdb, (uint8_t)space, key, ret);
}

/* ---- the heads of a scan ---- */

static void head_of_tree(struct merge *m, int source)
{
    struct head *h = &m->heads[source];
    struct memtable_row row;

    *h = (struct head){ 0 };
    if (!memtable_at(&m->cursors[source], &row) || row.space != m->space) return;
    *h = (struct head){ .has = true, .is_deleted = row.is_deleted, .key = row.key, .value = row.value };
}

static void tree_seek(struct merge *m, int source, struct str from)
{
    const struct memtable_tree tree = tree_of(m->from, source);
    struct memtable_cursor *c = &m->cursors[source];

    if (m->is_backward && !from.len) memtable_seek(c, tree, (uint8_t)(m->space + 1), STR_NONE, true);
    else memtable_seek(c, tree, m->space, from, m->is_backward);
    head_of_tree(m, source);
}

static void tree_step(struct merge *m, int source)
{
    if (m->is_backward) memtable_prev(&m->cursors[source]);
    else memtable_next(&m->cursors[source]);
    head_of_tree(m, source);
}

static struct err bottom_step(struct merge *m)
{
    struct head *h = &m->heads[BOTTOM];

    h->is_taken = false;
    if (!m->lmdb) {
        h->has = rows_scan_next(&m->remote, &h->key, &h->value);
        return m->remote.err;
    }
    const struct err e = lmdb_next(m->lmdb, &h->key, &h->value);
    h->has = !e.code;
    return e.code == ERR_NOT_FOUND ? OK : e;
}

static void bound_set(struct merge *m, struct str key, bool is_behind)
{
    m->is_behind = is_behind;
    m->bound_len = key.len < sizeof(m->bound) ? key.len : sizeof(m->bound);
    if (m->bound_len) memcpy(m->bound, key.data, m->bound_len);
}

/* Set the overlay's cursor anew if the overlay has changed. */
static void overlay_follow(struct merge *m)
{
    const struct str bound = str_of(m->bound, m->bound_len);

    if (!m->from->overlay || memtable_changes(m->from->overlay) == m->overlay_changes) return;
    m->overlay_changes = memtable_changes(m->from->overlay);
    tree_seek(m, OVERLAY, bound);
    const struct head *h = &m->heads[OVERLAY];
    if (m->is_behind && h->has && str_eq(h->key, bound)) tree_step(m, OVERLAY);
}

/* The first seek begins the scan: so nothing is fetched that is not asked for. */
static void remote_seek(struct merge *m, struct str from)
{
    if (m->remote.state) rows_scan_seek(&m->remote, from);
    else rows_scan_begin(&m->remote, m->from->remote, m->space, from, m->is_backward);
}

static struct err merge_seek(struct merge *m, struct str from)
{
    bound_set(m, from, false);
    if (m->from->overlay) m->overlay_changes = memtable_changes(m->from->overlay);
    for (int i = 0; i < TREES; i++) tree_seek(m, i, from);
    m->heads[BOTTOM] = (struct head){ 0 };
    if (m->lmdb) TRY(lmdb_seek(m->lmdb, m->space, from, m->is_backward));
    else if (m->from->remote) remote_seek(m, from);
    else return OK;
    return bottom_step(m);
}

static struct err move_on(struct merge *m)
{
    for (int i = 0; i < TREES; i++)
        if (m->heads[i].is_taken) tree_step(m, i);
    return m->heads[BOTTOM].is_taken ? bottom_step(m) : OK;
}

/* The nearest head, the freshest of equal ones; it and its equals are taken. NULL: there are no more. */
static const struct head *take_nearest(struct merge *m)
{
    struct head *nearest = NULL;

    for (int i = 0; i < SOURCES; i++) {
        struct head *h = &m->heads[i];
        if (!h->has) continue;
        const int order = nearest ? str_cmp(h->key, nearest->key) : 0;
        if (nearest && order == 0) h->is_taken = true; /* undone below if a nearer one comes */
        if (!nearest || (m->is_backward ? order > 0 : order < 0)) {
            for (int before = 0; before < i; before++) m->heads[before].is_taken = false;
            h->is_taken = true;
            nearest = h;
        }
    }
    return nearest;
}

/* ---- a scan ---- */

static void merged_scan_done(struct rows_scan *s)
{
    struct merge *m = s->state;
    lmdb_cursor_close(m->lmdb);
    rows_scan_done(&m->remote);
    free(m);
}

static void merged_scan_begin(struct rows_scan *s, struct rows *r, enum space space, struct str from,
                              bool is_backward)
{
    struct merge *m = malloc(sizeof(*m));
    if (!m) {
        s->err = FAIL(ERR_NO_MEMORY, "no memory for a scan");
        return;
    }
    m->state.ops = r->ops;
    m->from = &((struct rows_merged *)r)->from;
    m->space = (uint8_t)space;
    m->is_backward = is_backward;
    m->lmdb = NULL;
    m->remote = (struct rows_scan){ .err = OK };
    s->state = m;
    if (m->from->lmdb) s->err = lmdb_cursor_open(m->from->lmdb, &m->lmdb);
    if (!s->err.code) s->err = merge_seek(m, from);
    if (s->err.code) {
        merged_scan_done(s);
        s->state = NULL;
    }
}

static bool merged_scan_next(struct rows_scan *s, struct str *ret_key, struct str *ret_value)
{
    struct merge *m = s->state;
    const struct head *h;

    overlay_follow(m);
    do {
        s->err = move_on(m);
        if (s->err.code) return false;
        h = take_nearest(m);
        if (!h) return false;
    } while (h->is_deleted);
    if (m->from->overlay) bound_set(m, h->key, true);
    *ret_key = h->key;
    *ret_value = h->value;
    return true;
}

static void merged_scan_seek(struct rows_scan *s, struct str from)
{
    s->err = merge_seek(s->state, from);
}

void rows_merged_init(struct rows_merged *m, const struct rows_sources *from)
{
    static const struct rows_ops ops = {
        .get = merged_get,
        .scan_begin = merged_scan_begin,
        .scan_next = merged_scan_next,
        .scan_seek = merged_scan_seek,
        .scan_done = merged_scan_done,
    };
    m->rows = (struct rows){ .ops = &ops };
    m->from = *from;
}

/* ---- the door ---- */

struct err rows_get(struct rows *r, enum space space, struct str key, struct str *ret)
{
    if (!key.len || key.len > LIMIT_ROW_KEY) return FAIL(ERR_NOT_FOUND, "there is no such row");
    return r->ops->get(r, space, key, ret);
}

bool rows_have(struct rows *r, enum space space, struct str key, struct err *ret_err)
{
    struct str value;
    const struct err e = rows_get(r, space, key, &value);
    *ret_err = e.code == ERR_NOT_FOUND ? OK : e;
    return !e.code;
}

void rows_scan_begin(struct rows_scan *s, struct rows *r, enum space space, struct str from, bool is_backward)
{
    *s = (struct rows_scan){ .err = OK };
    r->ops->scan_begin(s, r, space, from, is_backward);
}

static const struct rows_ops *ops_of(const struct rows_scan *s)
{
    return ((const struct rows_scan_state *)s->state)->ops;
}

bool rows_scan_next(struct rows_scan *s, struct str *ret_key, struct str *ret_value)
{
    if (!s->state || s->err.code) return false;
    return ops_of(s)->scan_next(s, ret_key, ret_value);
}

void rows_scan_seek(struct rows_scan *s, struct str from)
{
    if (!s->state || s->err.code) return;
    ops_of(s)->scan_seek(s, from);
}

void rows_scan_done(struct rows_scan *s)
{
    if (s->state) ops_of(s)->scan_done(s);
    s->state = NULL;
}

bool key_after_prefix(struct str prefix, char *out, size_t *ret_len)
{
    size_t len = prefix.len;

    while (len && (uint8_t)prefix.data[len - 1] == 0xff) len--;
    if (!len) return false;
    memmove(out, prefix.data, len);
    out[len - 1] = (char)((uint8_t)out[len - 1] + 1);
    *ret_len = len;
    return true;
}
