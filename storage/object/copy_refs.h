/*
 * copy_refs.h - references to all bodies of a part map for a copy of it, when they are too many for one transaction.
 *
 * Why it is safe: before the first reference is taken, a row of garbage (PART_MAP, garbage.h) with a copy of the map says that they are to be dropped,
 * but not before a time some minutes ahead, which each slice puts off. The transaction that publishes the copy deletes that row. If the copy fails,
 * or the server stops, the row becomes due and multipart_clear drops every reference that was taken. Each slice, and the publishing, look whether the
 * row is still as they left it: so if the clearing did begin (a copy that hung for minutes), the copy fails, and nothing is ever half referred to.
 */
#ifndef STORAGE_OBJECT_COPY_REFS_H
#define STORAGE_OBJECT_COPY_REFS_H

#include "storage/object/garbage.h"
#include "storage/object/part_map.h"

struct copy_refs {
    const struct part_map *map;  /* outlives this */
    struct garbage garbage;      /* as it was last written; kind 0: not yet */
    struct garbage next;         /* as the running transaction writes it */
    size_t taken;                /* entries of the map */
};

/* Put the garbage row and take all references under referrer. ERR_NOT_FOUND: a body is gone. On failure too, copy_refs_undo is to be called. */
struct err copy_refs_begin(struct copy_refs *c, struct meta *m, const struct part_map *map, struct uid referrer);
/* In the publishing transaction: the references are the copy's from now on. ERR_CONFLICT when they are being dropped already. */
struct err copy_refs_publish(struct txn *txn, struct copy_refs *c);
/* What was taken is due to be dropped now. */
void copy_refs_undo(struct copy_refs *c, struct meta *m);

/* In a transaction: references to the bodies of entries [from, to). */
struct err copy_refs_take(struct txn *txn, const struct part_map *map, struct uid referrer, size_t from, size_t to);

#endif
