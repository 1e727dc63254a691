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
struct err ref_metadata_names(const json_t *metadata, struct str location, struct arena *arena, struct ref_set *ret);

/* ---- lists and manifests ---- */

struct ref_source;
/* Open it, reading from the store. Errors as object_stat's and of catalog/avro. The arena lives until ref_source_close. */
struct err ref_source_open(struct store *s, const struct ref_file *owner, struct arena *arena, struct ref_source **ret);
/* The next file that it names; entries that only say that a file was deleted, and files of other stores, are passed over. The place lives in `place_arena`. *ret_is_end at the end. */
struct err ref_source_next(struct ref_source *src, struct arena *place_arena, struct ref_file *ret, bool *ret_is_end);
struct ref_source *ref_source_close(struct ref_source *src); /* NULL is fine; returns NULL */

#endif
