/*
 * memtable.c - a persistent AVL tree, with versions instead of reference counts.
 *
 * A change copies the nodes on its path, unless they were made since the last publish: those no reader knows,
 * so they are changed in place. Published versions form a line, 0, 1, 2, ... A node that is replaced while
 * version v is built is "retired": only roots older than v reach it. So it waits in a list, in order, until
 * the oldest held root is v or younger, and is then used again. Why not reference counts in the nodes, the
 * usual way: copying a node would touch both children and its value, 3 cache misses for each level of a path,
 * and a reader that drops the last root of a frozen table would walk 100,000 nodes on an HTTP thread; here it
 * frees some dozens of chunks. Why AVL and not a B-tree: rows of very different lengths lie inline behind one
 * pointer, and a path copy is 17 small copies at 100,000 rows, microseconds beside a flush.
 *
 * A node holds its key, because a look-up compares it; the value is a block of its own, so that path copies
 * do not copy it.
 *
 * Memory is cut from chunks that die with the table. Every block is in at most one list, by block.next:
 * `made` (since the last publish), `retired`, or the free list of its size. What was made and replaced within
 * one version stays in `made` with a mark, so that values handed out stay readable until the publish
 * (memtable.h).
 *
 * Reading needs no lock: a reader took its root under the lock after the writer had published it under the
 * lock.
 */
#include "storage/meta/memtable.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "storage/base/limits.h"
#include "storage/base/thread.h"

#define BLOCK_STEP 64 /* sizes are multiples, one free list each; a cache line: 15 % faster puts than 32 */
#define BLOCK_SIZE_MAX 4096  /* larger blocks have a chunk of their own, freed when they are */
#define CHUNK_BYTES_MIN 4096 /* enough for the overlay of a small transaction */
#define CHUNK_BYTES_MAX (1 * MIB)

struct chunk {
    struct chunk *next, *prev;
    size_t size;
    _Alignas(BLOCK_STEP) char bytes[];
};

struct memtable_root {
    struct memtable *table;
    struct memtable_node *top;
    uint64_t rows, bytes;
    struct memtable_root *next, *prev; /* in the order of versions; next also in `spare` */
    uint32_t version;
    uint32_t held;
};

struct memtable {
    /* the writer's: the working version */
    struct memtable_node *top;
    uint64_t rows, bytes, changes, changes_published, memory;
    uint32_t version;               /* that is being built; published ones are smaller */
    struct memtable_root *reserved; /* for the next publish, which cannot fail */
    struct memtable_block *made;    /* since the last publish */
    struct memtable_block *retired, **retired_end,
        **retired_published; /* the latter: where it ended at the last publish */
    struct memtable_block *free[BLOCK_SIZE_MAX / BLOCK_STEP + 1];
    struct chunk *chunks;  /* all of them, the first made at the end */
    char *bump, *bump_end; /* what is left of the youngest common chunk */
    size_t chunk_bytes;    /* size of the next one */

    struct mutex lock; /* guards what follows, and the roots' links and counts */
    struct memtable_root *oldest, *published;
    struct memtable_root *spare;
    bool is_orphan; /* the writer has let go */
};

/* ---- memory ---- */

static struct chunk *chunk_new(struct memtable *t, size_t size)
{
    struct chunk *c = aligned_alloc(BLOCK_STEP, sizeof(*c) + size);
    if (!c) return NULL;
    *c = (struct chunk){ .next = t->chunks, .size = sizeof(*c) + size };
    if (c->next) c->next->prev = c;
    t->chunks = c;
    t->memory += c->size;
    return c;
}

static void chunk_free(struct memtable *t, struct chunk *c)
{
    if (c->prev) c->prev->next = c->next;
    else t->chunks = c->next;
    if (c->next) c->next->prev = c->prev;
    t->memory -= c->size;
    free(c);
}

static bool chunk_begin(struct memtable *t)
{
    struct chunk *c = chunk_new(t, t->chunk_bytes);
    if (!c) return false;
    t->bump = c->bytes;
    t->bump_end = c->bytes + t->chunk_bytes;
    if (t->chunk_bytes < CHUNK_BYTES_MAX) t->chunk_bytes *= 2;
    return true;
}

/* A block with its header filled. NULL: no memory. */
static void *block_new(struct memtable *t, size_t bytes)
{
    const size_t size = (bytes + BLOCK_STEP - 1) / BLOCK_STEP * BLOCK_STEP;
    struct memtable_block *b;

    if (size > BLOCK_SIZE_MAX) {
        struct chunk *c = chunk_new(t, size);
        if (!c) return NULL;
        b = (struct memtable_block *)(void *)c->bytes;
    } else if (t->free[size / BLOCK_STEP]) {
        b = t->free[size / BLOCK_STEP];
        t->free[size / BLOCK_STEP] = b->next;
    } else {
        if (size > (size_t)(t->bump_end - t->bump) && !chunk_begin(t)) return NULL;
        b = (struct memtable_block *)(void *)t->bump;
        t->bump += size;
    }
    *b = (struct memtable_block){ .next = t->made, .born = t->version, .size = (uint32_t)size };
    t->made = b;
    return b;
}

static void block_free(struct memtable *t, struct memtable_block *b)
{
    if (b->size > BLOCK_SIZE_MAX) {
        chunk_free(t, (struct chunk *)(void *)((char *)b - offsetof(struct chunk, bytes)));
        return;
    }
    b->next = t->free[b->size / BLOCK_STEP];
    t->free[b->size / BLOCK_STEP] = b;
}

/* The working version does not need b any more. Older ones may (T1). */
static void block_retire(struct memtable *t, struct memtable_block *b)
{
    b->retired = t->version;
    if (b->born == t->version) return; /* stays in `made` */
    b->next = NULL;
    *t->retired_end = b;
    t->retired_end = &b->next;
}

/* ---- the tree ---- */

/* Make *link a node that may be changed. */
static bool node_own(struct memtable *t, struct memtable_node **link)
{
    struct memtable_node *n = *link;
    if (n->block.born == t->version) return true;

    struct memtable_node *copy = block_new(t, sizeof(*n) + n->key_len);
    if (!copy) return false;
    memcpy(&copy->left, &n->left, sizeof(*n) - offsetof(struct memtable_node, left) + n->key_len);
    *link = copy;
    block_retire(t, &n->block);
    return true;
}

static struct memtable_node *node_new(struct memtable *t, uint8_t space, struct str key)
{
    struct memtable_node *n = block_new(t, sizeof(*n) + key.len);
    if (!n) return NULL;
    n->left = n->right = NULL;
    n->value = NULL;
    n->key_len = (uint16_t)key.len;
    n->space = space;
    n->height = 1;
    memcpy(n->key, key.data, key.len);
    return n;
}

/* The node of (space, key), made if absent, and all above it made fit for change. Until the new node is
 * linked only the place of rows has changed, not what they are: that is T2. NULL: no memory. */
static struct memtable_node *node_reach(struct memtable *t, uint8_t space, struct str key)
{
    struct memtable_node **links[MEMTABLE_HEIGHT_MAX], **link = &t->top;
    int depth = 0;

    while (*link) {
        if (!node_own(t, link)) return NULL;
        struct memtable_node *n = *link;
        const int order = memtable_node_order(space, key, n);
        if (!order) return n;
        assert(depth < MEMTABLE_HEIGHT_MAX);
        links[depth++] = link;
        link = order < 0 ? &n->left : &n->right;
    }

    struct memtable_node *fresh = node_new(t, space, key);
    if (!fresh) return NULL;
    *link = fresh;
    while (depth > 0) memtable_node_balance(links[--depth]);
    t->rows++;
    t->bytes += key.len + sizeof(*fresh);
    return fresh;
}

static struct memtable_root *root_reserve(struct memtable *t)
{
    if (t->reserved) return t->reserved;
    mutex_lock(&t->lock);
    t->reserved = t->spare;
    if (t->spare) t->spare = t->spare->next;
    mutex_unlock(&t->lock);
    if (!t->reserved) t->reserved = malloc(sizeof(*t->reserved));
    return t->reserved;
}

static struct err set(struct memtable *t, uint8_t space, struct str key, struct memtable_value *value)
{
    assert(key.len > 0 && key.len <= LIMIT_ROW_KEY);
    t->changes++;
    struct memtable_node *n = root_reserve(t) ? node_reach(t, space, key) : NULL;
    if (!n) {
        if (value) block_retire(t, &value->block);
        return FAIL(ERR_NO_MEMORY, "no memory for a row");
    }
    if (n->value) {
        t->bytes -= n->value->len + sizeof(*n->value);
        block_retire(t, &n->value->block);
    }
    n->value = value;
    if (value) t->bytes += value->len + sizeof(*value);
    return OK;
}

struct err memtable_put(struct memtable *t, uint8_t space, struct str key, struct str value)
{
    assert(value.len <= LIMIT_ROW_VALUE);
    struct memtable_value *v = block_new(t, sizeof(*v) + value.len);
    if (!v) return FAIL(ERR_NO_MEMORY, "no memory for a row's value");
    v->len = (uint32_t)value.len;
    if (value.len) memcpy(v->bytes, value.data, value.len);
    return set(t, space, key, v);
}

struct err memtable_del(struct memtable *t, uint8_t space, struct str key)
{
    return set(t, space, key, NULL);
}

struct err memtable_put_all(struct memtable *t, struct memtable_tree rows)
{
    struct memtable_cursor c;
    struct memtable_row row;

    for (bool more = memtable_seek(&c, rows, 0, STR_NONE, false); more; more = memtable_next(&c)) {
        memtable_at(&c, &row);
        TRY(row.is_deleted ? memtable_del(t, row.space, row.key)
                           : memtable_put(t, row.space, row.key, row.value));
    }
    return OK;
}

/* ---- versions ---- */

static void root_unlink_locked(struct memtable *t, struct memtable_root *r)
{
    assert(mutex_is_held(&t->lock));
    if (r->prev) r->prev->next = r->next;
    else t->oldest = r->next;
    if (r->next) r->next->prev = r->prev;
    r->next = t->spare;
    t->spare = r;
}

void memtable_publish(struct memtable *t)
{
    if (t->changes == t->changes_published) return;
    struct memtable_root *r = t->reserved;
    *r = (struct memtable_root){
        .table = t, .top = t->top, .rows = t->rows, .bytes = t->bytes, .version = t->version, .held = 1
    };
    t->reserved = NULL;
    t->changes_published = t->changes;
    t->version++;
    assert(t->version); /* 2^32 publishes without a checkpoint: a bug */

    mutex_lock(&t->lock);
    struct memtable_root *before = t->published;
    r->prev = before;
    before->next = r;
    t->published = r;
    if (--before->held == 0) root_unlink_locked(t, before);
    const uint32_t oldest = t->oldest->version;
    mutex_unlock(&t->lock);

    struct memtable_block *next;
    for (struct memtable_block *b = t->made; b; b = next) { /* replaced before anybody saw it */
        next = b->next;
        if (b->retired) block_free(t, b);
    }
    t->made = NULL;
    while (t->retired && t->retired->retired <= oldest) {
        struct memtable_block *b = t->retired;
        t->retired = b->next;
        if (!t->retired) t->retired_end = &t->retired;
        block_free(t, b);
    }
    t->retired_published = t->retired_end;
}

void memtable_rollback(struct memtable *t)
{
    struct memtable_block *next;

    *t->retired_published = NULL; /* what was retired since is needed again */
    t->retired_end = t->retired_published;
    for (struct memtable_block *b = t->made; b; b = next) {
        next = b->next;
        block_free(t, b);
    }
    t->made = NULL;
    mutex_lock(&t->lock);
    const struct memtable_root *r = t->published;
    t->top = r->top;
    t->rows = r->rows;
    t->bytes = r->bytes;
    mutex_unlock(&t->lock);
    t->changes_published = ++t->changes;
}

struct memtable_root *memtable_root_take(struct memtable *t)
{
    mutex_lock(&t->lock);
    struct memtable_root *r = t->published;
    r->held++;
    mutex_unlock(&t->lock);
    return r;
}

static void destroy(struct memtable *t)
{
    struct chunk *next;

    for (struct chunk *c = t->chunks; c; c = next) {
        next = c->next;
        free(c);
    }
    while (t->spare) {
        struct memtable_root *r = t->spare;
        t->spare = r->next;
        free(r);
    }
    free(t->reserved);
    mutex_done(&t->lock);
    free(t);
}

static void root_let_go(struct memtable *t, struct memtable_root *root, bool is_writer)
{
    mutex_lock(&t->lock);
    if (is_writer) t->is_orphan = true;
    assert(root->held > 0);
    if (--root->held == 0) root_unlink_locked(t, root);
    const bool is_last = t->is_orphan && !t->oldest;
    mutex_unlock(&t->lock);
    if (is_last) destroy(t);
}

struct memtable_root *memtable_root_release(struct memtable_root *root)
{
    if (root) root_let_go(root->table, root, false);
    return NULL;
}

struct memtable_tree memtable_root_tree(const struct memtable_root *root)
{
    return (struct memtable_tree){ root->top };
}

/* ---- the table ---- */

/* Everything but the lock, the chunks and the first root: as new. */
static void begin(struct memtable *t)
{
    t->top = NULL;
    t->rows = t->bytes = 0;
    t->version = 1;
    t->made = t->retired = NULL;
    t->retired_end = t->retired_published = &t->retired;
    memset(t->free, 0, sizeof(t->free));
    t->changes_published = ++t->changes;
    t->chunk_bytes = CHUNK_BYTES_MIN;
    t->bump = t->bump_end = NULL;
    *t->published = (struct memtable_root){ .table = t, .held = 1 };
    t->oldest = t->published;
}

struct memtable *memtable_new(void)
{
    struct memtable *t = calloc(1, sizeof(*t));
    struct memtable_root *r = malloc(sizeof(*r));
    if (!t || !r) {
        free(t);
        free(r);
        return NULL;
    }
    mutex_init(&t->lock, LOCK_META_MEMTABLE);
    t->published = r;
    t->memory = sizeof(*t);
    begin(t);
    return t;
}

struct memtable *memtable_free(struct memtable *t)
{
    if (t) root_let_go(t, t->published, true);
    return NULL;
}

void memtable_freep(struct memtable **t)
{
    *t = memtable_free(*t);
}

void memtable_clear(struct memtable *t)
{
    struct chunk *kept = NULL, *next;

    mutex_lock(&t->lock);
    assert(t->oldest == t->published && t->published->held == 1);
    begin(t);
    mutex_unlock(&t->lock);
    for (struct chunk *c = t->chunks; c; c = next) {
        next = c->next;
        if (!kept && c->size == sizeof(*c) + CHUNK_BYTES_MIN) kept = c;
        else chunk_free(t, c);
    }
    if (!kept) return;
    t->bump = kept->bytes;
    t->bump_end = kept->bytes + CHUNK_BYTES_MIN;
    t->chunk_bytes *= 2;
}

struct memtable_tree memtable_working(const struct memtable *t)
{
    return (struct memtable_tree){ t->top };
}

uint64_t memtable_changes(const struct memtable *t)
{
    return t->changes;
}

uint64_t memtable_rows(const struct memtable *t)
{
    return t->rows;
}

uint64_t memtable_bytes(const struct memtable *t)
{
    return t->bytes;
}

uint64_t memtable_memory(const struct memtable *t)
{
    return t->memory;
}
