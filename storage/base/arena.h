/*
 * arena.h - memory that dies together.
 *
 * A request has one arena; whatever is born of the request is taken from it and freed with it. An arena has a ceiling in
 * bytes: beyond it, or when the system has no memory, allocation gives NULL and the arena stays usable; callers answer
 * ERR_NO_MEMORY (or ERR_TOO_LARGE where a client chose the size). Not for two threads at once; it may be handed over.
 */
#ifndef STORAGE_BASE_ARENA_H
#define STORAGE_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

#include "storage/base/str.h"

struct arena;

struct arena *arena_new(size_t bytes_max); /* NULL: no memory */
struct arena *arena_free(struct arena *a); /* runs the deferred calls, last first; NULL is fine; returns NULL */
void arena_freep(struct arena **a);        /* for CLEANUP(arena_freep) */
void arena_reset(struct arena *a);         /* as freed and new, but keeps its first block */

/* Zeroed, aligned for any type. NULL beyond the ceiling. */
void *arena_alloc(struct arena *a, size_t size);
#define arena_new_of(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define arena_array(a, type, count) ((type *)arena_alloc_array((a), (count), sizeof(type)))
void *arena_alloc_array(struct arena *a, size_t count, size_t size); /* NULL on overflow too */

/* Room for one more item behind the first count of an array: the array itself, or, when *room is used up, a copy of it with twice the room (in *room). NULL: no memory,
 * and nothing has changed. Begin with NULL, 0 and a room of 0. */
void *arena_grow(struct arena *a, void *items, size_t count, size_t *room, size_t size);

/* A copy of s, NUL-terminated behind its end. On failure .data is NULL (an empty s gives "" with length 0). */
struct str arena_str(struct arena *a, struct str s);
char *arena_z(struct arena *a, struct str s); /* the same as a C string */
struct str arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct str arena_join(struct arena *a, struct str x, struct str y);

/* Call fn(arg) when the arena is freed or reset. False: no memory, and nothing was registered. */
bool arena_defer(struct arena *a, void (*fn)(void *), void *arg);

size_t arena_bytes(const struct arena *a); /* handed out so far */

#endif
