/*
 * table_write.h - what creating, committing and registering share: a new state of one table, prepared outside the transaction and written inside it.
 * For the files of catalog/commit only.
 */
#ifndef CATALOG_COMMIT_TABLE_WRITE_H
#define CATALOG_COMMIT_TABLE_WRITE_H

#include "catalog/commit/commit_note.h"
#include "catalog/commit/entity.h"
#include "catalog/commit/metadata_file.h"

struct table_write {
    struct table_ident ident;
    bool is_new;                  /* no table may be there; else one with base_version */
    uint64_t base_version;
    char uuid[37];
    struct str location;
    struct location_set locations; /* that the new metadata names; checked against the catalog's base location when prepared */
    struct table_info shown;       /* places alone */
    struct metadata_file file;
    struct commit_dropped dropped; /* what the table's state before named and this one does not */
    bool is_registered;           /* the file is there already: file.location alone is used */
    const char *operation;        /* for the audit row */
    const json_t *details;
};

/* ERR_CONFLICT: the table is not what the write was prepared from (prepare again). ERR_TABLE_EXISTS, ERR_NO_SUCH_NAMESPACE,
 * ERR_LOCATION_TAKEN (of a new table; ERR_INVALID of one that is there). */
struct err table_write_fn(struct txn *txn, struct str catalog, struct table_write *w, const struct actor *who, struct arena *arena);

/* Fill uuid, location, locations and file from metadata. */
struct err table_write_prepare(const struct warehouse *home, const json_t *metadata, struct str previous_file, struct arena *arena, struct table_write *w);

/* What the table is now. It cannot fail, since the change is made by then. */
void table_write_result(const struct table_write *w, struct table_info *ret);

#endif
