/*
 * lmdb_pages.c - a reader of LMDB's file format (data version 1, of liblmdb 0.9 on 64-bit little endian machines) that trusts nothing.
 *
 * meta (page 0 or 1, behind the page header)      page header               node
 *    0  4 0xbeefc0de                               0  8 its own number        0  2 leaf: size, low; branch: page, low
 *    4  4 version, 1                              10  2 kind                  2  2 the same, middle
 *   24 48 tree of free pages                      12  2 end of the offsets    4  2 leaf: flags; branch: page, high
 *   72 48 tree of rows                            14  2 begin of the nodes    6  2 key length
 *  120  8 last page                               12  4 overflow: pages       8    key, then value or its page
 *  128  8 transaction                             16    offsets of nodes
 *
 * tree: 0 4 page size (of the free tree) 4 2 flags 6 2 depth 8 8 branch pages 16 8 leaf pages 24 8 overflow pages 32 8 entries 40 8 root
 *
 * The newest of both metas counts, which is the one whose transaction is larger; LMDB then takes the one at transaction mod 2. The key of a free list is a transaction, its value the number
 * of pages, and then these, descending.
 */
#include "storage/meta/lmdb_pages.h"

#include <stdlib.h>
#include <string.h>

#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"

#define MAGIC 0xbeefc0deu
#define VERSION 1
#define HEADER 16
#define META_BYTES 136
#define NODE 8
#define KEY_MAX 511
#define DEPTH_MAX 32 /* of LMDB's cursors */
#define PAGE_MIN 512u
#define PAGE_MAX 65536u
#define PAGE_USUAL 4096u
#define NO_ROOT UINT64_MAX
#define KIND_BRANCH 1u
#define KIND_LEAF 2u
#define KIND_OVERFLOW 4u
#define KIND_META 8u
#define NODE_BIG 1u
#define FREE_FLAGS 8u /* keys are integers */

struct tree {
    uint64_t branches, leaves, overflows, entries, root;
    unsigned flags, depth;
    bool is_free;
};

struct level {
    uint8_t *page;
    uint64_t number;
    unsigned at, count;
    bool is_leaf;
};

struct walk {
    const char *path;
    int fd;
    uint32_t page_bytes;
    uint64_t pages; /* of the file, as its head says */
    uint8_t *seen;  /* a bit each */
    struct level levels[DEPTH_MAX];
    unsigned depth;         /* levels in use */
    uint8_t bound[KEY_MAX]; /* the next key is behind it, or equal to it if it was a separator's */
    size_t bound_len;
    bool has_bound, is_bound_exclusive;
    uint8_t *value; /* of several pages */
    size_t value_size;
    struct tree tree, found; /* as its head says; as it is, so far */
    lmdb_entry_fn *fn;
    void *arg;
};

static struct err bad(const struct walk *w, uint64_t page, const char *what)
{
    return err_fail(ERR_CORRUPT, "%s: page %llu: %s", w->path, (unsigned long long)page, what);
}

/* ---- the head ---- */

static struct tree tree_at(const uint8_t *p, bool is_free)
{
    return (struct tree){
        .flags = get_le16(p + 4),
        .depth = get_le16(p + 6),
        .branches = get_le64(p + 8),
        .leaves = get_le64(p + 16),
        .overflows = get_le64(p + 24),
        .entries = get_le64(p + 32),
        .root = get_le64(p + 40),
        .is_free = is_free,
    };
}

/* Read the meta of page 0 or 1. */
static struct err meta_read(struct walk *w, uint64_t number, uint8_t out[META_BYTES])
{
    uint8_t page[HEADER + META_BYTES];
    const uint64_t size = number ? w->page_bytes : 0;

    const struct err e = sys_pread_all(w->fd, page, sizeof(page), size);
    if (e.code == ERR_CORRUPT) return bad(w, number, "the file ends in it");
    TRY(e);
    const uint8_t *meta = page + HEADER;
    if (get_le16(page + 10) != KIND_META || get_le32(meta) != MAGIC || get_le32(meta + 4) != VERSION)
        return bad(w, number, "it is not LMDB's head");
    const uint32_t bytes = get_le32(meta + 24);
    if (bytes < PAGE_MIN || bytes > PAGE_MAX || (bytes & (bytes - 1)))
        return bad(w, number, "its size of pages is none");
    if (number && bytes != w->page_bytes) return bad(w, number, "its size of pages is not that of page 0");
    w->page_bytes = bytes;
    memcpy(out, meta, META_BYTES);
    return OK;
}

/* The newest meta, and whether the file is as long as it says. */
static struct err head_read(struct walk *w, uint8_t out[META_BYTES])
{
    uint8_t metas[2][META_BYTES];
    struct stat st;

    TRY(meta_read(w, 0, metas[0]));
    TRY(meta_read(w, 1, metas[1]));
    const unsigned newest = get_le64(metas[0] + 128) < get_le64(metas[1] + 128);
    memcpy(out, metas[newest], META_BYTES);
    if ((get_le64(out + 128) & 1) != newest)
        return bad(w, newest, "its transaction belongs to the other head");
    const uint64_t last = get_le64(out + 120);
    TRY(sys_fstat(w->fd, &st));
    if (last < 1 || last >= (uint64_t)st.st_size / w->page_bytes)
        return bad(w, newest, "the file has fewer pages than it says");
    w->pages = last + 1;
    return OK;
}

/* ---- pages ---- */

/* count pages from number on are used, here and nowhere else. */
static struct err use(struct walk *w, uint64_t number, uint64_t count)
{
    if (number < 2 || number >= w->pages || count > w->pages - number)
        return bad(w, number, "named by another, and not of the file");
    for (uint64_t i = number; i < number + count; i++) {
        if (w->seen[i / 8] & (1u << i % 8)) return bad(w, i, "in use twice");
        w->seen[i / 8] |= (uint8_t)(1u << i % 8);
    }
    return OK;
}

static const uint8_t *node_of(const struct level *l, unsigned i)
{
    return l->page + get_le16(l->page + HEADER + 2 * i);
}

static uint32_t node_value_bytes(const uint8_t *node)
{
    return get_le16(node) | (uint32_t)get_le16(node + 2) << 16;
}

/* The nodes lie in the page, and fill what they are said to fill. */
static struct err check_nodes(const struct walk *w, const struct level *l, unsigned lower, unsigned upper)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < l->count; i++) {
        const unsigned offset = get_le16(l->page + HEADER + 2 * i);
        if (offset < upper || offset % 2 || offset + NODE > w->page_bytes)
            return bad(w, l->number, "a node is not in it");
        const uint8_t *node = l->page + offset;
        const unsigned flags = l->is_leaf ? get_le16(node + 4) : 0;
        uint64_t bytes = NODE + get_le16(node + 6);
        if (flags & ~NODE_BIG) return bad(w, l->number, "a node of an unknown kind");
        if (l->is_leaf) bytes += flags ? 8 : node_value_bytes(node);
        bytes += bytes & 1;
        if (bytes > w->page_bytes - offset) return bad(w, l->number, "a node goes on behind it");
        sum += bytes;
    }
    return upper < lower || sum != w->page_bytes - upper
        ? bad(w, l->number, "its nodes are not what fills it")
        : OK;
}

static struct err enter(struct walk *w, uint64_t number)
{
    if (w->depth == w->tree.depth || w->depth == DEPTH_MAX)
        return bad(w, number, "deeper than the tree is said to be");
    TRY(use(w, number, 1));
    struct level *l = &w->levels[w->depth];
    if (!l->page) l->page = malloc(w->page_bytes);
    if (!l->page) return no_memory();
    TRY(sys_pread_all(w->fd, l->page, w->page_bytes, number * w->page_bytes));

    const unsigned kind = get_le16(l->page + 10), lower = get_le16(l->page + 12);
    unsigned upper = get_le16(l->page + 14);
    l->number = number;
    l->at = 0;
    l->is_leaf = kind == KIND_LEAF;
    if (get_le64(l->page) != number) return bad(w, number, "it says that it is another");
    if (kind != (w->depth + 1 == w->tree.depth ? KIND_LEAF : KIND_BRANCH))
        return bad(w, number, "of a kind that has no place here");
    if (lower < HEADER || lower % 2 || lower > w->page_bytes || upper > w->page_bytes)
        return bad(w, number, "its offsets do not end in it");
    l->count = (lower - HEADER) / 2;
    if (l->count < (l->is_leaf || w->tree.is_free ? 1u : 2u)) return bad(w, number, "it has too few nodes");
    TRY(check_nodes(w, l, lower, upper));
    w->depth++;
    w->found.branches += !l->is_leaf;
    w->found.leaves += l->is_leaf;
    return OK;
}

/* ---- keys ---- */

static int compare(const struct walk *w, const uint8_t *key, size_t len)
{
    if (w->tree.is_free) {
        const uint64_t a = get_le64(key), b = get_le64(w->bound);
        return a < b ? -1 : a > b;
    }
    return str_cmp(str_of(key, len), str_of(w->bound, w->bound_len));
}

/* Keys ascend over the whole tree; a branch's are bounds between its children. */
static struct err check_key(struct walk *w, const struct level *l, const uint8_t *node)
{
    const size_t len = get_le16(node + 6);

    if (!l->is_leaf && l->at == 0) return OK; /* the first child has no lower bound */
    if (!len || len > KEY_MAX || (w->tree.is_free && len != 8))
        return bad(w, l->number, "a key of a wrong length");
    if (w->has_bound) {
        const int order = compare(w, node + NODE, len);
        if (order < 0 || (order == 0 && w->is_bound_exclusive))
            return bad(w, l->number, "its keys do not ascend");
    }
    memcpy(w->bound, node + NODE, len);
    w->bound_len = len;
    w->has_bound = true;
    w->is_bound_exclusive = l->is_leaf;
    return OK;
}

/* ---- values ---- */

static struct err value_reserve(struct walk *w, size_t bytes)
{
    if (bytes <= w->value_size) return OK;
    uint8_t *more = realloc(w->value, bytes);
    if (!more) return no_memory();
    w->value = more;
    w->value_size = bytes;
    return OK;
}

static struct err big_value(struct walk *w, uint64_t number, uint32_t bytes, struct str *ret)
{
    const uint64_t need = (HEADER - 1 + (uint64_t)bytes) / w->page_bytes + 1;
    uint8_t head[HEADER];

    if (number < 2 || number >= w->pages || need > w->pages - number)
        return bad(w, number, "a value's, and not of the file");
    TRY(sys_pread_all(w->fd, head, sizeof(head), number * w->page_bytes));
    const uint64_t has = get_le32(head + 12);
    if (get_le64(head) != number || get_le16(head + 10) != KIND_OVERFLOW || has < need)
        return bad(w, number, "a value's, and it says that it is not");
    TRY(use(w, number, has));
    w->found.overflows += has;
    TRY(value_reserve(w, bytes));
    TRY(sys_pread_all(w->fd, w->value, bytes, number * w->page_bytes + HEADER));
    *ret = str_of(w->value, bytes);
    return OK;
}

static struct err use_free(struct walk *w, const struct level *l, struct str list)
{
    const uint64_t count = list.len >= 8 ? get_le64(list.data) : 0;
    uint64_t before = UINT64_MAX;

    if (!count || count > list.len / 8 - 1) return bad(w, l->number, "a list of free pages that is none");
    for (uint64_t i = 1; i <= count; i++) {
        const uint64_t number = get_le64(list.data + 8 * i);
        if (number >= before) return bad(w, l->number, "a list of free pages that does not descend");
        TRY(use(w, number, 1));
        before = number;
    }
    return OK;
}

static struct err leaf_node(struct walk *w, const struct level *l, const uint8_t *node)
{
    const size_t key_len = get_le16(node + 6);
    const uint32_t bytes = node_value_bytes(node);
    struct str value = str_of(node + NODE + key_len, bytes);

    if (get_le16(node + 4) & NODE_BIG) TRY(big_value(w, get_le64(value.data), bytes, &value));
    w->found.entries++;
    if (w->tree.is_free) return use_free(w, l, value);
    return w->fn ? w->fn(w->arg, str_of(node + NODE, key_len), value) : OK;
}

/* ---- trees ---- */

static struct err step(struct walk *w)
{
    struct level *l = &w->levels[w->depth - 1];

    if (l->at == l->count) {
        w->depth--;
        return OK;
    }
    const uint8_t *node = node_of(l, l->at);
    TRY(check_key(w, l, node));
    l->at++;
    if (l->is_leaf) return leaf_node(w, l, node);
    return enter(w, node_value_bytes(node) | (uint64_t)get_le16(node + 4) << 32);
}

static struct err tree_walk(struct walk *w, struct tree tree)
{
    w->tree = tree;
    w->found = (struct tree){ 0 };
    w->has_bound = false;
    w->depth = 0;
    if (tree.flags != (tree.is_free ? FREE_FLAGS : 0)) return bad(w, 0, "a tree of an unknown kind");
    if (tree.root != NO_ROOT) TRY(enter(w, tree.root));
    while (w->depth) TRY(step(w));
    const struct tree *f = &w->found;
    if (f->branches != tree.branches || f->leaves != tree.leaves || f->overflows != tree.overflows
        || f->entries != tree.entries || (tree.root == NO_ROOT && tree.depth))
        return bad(w, 0, "a tree has not as much as its head says");
    return OK;
}

static struct err walk_all(struct walk *w, const uint8_t meta[META_BYTES])
{
    w->seen = calloc(1, w->pages / 8 + 1);
    if (!w->seen) return no_memory();
    TRY(tree_walk(w, tree_at(meta + 24, true)));
    return tree_walk(w, tree_at(meta + 72, false));
}

static struct walk *walk_new(const char *path, lmdb_entry_fn *fn, void *arg)
{
    struct walk *w = calloc(1, sizeof(*w));
    if (!w) return NULL;
    w->path = path;
    w->fd = -1;
    w->fn = fn;
    w->arg = arg;
    return w;
}

static void walk_done(struct walk *w)
{
    for (int i = 0; i < DEPTH_MAX; i++) free(w->levels[i].page);
    free(w->seen);
    free(w->value);
    sys_close(w->fd);
    free(w);
}

static struct err check(const char *path, bool is_whole, lmdb_entry_fn *fn, void *arg)
{
    uint8_t meta[META_BYTES] = { 0 };
    struct walk *w = walk_new(path, fn, arg);
    if (!w) return no_memory();

    struct err e = sys_open(path, O_RDONLY, 0, &w->fd);
    if (!e.code) e = head_read(w, meta);
    if (!e.code && is_whole) e = walk_all(w, meta);
    walk_done(w);
    return e;
}

struct err lmdb_pages_check(const char *path, lmdb_entry_fn *fn, void *arg)
{
    return check(path, true, fn, arg);
}

struct err lmdb_pages_look(const char *path)
{
    return check(path, false, NULL, NULL);
}

/* ---- what is left of a broken file ---- */

static struct err scavenge_leaf(struct walk *w, const struct level *l)
{
    for (unsigned i = 0; i < l->count; i++) {
        const uint8_t *node = node_of(l, i);
        const size_t key_len = get_le16(node + 6);
        const uint32_t bytes = node_value_bytes(node);
        struct str value = str_of(node + NODE + key_len, bytes);

        if (!key_len || key_len > KEY_MAX) continue;
        if (get_le16(node + 4) & NODE_BIG) {
            memset(w->seen, 0, w->pages / 8 + 1); /* pages of the past are used by several */
            const struct err e = big_value(w, get_le64(value.data), bytes, &value);
            if (e.code == ERR_CORRUPT || e.code == ERR_IO) continue;
            TRY(e);
        }
        TRY(w->fn(w->arg, str_of(node + NODE, key_len), value));
    }
    return OK;
}

static struct err scavenge_page(struct walk *w, struct level *l, uint64_t number)
{
    const struct err e = sys_pread_all(w->fd, l->page, w->page_bytes, number * w->page_bytes);
    if (e.code == ERR_IO) return OK; /* the disk does not give this one */
    TRY(e);
    const unsigned lower = get_le16(l->page + 12), upper = get_le16(l->page + 14);

    l->number = number;
    l->count = (lower - HEADER) / 2;
    if (get_le16(l->page + 10) != KIND_LEAF || lower <= HEADER || lower % 2 || lower > upper
        || upper > w->page_bytes)
        return OK;
    return check_nodes(w, l, lower, upper).code ? OK : scavenge_leaf(w, l);
}

static struct err scavenge(struct walk *w)
{
    struct level *l = &w->levels[0];
    struct stat st;

    w->page_bytes = PAGE_USUAL; /* its head may be what is broken */
    TRY(sys_fstat(w->fd, &st));
    w->pages = (uint64_t)st.st_size / w->page_bytes;
    w->seen = calloc(1, w->pages / 8 + 1);
    l->page = malloc(w->page_bytes);
    if (!w->seen || !l->page) return no_memory();
    l->is_leaf = true;
    for (uint64_t number = 2; number < w->pages; number++) TRY(scavenge_page(w, l, number));
    return OK;
}

struct err lmdb_pages_scavenge(const char *path, lmdb_entry_fn *fn, void *arg)
{
    struct walk *w = walk_new(path, fn, arg);
    if (!w) return no_memory();

    struct err e = sys_open(path, O_RDONLY, 0, &w->fd);
    if (!e.code) e = scavenge(w);
    walk_done(w);
    return e;
}
