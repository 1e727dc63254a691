/*
 * extract.c - takes the wanted fields of one record, and passes over the rest.
 *
 * A walk of the program's nodes along the bytes, one function a kind of value. It ends on any input: every step takes a byte (P2) or goes deeper, and
 * depth is limited. Items that take no bytes are not walked at all, so their count, which may be 2^62, costs nothing.
 */
#include "catalog/avro/extract.h"

#include <string.h>

#include "storage/base/limits.h"

struct walk {
    const struct program *p;
    struct cursor *c;
    char *out;
    uint32_t seen; /* a bit for each want that had a value */
    unsigned depth;
};

static bool walk_node(struct walk *w, uint32_t index);

static bool walk_number(struct walk *w, const struct node *n)
{
    int64_t value;

    if (!decode_long(w->c, &value)) return false;
    if (n->op == NODE_INT && value != (int32_t)value)
        return cursor_fail(w->c, "an int has more than 32 bits");
    if (n->want < 0) return true;
    memcpy(w->out + w->p->wants[n->want].offset, &value, sizeof(value));
    w->seen |= 1u << n->want;
    return true;
}

static bool walk_bytes(struct walk *w, const struct node *n)
{
    struct str value;

    if (!decode_bytes(w->c, &value)) return false;
    if (n->want < 0) return true;
    if (value.len > LIMIT_AVRO_STRING) return cursor_fail(w->c, "a string is longer than allowed");
    if (!str_is_utf8(value)) return cursor_fail(w->c, "a string is not UTF-8");
    memcpy(w->out + w->p->wants[n->want].offset, &value, sizeof(value));
    w->seen |= 1u << n->want;
    return true;
}

static bool walk_boolean(struct walk *w)
{
    if (w->c->at<w->c->end && * w->c->at> 1) return cursor_fail(w->c, "a boolean is neither 0 nor 1");
    return decode_skip(w->c, 1);
}

/* The index of an enum's symbol or a union's branch. */
static bool walk_choice(struct walk *w, const struct node *n, int64_t *ret)
{
    if (!decode_long(w->c, ret)) return false;
    if (*ret >= 0 && *ret < n->count) return true;
    return cursor_fail(w->c,
                       n->op == NODE_ENUM ? "an enum has no such symbol" : "a union has no such branch");
}

static bool walk_union(struct walk *w, const struct node *n)
{
    int64_t branch;

    return walk_choice(w, n, &branch) && walk_node(w, w->p->kids[n->first + branch]);
}

static bool walk_record(struct walk *w, const struct node *n)
{
    for (uint32_t i = 0; i < n->count; i++) {
        if (!walk_node(w, w->p->kids[n->first + i])) return false;
    }
    return true;
}

static bool walk_items(struct walk *w, const struct node *n, int64_t count)
{
    struct str key;

    if (n->op == NODE_ARRAY && w->p->nodes[n->first].op == NODE_EMPTY) return true;
    for (; count > 0; count--) {
        if (n->op == NODE_MAP && !decode_bytes(w->c, &key)) return false;
        if (!walk_node(w, n->first)) return false;
    }
    return true;
}

/* An array or map, piece by piece; one whose length is said is jumped over, since nothing in it is wanted (P4). */
static bool walk_many(struct walk *w, const struct node *n)
{
    int64_t count, bytes;

    for (;;) {
        if (!decode_piece(w->c, &count, &bytes)) return false;
        if (count == 0) return true;
        const bool is_good = bytes >= 0 ? decode_skip(w->c, (uint64_t)bytes) : walk_items(w, n, count);
        if (!is_good) return false;
    }
}

static bool walk_deeper(struct walk *w, const struct node *n)
{
    if (w->depth == LIMIT_AVRO_DEPTH) return cursor_fail(w->c, "values are nested too deep");
    w->depth++;
    const bool is_good = n->op == NODE_RECORD ? walk_record(w, n)
        : n->op == NODE_UNION                 ? walk_union(w, n)
                                              : walk_many(w, n);
    w->depth--;
    return is_good;
}

static bool walk_node(struct walk *w, uint32_t index)
{
    const struct node *n = &w->p->nodes[index];
    int64_t symbol;

    switch (n->op) {
    case NODE_EMPTY: return true;
    case NODE_BOOLEAN: return walk_boolean(w);
    case NODE_INT:
    case NODE_LONG: return walk_number(w, n);
    case NODE_FIXED: return decode_skip(w->c, n->count);
    case NODE_BYTES: return walk_bytes(w, n);
    case NODE_ENUM: return walk_choice(w, n, &symbol);
    case NODE_RECORD:
    case NODE_ARRAY:
    case NODE_MAP:
    case NODE_UNION: return walk_deeper(w, n);
    }
    return cursor_fail(w->c, "no such node");
}

struct err extract_record(const struct program *p, struct cursor *c, void *out)
{
    struct walk w = { .p = p, .c = c, .out = out };

    if (!walk_node(&w, p->root)) return FAIL(ERR_CORRUPT, c->why);
    const uint32_t missing = p->required & ~w.seen;
    if (!missing) return OK;
    const struct want *want = &p->wants[__builtin_ctz(missing)];
    return err_fail(ERR_CORRUPT, "field %d (%s) is null", (int)want->field_id, want->name);
}
