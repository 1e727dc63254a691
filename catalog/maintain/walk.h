/*
 * walk.h - going through all tables, one at a time, while they come and go.
 *
 * A walk is a place in the order of catalogs, namespaces and names. Nothing is held between steps: a table that is made behind the place is met in this round, one before it in the next.
 */
#ifndef CATALOG_MAINTAIN_WALK_H
#define CATALOG_MAINTAIN_WALK_H

#include "catalog/commit/warehouse.h"

/* Zeroed: at the beginning. To be given to walk_done. */
struct walk {
    struct buf catalog, ns, table; /* name, row keys: where the last table was; empty: before the first */
    bool is_begun;
};
void walk_done(struct walk *w);

struct walked {
    struct str catalog;
    struct table_ident ident;
    struct str uuid;
    bool is_external; /* its files lie at another S3 endpoint */
};

/* The next table, in the arena. *ret_found false: it was the last, and the walk is at the beginning again. */
struct err walk_next(struct store *s, struct walk *w, struct arena *arena, struct walked *ret, bool *ret_found);

/* The levels of a namespace, from its row's key. They point into key. */
struct err walk_path(struct str key, struct ns_path *ret);

#endif
