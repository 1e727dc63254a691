/*
 * cache.h - files that never change under their name, kept in memory: metadata files of other endpoints.
 *
 * Names are whole addresses (endpoint, bucket, key). Any thread; what was used least lately goes when bytes_max is reached. A file that is larger than a quarter of that is not kept.
 */
#ifndef STORAGE_REMOTE_CACHE_H
#define STORAGE_REMOTE_CACHE_H

#include <stdbool.h>

#include "storage/base/arena.h"
#include "storage/base/err.h"

struct file_cache;
struct err file_cache_new(size_t bytes_max, struct file_cache **ret);
struct file_cache *file_cache_free(struct file_cache *c); /* NULL is fine; returns NULL */

/* A copy in the arena. False: it is not here; *ret without bytes and true cannot be: empty files are not kept. ERR_NO_MEMORY is told as false: it is fetched, and that tells. */
bool file_cache_get(struct file_cache *c, struct str name, struct arena *arena, struct str *ret);
/* Copies; for want of memory nothing is kept. */
void file_cache_put(struct file_cache *c, struct str name, struct str bytes);
void file_cache_forget(struct file_cache *c, struct str name);

#endif
