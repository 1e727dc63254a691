/*
 * lmdb_rows.c - keys of any length, in byte order, over a store that takes 511 bytes.
 *
 * All is in one table of entries, whose keys ("physical keys") have at most 510 bytes:
 *
 *     0x00 name                     a position
 *     space tail                    a row, space 0x01..0xfe
 *     0xff child-id(be64) tail      a row, or a part of the way to it, in a child key space
 *
 * and a tail, of a key or of what is left of it, is
 *
 *     1..499 bytes         the row whose key ends with them
 *     500 bytes 0x00       the row whose key ends with these 500
 *     500 bytes 0x01       a link; its value is the id of the child key space of all keys that go on behind these
 *
 * So keys that share their first 500 bytes are sorted by the rest, in the child, behind the one that ends
 * there and before all that are larger: exact byte order (R1). A key of 2,048 bytes is four children deep. A
 * child is made with its first row and removed with its last; ids are counted up in a position and not used
 * again. Why not a digest of the end of a long key: it has no order.
 *
 * A value is CRC32C (le32) over space, key length (le16), whole key and value; then the value. A link's and a
 * position's are made the same way, under the spaces 0xff (key: the physical key) and 0x00.
 */
#include "storage/meta/lmdb_rows.h"

#include <stdlib.h>
#include <string.h>

#include "storage/base/digest.h"
#include "storage/base/encode.h"
#include "storage/base/metrics.h"
#include "storage/meta/lmdb_pages.h"

#define TAIL_MAX 500
#define PHYSICAL_MAX (9 + TAIL_MAX + 1)
#define CHILDREN_MAX ((LIMIT_ROW_KEY - 1) / TAIL_MAX) /* how deep a key goes */
#define CRC_BYTES 4
#define SPACE_CHILDREN 0xff
#define MARK_ROW 0
#define MARK_LINK 1
#define POSITION_NEXT_CHILD STR("next child")

_Static_assert(PHYSICAL_MAX <= LMDB_ENTRY_KEY_MAX, "LMDB takes physical keys");

/* Where a physical key lies: in a space, or in one of its children. */
struct way {
    int depth; /* children entered */
    uint8_t space;
    uint64_t child[CHILDREN_MAX];
};

struct physical {
    size_t prefix_len, len;
    uint8_t bytes[PHYSICAL_MAX];
};

struct lmdb_cursor {
    struct lmdb_txn *t;
    struct lmdb_walk *walk;
    bool is_backward;
    bool is_set; /* it stands on an entry that lmdb_next has not looked at */
    bool is_done;
    bool has_entry;
    struct str entry, stored; /* where it stands: physical key, and what is stored there */
    struct way way;
    char key[LIMIT_ROW_KEY]; /* of a row in a child; the bytes that led to the child are kept up */
};

static struct err corrupt(const char *what, uint8_t space, struct str key)
{
    char hex[2 * 200 + 1];
    const size_t len = key.len < 200 ? key.len : 200;

    METRIC_ADD(rows_damaged, 1);
    hex_z(key.data, len, hex);
    return err_fail(ERR_CORRUPT, "LMDB: %s: space %u, key 0x%s%s", what, space, hex,
                    len < key.len ? "..." : "");
}

/* ---- physical keys and values ---- */

static void physical_prefix(struct physical *p, const struct way *way, int depth)
{
    p->bytes[0] = depth ? SPACE_CHILDREN : way->space;
    if (depth) put_be64(p->bytes + 1, way->child[depth - 1]);
    p->len = p->prefix_len = depth ? 9 : 1;
}

/* The smallest physical key behind all of the space or child. */
static void physical_behind(struct physical *p, const struct way *way, int depth)
{
    physical_prefix(p, way, depth);
    if (depth) put_be64(p->bytes + 1, way->child[depth - 1] + 1);
    else p->bytes[0]++;
}

static void physical_row(struct physical *p, const struct way *way, struct str tail)
{
    physical_prefix(p, way, way->depth);
    if (tail.len) memcpy(p->bytes + p->prefix_len, tail.data, tail.len);
    p->len += tail.len;
    if (tail.len == TAIL_MAX) p->bytes[p->len++] = MARK_ROW;
}

static void physical_link(struct physical *p, const struct way *way, int depth, const char *tail)
{
    physical_prefix(p, way, depth);
    memcpy(p->bytes + p->prefix_len, tail, TAIL_MAX);
    p->bytes[p->prefix_len + TAIL_MAX] = MARK_LINK;
    p->len += TAIL_MAX + 1;
}

static struct str physical_str(const struct physical *p)
{
    return str_of(p->bytes, p->len);
}

static uint32_t value_crc(uint8_t space, struct str key, struct str value)
{
    const uint8_t head[3] = { space, (uint8_t)key.len, (uint8_t)(key.len >> 8) };
    return crc32c(crc32c(crc32c(0, head, sizeof(head)), key.data, key.len), value.data, value.len);
}

static struct err value_open(uint8_t space, struct str key, struct str stored, struct str *ret)
{
    if (stored.len < CRC_BYTES) return corrupt("a value is cut short", space, key);
    const struct str value = str_from(stored, CRC_BYTES);
    if (get_le32(stored.data) != value_crc(space, key, value))
        return corrupt("a value does not match its checksum", space, key);
    *ret = value;
    return OK;
}

static struct err entry_get(struct lmdb_txn *t, struct str physical, uint8_t space, struct str key,
                            struct str *ret)
{
    struct str stored;
    TRY(lmdb_entry_get(t, physical, &stored));
    return value_open(space, key, stored, ret);
}

static struct err entry_put(struct lmdb_txn *t, struct str physical, uint8_t space, struct str key,
                            struct str value)
{
    void *stored;
    TRY(lmdb_entry_put(t, physical, CRC_BYTES + value.len, &stored));
    put_le32(stored, value_crc(space, key, value));
    if (value.len) memcpy((char *)stored + CRC_BYTES, value.data, value.len);
    return OK;
}

/* ---- the way through child key spaces ---- */

static struct err link_open(struct str physical, struct str stored, uint64_t *ret_child)
{
    struct str id = STR_NONE;
    TRY(value_open(SPACE_CHILDREN, physical, stored, &id));
    if (id.len != 8) return corrupt("a link has no child id", SPACE_CHILDREN, physical);
    *ret_child = get_be64(id.data);
    return OK;
}

static struct err link_get(struct lmdb_txn *t, struct str physical, uint64_t *ret_child)
{
    struct str stored;
    TRY(lmdb_entry_get(t, physical, &stored));
    return link_open(physical, stored, ret_child);
}

static struct err link_make(struct lmdb_txn *t, struct str physical, uint64_t *ret_child)
{
    struct str next;
    uint64_t child = 0;
    char id[8];

    const struct err e = lmdb_get_position(t, POSITION_NEXT_CHILD, &next);
    if (e.code != ERR_NOT_FOUND) TRY(e);
    if (!e.code) {
        if (next.len != 8) return corrupt("a counter", LMDB_SPACE_POSITIONS, POSITION_NEXT_CHILD);
        child = get_be64(next.data);
    }
    put_be64(id, child + 1);
    TRY(lmdb_put_position(t, POSITION_NEXT_CHILD, str_of(id, 8)));
    put_be64(id, child);
    TRY(entry_put(t, physical, SPACE_CHILDREN, physical, str_of(id, 8)));
    *ret_child = child;
    return OK;
}

/* Go as deep as key goes; *ret_tail is what is left of it. ERR_NOT_FOUND: a link is missing, and may not be
 * made. */
static struct err descend(struct lmdb_txn *t, struct way *way, struct str key, bool is_making,
                          struct str *ret_tail)
{
    while (key.len > TAIL_MAX) {
        struct physical p;
        uint64_t child = 0;
        physical_link(&p, way, way->depth, key.data);
        struct err e = link_get(t, physical_str(&p), &child);
        if (e.code == ERR_NOT_FOUND && is_making) e = link_make(t, physical_str(&p), &child);
        TRY(e);
        way->child[way->depth++] = child;
        key = str_from(key, TAIL_MAX);
    }
    *ret_tail = key;
    return OK;
}

static bool is_inside(struct str entry, const struct physical *prefix)
{
    return entry.len > prefix->prefix_len && !memcmp(entry.data, prefix->bytes, prefix->prefix_len);
}

static struct err child_is_empty(struct lmdb_txn *t, const struct physical *prefix, bool *ret)
{
    struct lmdb_walk *walk;
    struct str entry = physical_str(prefix), stored;

    TRY(lmdb_walk_open(t, &walk));
    const struct err e = lmdb_walk_move(walk, LMDB_TO_OR_BEHIND, &entry, &stored);
    lmdb_walk_close(walk);
    if (e.code != ERR_NOT_FOUND) TRY(e);
    *ret = e.code == ERR_NOT_FOUND || !is_inside(entry, prefix);
    return OK;
}

/* After a row of key was deleted: remove the children that hold nothing any more, and their links. */
static struct err prune(struct lmdb_txn *t, struct way *way, struct str key)
{
    for (; way->depth > 0; way->depth--) {
        struct physical p;
        bool is_empty;
        physical_prefix(&p, way, way->depth);
        TRY(child_is_empty(t, &p, &is_empty));
        if (!is_empty) break;
        physical_link(&p, way, way->depth - 1, key.data + (size_t)(way->depth - 1) * TAIL_MAX);
        TRY(lmdb_entry_del(t, physical_str(&p)));
    }
    return OK;
}

/* ---- rows and positions ---- */

static bool is_key_valid(uint8_t space, struct str key)
{
    return space >= LMDB_SPACE_MIN && space <= LMDB_SPACE_MAX && key.len > 0 && key.len <= LIMIT_ROW_KEY;
}

struct err lmdb_get(struct lmdb_txn *t, uint8_t space, struct str key, struct str *ret)
{
    struct way way = { .space = space };
    struct physical p;
    struct str tail;

    if (!is_key_valid(space, key)) return FAIL(ERR_NOT_FOUND, "there is no such row");
    TRY(descend(t, &way, key, false, &tail));
    physical_row(&p, &way, tail);
    return entry_get(t, physical_str(&p), space, key, ret);
}

static struct err row_put(struct lmdb_txn *t, uint8_t space, struct str key, struct str value)
{
    struct way way = { .space = space };
    struct physical p;
    struct str tail;

    TRY(descend(t, &way, key, true, &tail));
    physical_row(&p, &way, tail);
    return entry_put(t, physical_str(&p), space, key, value);
}

static struct err row_del(struct lmdb_txn *t, uint8_t space, struct str key)
{
    struct way way = { .space = space };
    struct physical p;
    struct str tail;

    TRY(descend(t, &way, key, false, &tail));
    physical_row(&p, &way, tail);
    TRY(lmdb_entry_del(t, physical_str(&p)));
    return prune(t, &way, key);
}

struct err lmdb_put(struct lmdb_txn *t, uint8_t space, struct str key, struct str value)
{
    if (!is_key_valid(space, key) || value.len > LIMIT_ROW_VALUE)
        return lmdb_noted(t, FAIL(ERR_INVALID, "a row's key or value has an impossible length"));
    return lmdb_noted(t, row_put(t, space, key, value));
}

struct err lmdb_del(struct lmdb_txn *t, uint8_t space, struct str key)
{
    if (!is_key_valid(space, key))
        return lmdb_noted(t, FAIL(ERR_INVALID, "a row's key has an impossible length"));
    const struct err e = row_del(t, space, key);
    return e.code == ERR_NOT_FOUND ? OK : lmdb_noted(t, e);
}

static struct err position_name(struct physical *p, struct str name)
{
    if (!name.len || name.len > LMDB_POSITION_NAME_MAX)
        return FAIL(ERR_INVALID, "a position's name is too long");
    physical_row(p, &(struct way){ .space = LMDB_SPACE_POSITIONS }, name);
    return OK;
}

struct err lmdb_get_position(struct lmdb_txn *t, struct str name, struct str *ret)
{
    struct physical p;
    TRY(position_name(&p, name));
    return entry_get(t, physical_str(&p), LMDB_SPACE_POSITIONS, name, ret);
}

struct err lmdb_put_position(struct lmdb_txn *t, struct str name, struct str value)
{
    struct physical p;
    const struct err e = position_name(&p, name);
    return lmdb_noted(t, e.code ? e : entry_put(t, physical_str(&p), LMDB_SPACE_POSITIONS, name, value));
}

struct err lmdb_del_position(struct lmdb_txn *t, struct str name)
{
    struct physical p;
    struct err e = position_name(&p, name);
    if (!e.code) e = lmdb_entry_del(t, physical_str(&p));
    return e.code == ERR_NOT_FOUND ? OK : lmdb_noted(t, e);
}

/* ---- cursors ---- */

struct err lmdb_cursor_open(struct lmdb_txn *t, struct lmdb_cursor **ret)
{
    struct lmdb_cursor *c = malloc(sizeof(*c));
    if (!c) return FAIL(ERR_NO_MEMORY, "no memory for a cursor");
    const struct err e = lmdb_walk_open(t, &c->walk);
    if (e.code) {
        free(c);
        return e;
    }
    c->t = t;
    c->is_done = true;
    *ret = c;
    return OK;
}

struct lmdb_cursor *lmdb_cursor_close(struct lmdb_cursor *c)
{
    if (c) lmdb_walk_close(c->walk);
    free(c);
    return NULL;
}

/* One step of the walk; finding nothing is has_entry = false. */
static struct err move(struct lmdb_cursor *c, enum lmdb_move how)
{
    const struct err e = lmdb_walk_move(c->walk, how, &c->entry, &c->stored);
    c->has_entry = !e.code;
    return e.code == ERR_NOT_FOUND ? OK : e;
}

/* Stand on the first entry at or behind p; backward: on the last before it. */
static struct err move_to(struct lmdb_cursor *c, const struct physical *p)
{
    c->entry = physical_str(p);
    TRY(move(c, LMDB_TO_OR_BEHIND));
    if (!c->is_backward) return OK;
    return move(c, c->has_entry ? LMDB_TO_PREVIOUS : LMDB_TO_LAST);
}

static struct err step(struct lmdb_cursor *c)
{
    return move(c, c->is_backward ? LMDB_TO_PREVIOUS : LMDB_TO_NEXT);
}

/* From a link into its child: to the first entry there, backward to the last. */
static struct err enter(struct lmdb_cursor *c, const char *tail, uint64_t child)
{
    struct physical p;
    struct way *way = &c->way;

    if (way->depth == CHILDREN_MAX)
        return corrupt("a key goes on without end", way->space, str_of(c->key, TAIL_MAX));
    memcpy(c->key + way->depth * TAIL_MAX, tail, TAIL_MAX);
    way->child[way->depth++] = child;
    if (c->is_backward) physical_behind(&p, way, way->depth);
    else physical_prefix(&p, way, way->depth);
    return move_to(c, &p);
}

/* The child has no more: to the entry beside the link that led to it. */
static struct err leave(struct lmdb_cursor *c)
{
    struct physical p;
    const int depth = --c->way.depth;

    physical_link(&p, &c->way, depth, c->key + depth * TAIL_MAX);
    c->entry = physical_str(&p);
    TRY(move(c, LMDB_TO));
    if (!c->has_entry)
        return corrupt("a link has gone", c->way.space, str_of(c->key, (depth + 1) * TAIL_MAX));
    return step(c);
}

/* From the entry where the cursor stands, or behind which its child ended, to one that is a row: *ret_tail is
 * the end of its key. ERR_NOT_FOUND at the end of the space. */
static struct err settle(struct lmdb_cursor *c, struct str *ret_tail)
{
    for (;;) {
        struct physical p;
        physical_prefix(&p, &c->way, c->way.depth);
        if (!c->has_entry || !is_inside(c->entry, &p)) {
            if (!c->way.depth) return FAIL(ERR_NOT_FOUND, "there are no more rows");
            TRY(leave(c));
            continue;
        }
        const struct str tail = str_from(c->entry, p.prefix_len);
        *ret_tail = str_slice(tail, 0, TAIL_MAX);
        if (tail.len < TAIL_MAX) return OK;
        if (tail.len == TAIL_MAX + 1 && tail.data[TAIL_MAX] == MARK_ROW) return OK;
        if (tail.len != TAIL_MAX + 1 || tail.data[TAIL_MAX] != MARK_LINK)
            return corrupt("a key has an impossible form", c->way.space, c->entry);
        uint64_t child;
        TRY(link_open(c->entry, c->stored, &child));
        TRY(enter(c, tail.data, child));
    }
}

static struct err seek(struct lmdb_cursor *c, struct str from)
{
    struct physical p;

    if (!from.len && c->is_backward) {
        physical_behind(&p, &c->way, 0);
        return move_to(c, &p);
    }
    while (from.len > TAIL_MAX) {
        uint64_t child;
        physical_link(&p, &c->way, c->way.depth, from.data);
        struct err e = FAIL(ERR_NOT_FOUND, "no key is that long");
        if (c->way.depth < CHILDREN_MAX) e = link_get(c->t, physical_str(&p), &child);
        if (e.code == ERR_NOT_FOUND) return move_to(c, &p); /* where the link would be */
        TRY(e);
        memmove(c->key + c->way.depth * TAIL_MAX, from.data, TAIL_MAX); /* it may be a key of this cursor */
        c->way.child[c->way.depth++] = child;
        from = str_from(from, TAIL_MAX);
    }
    physical_row(&p, &c->way, from);
    return move_to(c, &p);
}

struct err lmdb_seek(struct lmdb_cursor *c, uint8_t space, struct str from, bool is_backward)
{
    c->way = (struct way){ .space = space };
    c->is_backward = is_backward;
    c->is_set = true;
    c->is_done = true; /* if seek fails */
    TRY(seek(c, from));
    c->is_done = false;
    return OK;
}

struct err lmdb_next(struct lmdb_cursor *c, struct str *ret_key, struct str *ret_value)
{
    struct str key;

    if (c->is_done) return FAIL(ERR_NOT_FOUND, "there are no more rows");
    c->is_done = true; /* until this has gone well */
    if (!c->is_set) TRY(step(c));
    c->is_set = false;
    TRY(settle(c, &key));
    if (c->way.depth) {
        const size_t start = c->way.depth * TAIL_MAX;
        if (start + key.len > LIMIT_ROW_KEY) return corrupt("a key is too long", c->way.space, key);
        memcpy(c->key + start, key.data, key.len);
        key = str_of(c->key, start + key.len);
    }
    TRY(value_open(c->way.space, key, c->stored, ret_value));
    *ret_key = key;
    c->is_done = false;
    return OK;
}

/* ---- a file as a whole ---- */

/* An entry as LMDB's file has it. What lies in a child has a checksum over a key that only the way there tells. */
static struct err entry_check(void *arg, struct str physical, struct str stored)
{
    (void)arg;
    const uint8_t space = (uint8_t)physical.data[0];
    const size_t prefix = space == SPACE_CHILDREN ? 9 : 1;
    struct str tail = str_from(physical, physical.len < prefix ? physical.len : prefix), ignored;
    uint64_t child;

    if (space != LMDB_SPACE_POSITIONS && tail.len == TAIL_MAX + 1) {
        if (tail.data[TAIL_MAX] == MARK_LINK) return link_open(physical, stored, &child);
        if (tail.data[TAIL_MAX] != MARK_ROW) return corrupt("an entry of an unknown kind", space, physical);
        tail.len = TAIL_MAX;
    }
    if (!tail.len || tail.len > TAIL_MAX) return corrupt("a key of a wrong length", space, physical);
    return space == SPACE_CHILDREN ? OK : value_open(space, tail, stored, &ignored);
}

struct err lmdb_rows_check(const char *path)
{
    return lmdb_pages_check(path, entry_check, NULL);
}

struct scavenging {
    lmdb_row_fn *fn;
    void *arg;
};

static struct err entry_scavenge(void *arg, struct str physical, struct str stored)
{
    const struct scavenging *s = arg;
    const uint8_t space = (uint8_t)physical.data[0];
    const struct str key = str_from(physical, 1);

    if (space > LMDB_SPACE_MAX || !key.len || key.len >= TAIL_MAX || stored.len < CRC_BYTES) return OK;
    const struct str value = str_from(stored, CRC_BYTES);
    return get_le32(stored.data) == value_crc(space, key, value) ? s->fn(s->arg, space, key, value) : OK;
}

struct err lmdb_rows_scavenge(const char *path, lmdb_row_fn *fn, void *arg)
{
    struct scavenging s = { fn, arg };
    return lmdb_pages_scavenge(path, entry_scavenge, &s);
}
