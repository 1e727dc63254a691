/*
 * arena.c - memory that dies together.
 *
 * A chain of blocks, each cut from the front. The arena itself lies at the start of the first block, so a small request costs one
 * malloc. Blocks double up to BLOCK_MAX; what is larger than a quarter of a block gets one of its own, so that it does not
 * waste the rest of the block in use. The ceiling counts what was handed out (rounded up to the alignment): with
 * doubling, at most about twice that is taken from the system.
 *
 * With AddressSanitizer every allocation is a block of its own, so that a write past its end, or a read after a reset, is found.
 */
#include "storage/base/arena.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 16
#ifdef __SANITIZE_ADDRESS__
#define BLOCK_FIRST (sizeof(struct arena))
#define BLOCK_MAX ((size_t)0)
#else
#define BLOCK_FIRST ((size_t)8160) /* with malloc's own header, two pages */
#define BLOCK_MAX ((size_t)256 * 1024)
#endif

struct block {
    _Alignas(ALIGNMENT) struct block *next;
    size_t size; /* of data */
    char data[];
};

struct deferred {
    struct deferred *next;
    void (*fn)(void *);
    void *arg;
};

struct arena {
    _Alignas(ALIGNMENT) size_t bytes, bytes_max;
    char *free, *end;          /* what is left of the block in use */
    size_t block_size;         /* of the next block */
    struct block *blocks;      /* all but the first, last taken first */
    struct deferred *deferred; /* last registered first */
};

_Static_assert(sizeof(struct block) % ALIGNMENT == 0, "data of a block is aligned");
_Static_assert(sizeof(struct arena) % ALIGNMENT == 0, "data of the first block is aligned");

/* As it was born: nothing handed out, the first block in use. */
static void start(struct arena *a)
{
    a->bytes = 0;
    a->free = (char *)a + sizeof(*a);
    a->end = (char *)a + BLOCK_FIRST;
    a->block_size = BLOCK_MAX ? 2 * BLOCK_FIRST : 0;
    a->blocks = NULL;
    a->deferred = NULL;
}

struct arena *arena_new(size_t bytes_max)
{
    struct arena *a = malloc(BLOCK_FIRST);

    if (!a) return NULL;
    a->bytes_max = bytes_max;
    start(a);
    return a;
}

/* A deferred call may still read the arena's memory, and may defer more. */
static void end(struct arena *a)
{
    while (a->deferred) {
        const struct deferred d = *a->deferred;
        a->deferred = d.next;
        d.fn(d.arg);
    }
    while (a->blocks) {
        struct block *b = a->blocks;
        a->blocks = b->next;
        free(b);
    }
}

struct arena *arena_free(struct arena *a)
{
    if (a) end(a);
    free(a);
    return NULL;
}

void arena_freep(struct arena **a)
{
    *a = arena_free(*a);
}

void arena_reset(struct arena *a)
{
    end(a);
    start(a);
}

static struct block *block_new(struct arena *a, size_t size)
{
    struct block *b = malloc(sizeof(*b) + size);

    if (!b) return NULL;
    b->size = size;
    b->next = a->blocks;
    a->blocks = b;
    return b;
}

/* size bytes from a new block; the block in use stays in use if the new one was made for this alone. */
static char *take_new_block(struct arena *a, size_t size)
{
    if (size > a->block_size / 4) {
        struct block *own = block_new(a, size);
        return own ? own->data : NULL;
    }
    struct block *b = block_new(a, a->block_size);
    if (!b) return NULL;
    a->free = b->data + size;
    a->end = b->data + b->size;
    if (2 * a->block_size <= BLOCK_MAX) a->block_size *= 2;
    return b->data;
}

void *arena_alloc(struct arena *a, size_t size)
{
    size_t rounded;

    if (__builtin_add_overflow(size ? size : 1, ALIGNMENT - 1, &rounded)) return NULL;
    rounded -= rounded % ALIGNMENT;
    if (rounded > a->bytes_max - a->bytes) return NULL;

    char *p;
    if (rounded <= (size_t)(a->end - a->free)) {
        p = a->free;
        a->free += rounded;
    } else {
        /* The sanitizer is to see the end of what was asked for. */
        p = take_new_block(a, BLOCK_MAX ? rounded : size);
        if (!p) return NULL;
    }
    a->bytes += rounded;
    assert(a->bytes <= a->bytes_max);
    return memset(p, 0, size);
}

void *arena_alloc_array(struct arena *a, size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total)) return NULL;
    return arena_alloc(a, total);
}

enum { GROW_FIRST = 16 };

void *arena_grow(struct arena *a, void *items, size_t count, size_t *room, size_t size)
{
    const size_t wanted = *room ? 2 * *room : GROW_FIRST;

    if (count < *room) return items;
    void *grown = wanted > *room ? arena_alloc_array(a, wanted, size) : NULL;
    if (!grown) return NULL;
    if (count) memcpy(grown, items, count * size);
    *room = wanted;
    return grown;
}

char *arena_z(struct arena *a, struct str s)
{
    char *copy = s.len < SIZE_MAX ? arena_alloc(a, s.len + 1) : NULL;

    if (copy && s.len) memcpy(copy, s.data, s.len);
    return copy;
}

struct str arena_str(struct arena *a, struct str s)
{
    char *copy = arena_z(a, s);
    return copy ? str_of(copy, s.len) : STR_NONE;
}

struct str arena_printf(struct arena *a, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    const int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = len < 0 ? NULL : arena_alloc(a, (size_t)len + 1);
    if (!text) return STR_NONE;

    va_start(args, format);
    vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return str_of(text, (size_t)len);
}

struct str arena_join(struct arena *a, struct str x, struct str y)
{
    size_t len, size;

    if (__builtin_add_overflow(x.len, y.len, &len) || __builtin_add_overflow(len, 1, &size)) return STR_NONE;
    char *text = arena_alloc(a, size);
    if (!text) return STR_NONE;
    if (x.len) memcpy(text, x.data, x.len);
    if (y.len) memcpy(text + x.len, y.data, y.len);
    return str_of(text, len);
}

bool arena_defer(struct arena *a, void (*fn)(void *), void *arg)
{
    struct deferred *d = arena_new_of(a, struct deferred);

    if (!d) return false;
    *d = (struct deferred){ a->deferred, fn, arg };
    a->deferred = d;
    return true;
}

size_t arena_bytes(const struct arena *a)
{
    return a->bytes;
}
