/*
 * metadata_file.h - the metadata.json of one commit: named and printed outside the transaction, written inside it.
 *
 * A file of up to LIMIT_JOURNAL_BODY goes into the journal with the transaction (one flush for the whole commit); a larger one is written to a volume and
 * flushed first. Either way the object and the pointer are one transaction. A file at another endpoint is written when it is prepared, and taken away again unless the transaction has kept it.
 * For the files of catalog/commit only.
 */
#ifndef CATALOG_COMMIT_METADATA_FILE_H
#define CATALOG_COMMIT_METADATA_FILE_H

#include "catalog/commit/warehouse.h"
#include "storage/object/object_put.h"

struct metadata_file {
    struct str location;   /* s3://... */
    struct str bytes;      /* in the arena */
    struct object_bytes small;
    struct object_put large;
    struct body_writer *body; /* NULL: small */
    struct warehouse warehouse;
    bool is_to_go;            /* it lies at another endpoint, and no table points at it */
};

/* previous: the metadata-location that it replaces, for the version in the name; empty: version 0. May wait. The file is to be given to metadata_file_done. */
struct err metadata_file_prepare(const struct warehouse *w, const json_t *metadata, struct str previous, struct arena *arena, struct metadata_file *ret);
struct err metadata_file_fn(struct txn *txn, struct metadata_file *f, struct arena *arena);
/* How the transaction ended: when it is done, or nobody knows, the file stays. */
void metadata_file_settle(struct metadata_file *f, struct err outcome);
/* Twice is fine. */
void metadata_file_done(struct metadata_file *f);

#endif
