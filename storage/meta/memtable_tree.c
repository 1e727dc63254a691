/*
 * memtable_tree.c - an AVL tree: order, balance, look-up, and a cursor that keeps its path, since nodes have
 * no parent (a node may have many: one in each version).
 */
#include "storage/meta/memtable_tree.h"

#include <assert.h>
#include <string.h>

int memtable_node_order(uint8_t space, struct str key, const struct memtable_node *n)
{
    if (space != n->space) return space < n->space ? -1 : 1;
    const size_t len = key.len < n->key_len ? key.len : n->key_len;
    const int order = len ? memcmp(key.data, n->key, len) : 0;
    if (order) return order;
    return (key.len > n->key_len) - (key.len < n->key_len);
}

static int height_of(const struct memtable_node *n)
{
    return n ? n->height : 0;
}

static void height_set(struct memtable_node *n)
{
    const int left = height_of(n->left), right = height_of(n->right);
    n->height = (uint8_t)((left > right ? left : right) + 1);
}

static void rotate_left(struct memtable_node **link)
{
    struct memtable_node *n = *link, *up = n->right;
    n->right = up->left;
    up->left = n;
    height_set(n);
    height_set(up);
    *link = up;
}

static void rotate_right(struct memtable_node **link)
{
    struct memtable_node *n = *link, *up = n->left;
    n->left = up->right;
    up->right = n;
    height_set(n);
    height_set(up);
    *link = up;
}

void memtable_node_balance(struct memtable_node **link)
{
    struct memtable_node *n = *link;
    const int lean = height_of(n->left) - height_of(n->right);

    if (lean > 1) {
        if (height_of(n->left->left) < height_of(n->left->right)) rotate_left(&n->left);
        rotate_right(link);
    } else if (lean < -1) {
        if (height_of(n->right->right) < height_of(n->right->left)) rotate_right(&n->right);
        rotate_left(link);
    } else {
        height_set(n);
    }
}

static void row_of(const struct memtable_node *n, struct memtable_row *ret)
{
    *ret = (struct memtable_row){
        .space = n->space,
        .is_deleted = !n->value,
        .key = str_of(n->key, n->key_len),
        .value = n->value ? str_of(n->value->bytes, n->value->len) : STR_NONE,
    };
}

bool memtable_find(struct memtable_tree tree, uint8_t space, struct str key, struct memtable_row *ret)
{
    const struct memtable_node *n = tree.top;

    while (n) {
        const int order = memtable_node_order(space, key, n);
        if (!order) {
            row_of(n, ret);
            return true;
        }
        n = order < 0 ? n->left : n->right;
    }
    return false;
}

bool memtable_seek(struct memtable_cursor *c, struct memtable_tree tree, uint8_t space, struct str key,
                   bool is_backward)
{
    const struct memtable_node *n = tree.top;
    int depth = 0, found = 0;

    while (n) {
        assert(depth < MEMTABLE_HEIGHT_MAX);
        c->path[depth++] = n;
        const int order = memtable_node_order(space, key, n);
        if (is_backward ? order > 0 : order <= 0) found = depth;
        n = order > 0 ? n->right : n->left;
    }
    c->depth = found;
    return found > 0;
}

bool memtable_next(struct memtable_cursor *c)
{
    if (!c->depth) return false;
    const struct memtable_node *n = c->path[c->depth - 1];
    if (n->right) {
        for (n = n->right; n; n = n->left) c->path[c->depth++] = n;
        return true;
    }
    do {
        n = c->path[--c->depth];
    } while (c->depth && c->path[c->depth - 1]->right == n);
    return c->depth > 0;
}

bool memtable_prev(struct memtable_cursor *c)
{
    if (!c->depth) return false;
    const struct memtable_node *n = c->path[c->depth - 1];
    if (n->left) {
        for (n = n->left; n; n = n->right) c->path[c->depth++] = n;
        return true;
    }
    do {
        n = c->path[--c->depth];
    } while (c->depth && c->path[c->depth - 1]->left == n);
    return c->depth > 0;
}

bool memtable_at(const struct memtable_cursor *c, struct memtable_row *ret)
{
    if (!c->depth) return false;
    row_of(c->path[c->depth - 1], ret);
    return true;
}
