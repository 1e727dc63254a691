/*
 * memtable_tree.h - one version of a memtable: how it is read, and how its nodes are linked.
 *
 * Rows are ordered by space, then by key by byte, shorter first. The functions here take no memory and no
 * lock; memtable.h says how long a tree stays as it is. What is below "nodes" is for memtable.c.
 */
#ifndef STORAGE_META_MEMTABLE_TREE_H
#define STORAGE_META_MEMTABLE_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/base/str.h"

struct memtable_node;

/* What a row holds. The strings point into the tree: they live as long as the root that was read (working
 * version: until the next publish, rollback, clear or free, even if the row is replaced meanwhile). */
struct memtable_row {
    uint8_t space;
    bool is_deleted; /* a tombstone: value is empty */
    struct str key, value;
};

/* One version of the tree. A value; valid while its root is held, or, of the working version, until the next
 * put or del. */
struct memtable_tree {
    const struct memtable_node *top;
};

/* The row, or its tombstone; false when the tree says nothing about it. */
bool memtable_find(struct memtable_tree tree, uint8_t space, struct str key, struct memtable_row *ret);

/* An AVL tree of 2^32 rows is at most 47 high, and that many rows would be 400 GiB. */
#define MEMTABLE_HEIGHT_MAX 48

/* A place in a tree; a value. */
struct memtable_cursor {
    const struct memtable_node *path[MEMTABLE_HEIGHT_MAX]; /* from the top to where it stands */
    int depth;                                             /* 0: it stands nowhere */
};

/* Stand at the first row at or behind (space, key); with is_backward at the last row before it (exclusive).
 * The empty key is the begin of a space, and (0, "") that of all. False, here and below: there is no such
 * row. */
bool memtable_seek(struct memtable_cursor *c, struct memtable_tree tree, uint8_t space, struct str key,
                   bool is_backward);
/* One step on, in either direction. Once it stands nowhere it stays so. */
bool memtable_next(struct memtable_cursor *c);
bool memtable_prev(struct memtable_cursor *c);
/* The row where it stands. */
bool memtable_at(const struct memtable_cursor *c, struct memtable_row *ret);

/* ---- nodes ---- */

/* What memtable.c keeps before every node and value. */
struct memtable_block {
    struct memtable_block *next;
    uint32_t born;    /* the version that was built when it was made */
    uint32_t retired; /* ... when it was replaced; 0: in use */
    uint32_t size;
};

struct memtable_value {
    struct memtable_block block;
    uint32_t len;
    char bytes[];
};

struct memtable_node {
    struct memtable_block block; /* the writer's; all behind it is fixed once published */
    struct memtable_node *left, *right;
    struct memtable_value *value; /* NULL: a tombstone */
    uint16_t key_len;
    uint8_t space;
    uint8_t height; /* of a leaf: 1 */
    char key[];
};

/* The order of (space, key) and a node's: below, at or above 0. */
int memtable_node_order(uint8_t space, struct str key, const struct memtable_node *n);

/* Restore the balance of *link after one insertion below it; all nodes on the path of that insertion may be
 * changed, and only these are. */
void memtable_node_balance(struct memtable_node **link);

#endif
