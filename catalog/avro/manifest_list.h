/*
 * manifest_list.h - reading a snapshot's manifest list: which manifests there are.
 *
 *     struct manifest_list list;
 *     struct manifest_file file;
 *     TRY(manifest_list_open(input_of_bytes(bytes), &list));
 *     while (manifest_list_next(&list, &file)) ...
 *     const struct err e = list.err;
 *     manifest_list_close(&list);
 *
 * Source: Iceberg format/spec.md, "Manifest Lists". Fields are found by their field-id, whatever their names, order and extras. Lists of
 * version 1 lack some: then they are as said below. The file may be hostile: limits and errors are those of record_reader.h.
 */
#ifndef CATALOG_AVRO_MANIFEST_LIST_H
#define CATALOG_AVRO_MANIFEST_LIST_H

#include "catalog/avro/input.h"

struct avro_reader;

#define MANIFEST_NONE (-1) /* a number that the file does not say */

enum manifest_content { MANIFEST_DATA = 0, MANIFEST_DELETES = 1 };

struct manifest_file {
    struct str path;                   /* 500: a view, valid until the next manifest_list_next. Not empty, UTF-8 */
    int64_t length;                    /* 501: not negative */
    int64_t partition_spec_id;         /* 502: not negative */
    enum manifest_content content;     /* 517: MANIFEST_DATA if missing */
    int64_t sequence_number;           /* 515: 0 if missing, as for all of version 1 */
    int64_t min_sequence_number;       /* 516: the same */
    int64_t added_snapshot_id;         /* 503, or MANIFEST_NONE */
    int64_t added_files, existing_files, deleted_files; /* 504, 505, 506, or MANIFEST_NONE */
    int64_t added_rows, existing_rows, deleted_rows;    /* 512, 513, 514, or MANIFEST_NONE */
    int64_t first_row_id;              /* 520, or MANIFEST_NONE */
};

struct manifest_list {
    struct err err;     /* why manifest_list_next ended, OK: at the end of the file. Its text is this thread's (err.h) */
    struct avro_reader *reader;
};

/* The input becomes the list's, also on failure. ERR_CORRUPT; ERR_INVALID: a good Avro file, but not a manifest list;
 * ERR_UNSUPPORTED, ERR_TOO_LARGE, ERR_NO_MEMORY, and what the input's reader gives. */
struct err manifest_list_open(struct input in, struct manifest_list *ret);
bool manifest_list_next(struct manifest_list *list, struct manifest_file *ret);
void manifest_list_close(struct manifest_list *list); /* once more is fine */

#endif
