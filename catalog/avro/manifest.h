/*
 * manifest.h - reading a manifest: which files it names. As manifest_list.h:
 *
 *     TRY(manifest_open(input_of_bytes(bytes), &manifest));
 *     while (manifest_next(&manifest, &entry)) ...
 *     const struct err e = manifest.err;
 *     manifest_close(&manifest);
 *
 * Source: Iceberg format/spec.md, "Manifests". What an entry inherits from its manifest list (sequence numbers, first_row_id, in version 2
 * and later the snapshot id of a new file) is not filled in: that is MANIFEST_NONE here, and the caller has the list. The partition tuple, bounds
 * and counts are passed over.
 */
#ifndef CATALOG_AVRO_MANIFEST_H
#define CATALOG_AVRO_MANIFEST_H

#include "catalog/avro/manifest_list.h"

enum manifest_status { MANIFEST_EXISTING = 0, MANIFEST_ADDED = 1, MANIFEST_DELETED = 2 };
enum file_content { FILE_DATA = 0, FILE_POSITION_DELETES = 1, FILE_EQUALITY_DELETES = 2 };

/* What the file says about itself beside its entries. Views live as long as the manifest is open. */
struct manifest_header {
    struct str schema;             /* JSON of the table's schema at writing; empty if missing */
    struct str partition_spec;     /* JSON: the array of the spec's fields; empty if missing */
    int64_t partition_spec_id;     /* 0 if missing */
    int64_t format_version;        /* 1 if missing; 1, 2 or 3 */
    enum manifest_content content; /* MANIFEST_DATA if missing */
};

struct manifest_entry {
    enum manifest_status status;      /* 0 */
    int64_t snapshot_id;              /* 1, or MANIFEST_NONE */
    int64_t sequence_number;          /* 3, or MANIFEST_NONE */
    int64_t file_sequence_number;     /* 4, or MANIFEST_NONE */
    enum file_content content;        /* 134: FILE_DATA if missing */
    struct str file_path;             /* 100: views are valid until the next manifest_next. Not empty, UTF-8 */
    struct str file_format;           /* 101: as written: "PARQUET", "parquet", "puffin" */
    int64_t record_count;             /* 103: not negative */
    int64_t file_size_bytes;          /* 104: not negative; of the whole file, also for a deletion vector */
    struct str referenced_data_file;  /* 143: .data is NULL if there is none */
    int64_t content_offset;           /* 144: where in its file a deletion vector is, or MANIFEST_NONE */
    int64_t content_size;             /* 145, or MANIFEST_NONE */
    int64_t first_row_id;             /* 142, or MANIFEST_NONE */
};

struct manifest {
    struct err err; /* why manifest_next ended; OK: at the end of the file. Its text is this thread's (err.h) */
    struct manifest_header header;
    struct avro_reader *reader;
};

/* The input becomes the manifest's, also on failure. Errors: as manifest_list_open; also ERR_UNSUPPORTED for a later format version. */
struct err manifest_open(struct input in, struct manifest *ret);
bool manifest_next(struct manifest *m, struct manifest_entry *ret);
void manifest_close(struct manifest *m); /* once more is fine */

#endif
