/*
 * ref_source.h - what an owner names: read from a metadata file, a manifest list, a manifest.
 *
 * For the files of catalog/refs only.
 */
#ifndef CATALOG_REFS_REF_SOURCE_H
#define CATALOG_REFS_REF_SOURCE_H

#include "catalog/refs/ref_row.h"

/* ---- metadata ---- */

struct ref_set {
    struct ref_file *files; /* by id, each once; in the arena */
    size_t count;
};
bool ref_set_has(const struct ref_set *set, struct ref_id id);

/* The metadata file itself, those of its log, the lists of its snapshots (or the manifests, of version 1), its statistics. ERR_INVALID: a URL that cannot be told. */
struct ref_origin {
    struct str location; /* of the metadata file; empty: it is not to be among them */
    uint64_t size;       /* of its bytes; 0: not known */
    bool is_external;    /* of an external table */
};
struct err ref_metadata_names(const json_t *metadata, const struct ref_origin *origin, struct arena *arena, struct ref_set *ret);

/* ---- lists and manifests ---- */

struct ref_source;
/* Open it, reading from the table's warehouse. Errors as warehouse_file_open's and of catalog/avro. The arena and the owner's place live until ref_source_close. */
struct err ref_source_open(const struct warehouse *home, const struct ref_file *owner, struct arena *arena, struct ref_source **ret);
/* The next file that it names; entries that only say that a file was deleted, and files of other stores, are passed over. The place lives in `place_arena`. *ret_is_end at the end. */
struct err ref_source_next(struct ref_source *src, struct arena *place_arena, struct ref_file *ret, bool *ret_is_end);
uint64_t ref_source_size(const struct ref_source *src); /* of the file itself */
struct ref_source *ref_source_close(struct ref_source *src); /* NULL is fine; returns NULL */

#endif
