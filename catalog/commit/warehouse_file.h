/*
 * warehouse_file.h - the files of a catalog's tables by their place, for who keeps tables clean: read, looked at, listed, deleted, wherever they lie.
 *
 * A file's place is "bucket/key" in this store and "@bucket/key" at another endpoint (warehouse.h). The endpoint is no part of it, and is the catalog's: one endpoint may be called by several addresses, so two places
 * that differ by the address alone could be one file, and who asks "does another table name it?" would be told no. With the name alone the mistake is the other one: a file stays because another endpoint has one of the
 * same name (decisions/0019).
 *
 * All but warehouse_for_upkeep waits, of an external warehouse for the network, as the background does (remote.h).
 */
#ifndef CATALOG_COMMIT_WAREHOUSE_FILE_H
#define CATALOG_COMMIT_WAREHOUSE_FILE_H

#include "catalog/commit/warehouse.h"

/* Of a table; without base_location. Texts are in the arena. ERR_NOT_FOUND: its catalog is gone. */
struct err warehouse_for_upkeep(struct store *s, struct rows *r, const struct table_row *row, struct arena *arena, struct warehouse *ret);
/* The same, of a storageConfigInfo that was kept; it is borrowed. */
struct warehouse warehouse_elsewhere(struct store *s, const json_t *storage);
/* Does the endpoint of this place rest, after a failure? Then nothing there is worth beginning. Never in this store. */
bool warehouse_rests(const struct warehouse *w, struct str place);

/* Is it the warehouse that failed, or what lies there? Then others may do better; else it is trouble of our own (memory, space, a stop). */
bool warehouse_is_to_blame(struct err e);

/* Reading from any place on. */
struct warehouse_file;
/* ERR_NO_SUCH_KEY, ERR_NO_SUCH_BUCKET; as object_reader_open, remote_read. */
struct err warehouse_file_open(const struct warehouse *w, struct str place, struct warehouse_file **ret);
struct warehouse_file *warehouse_file_close(struct warehouse_file *f); /* NULL is fine; returns NULL */
uint64_t warehouse_file_size(const struct warehouse_file *f);
/* An input_read_fn (catalog/avro/input.h); arg is the file. */
struct err warehouse_file_read(void *arg, uint64_t offset, void *out, size_t len);

/* ---- external alone ---- */

/* As remote_stat, remote_delete. */
struct err warehouse_stat(const struct warehouse *w, struct str place, struct arena *arena, struct remote_file *ret);
struct err warehouse_remove(const struct warehouse *w, struct str place, struct arena *arena);
/* A page of a place "@bucket/key/" of a table, as remote_list. */
struct warehouse_page {
    struct str place, after; /* a key; empty: all */
    size_t max;
};
struct err warehouse_list(const struct warehouse *w, struct warehouse_page page, struct arena *arena, struct remote_listing *ret);

#endif
