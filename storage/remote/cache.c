/*
 * cache.c - a table of chains by hash, and the entries in a ring by use.
 *
 * The bytes are copied out under the lock: at the sizes of metadata files (kilobytes to a few megabytes) that is cheaper than counting readers.
 */
#include "storage/remote/cache.h"

#include <stdlib.h>
#include <string.h>

#include "storage/base/digest.h"
#include "storage/base/thread.h"

enum { CHAINS = 4096 }; /* at 16 KB a file and 64 MiB in all, one entry a chain */

struct entry {
    struct entry *next_in_chain;
    struct entry *newer, *older;
    size_t chain;
    struct str name, bytes; /* behind the entry itself */
};

struct file_cache {
    struct mutex lock;
    size_t bytes_max, bytes; /* the rest is guarded by lock */
    struct entry ring;       /* its older: the newest */
    struct entry *chains[CHAINS];
};

struct err file_cache_new(size_t bytes_max, struct file_cache **ret)
{
    struct file_cache *c = calloc(1, sizeof(*c));

    if (!c) return no_memory();
    mutex_init(&c->lock, LOCK_REMOTE);
    c->bytes_max = bytes_max;
    c->ring.newer = c->ring.older = &c->ring;
    *ret = c;
    return OK;
}

static size_t chain_of(struct str name)
{
    return crc64nvme(0, name.data, name.len) % CHAINS;
}

static struct entry **find_locked(struct file_cache *c, struct str name)
{
    struct entry **at = &c->chains[chain_of(name)];

    while (*at && !str_eq((*at)->name, name)) at = &(*at)->next_in_chain;
    return at;
}

static void unlink_ring_locked(struct entry *e)
{
    e->newer->older = e->older;
    e->older->newer = e->newer;
}

static void make_newest_locked(struct file_cache *c, struct entry *e)
{
    e->newer = &c->ring;
    e->older = c->ring.older;
    e->older->newer = e;
    c->ring.older = e;
}

static void remove_locked(struct file_cache *c, struct entry **at)
{
    struct entry *e = *at;

    *at = e->next_in_chain;
    unlink_ring_locked(e);
    c->bytes -= e->bytes.len;
    free(e);
}

struct file_cache *file_cache_free(struct file_cache *c)
{
    if (!c) return NULL;
    while (c->ring.newer != &c->ring) remove_locked(c, find_locked(c, c->ring.newer->name));
    mutex_done(&c->lock);
    free(c);
    return NULL;
}

bool file_cache_get(struct file_cache *c, struct str name, struct arena *arena, struct str *ret)
{
    struct str copy = STR_NONE;

    mutex_lock(&c->lock);
    struct entry *e = *find_locked(c, name);
    if (e) {
        unlink_ring_locked(e);
        make_newest_locked(c, e);
        copy = arena_str(arena, e->bytes);
    }
    mutex_unlock(&c->lock);
    if (copy.data) *ret = copy;
    return copy.data != NULL;
}

static struct entry *entry_of(struct str name, struct str bytes)
{
    struct entry *e = malloc(sizeof(*e) + name.len + bytes.len);

    if (!e) return NULL;
    char *text = (char *)(e + 1);
    memcpy(text, name.data, name.len);
    memcpy(text + name.len, bytes.data, bytes.len);
    *e = (struct entry){ .chain = chain_of(name),
                         .name = str_of(text, name.len),
                         .bytes = str_of(text + name.len, bytes.len) };
    return e;
}

void file_cache_put(struct file_cache *c, struct str name, struct str bytes)
{
    if (bytes.len == 0 || bytes.len > c->bytes_max / 4) return;
    struct entry *e = entry_of(name, bytes);

    if (!e) return;
    mutex_lock(&c->lock);
    struct entry **at = find_locked(c, name);
    if (*at) remove_locked(c, at);
    e->next_in_chain = c->chains[e->chain];
    c->chains[e->chain] = e;
    make_newest_locked(c, e);
    c->bytes += bytes.len;
    while (c->bytes > c->bytes_max) remove_locked(c, find_locked(c, c->ring.newer->name));
    mutex_unlock(&c->lock);
}

void file_cache_forget(struct file_cache *c, struct str name)
{
    mutex_lock(&c->lock);
    struct entry **at = find_locked(c, name);
    if (*at) remove_locked(c, at);
    mutex_unlock(&c->lock);
}
