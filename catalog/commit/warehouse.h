/*
 * warehouse.h - where a catalog's metadata files lie: in this store, or at another S3 endpoint (decisions/0015).
 *
 * In this store a file is an object like any other, and is written in the transaction that points at it. At another endpoint it is written before, under a name that nobody had, and is deleted again when the
 * transaction is refused. The calls that go there wait for the network: for workers.
 */
#ifndef CATALOG_COMMIT_WAREHOUSE_H
#define CATALOG_COMMIT_WAREHOUSE_H

#include "catalog/commit/entity.h"
#include "storage/remote/remote.h"

struct warehouse {
    struct store *store;
    struct str base_location;
    bool is_external;
    struct remote_place place; /* external: the bucket alone is left out, since locations name it */
};

/* Texts are borrowed from the catalog. */
struct warehouse warehouse_of(struct store *s, const struct catalog_info *c);
struct warehouse warehouse_of_row(struct store *s, const struct catalog_row *c);

/* A metadata file, whole. ERR_NO_SUCH_KEY, ERR_NO_SUCH_BUCKET, ERR_TOO_LARGE; ERR_UNAVAILABLE as remote_get. */
struct err warehouse_read(const struct warehouse *w, struct str location, struct arena *arena, struct str *ret);
/* External alone: make a file under a fresh name; take it away again. ERR_UNAVAILABLE: it was not written, or nobody knows (a fresh name may lie there all the same). */
struct err warehouse_write(const struct warehouse *w, struct str location, struct str bytes, struct arena *arena);
struct err warehouse_delete(const struct warehouse *w, struct str location, struct arena *arena);

/* For a catalog that is to be made, with this storageConfigInfo: is its bucket at the endpoint that it names? *ret_is_external false: none is named, or we have no credentials for it. ERR_INVALID: it is no address.
 * ERR_NO_SUCH_BUCKET, ERR_UNAVAILABLE: it was asked, and says no. */
struct err warehouse_look(struct store *s, const json_t *storage, struct str bucket, struct arena *arena, bool *ret_is_external);
/* What of storageConfigInfo says where an external catalog's requests go, and signed by whom; ERR_INVALID: it says nothing that can be used. */
struct err warehouse_check(const json_t *storage);
bool warehouse_is_same(const json_t *a, const json_t *b);

/* ---- places of external tables ----
 * They begin with a sign that no bucket's name has, so that no object of this store is ever in one. */
#define PLACE_EXTERNAL "@"
bool place_is_external(struct str place);
struct str place_plain(struct str place); /* "bucket/key/" of either kind */
/* ERR_NO_MEMORY. */
struct err location_set_external(struct location_set *set, struct arena *arena);
bool table_row_is_external(const struct table_row *row);

#endif
