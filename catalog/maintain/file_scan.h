/*
 * file_scan.h - the files that one snapshot needs, or that a table's metadata names at all: each once, with how many snapshots hold it, and from any place on.
 *
 * It reads the references (catalog/refs), so it tells what they know. A scan is of one view; between two the table may have changed, and a scan that goes on then tells the rest as it is by then.
 */
#ifndef CATALOG_MAINTAIN_FILE_SCAN_H
#define CATALOG_MAINTAIN_FILE_SCAN_H

#include "catalog/refs/ref_row.h"

struct file_scope {
    struct str uuid;
    bool is_external;             /* of an external table */
    bool is_all;                  /* everything that the current metadata names; the rest is not set then */
    struct ref_file *heads;       /* of a snapshot: its list, if it has one, and its manifests */
    size_t head_count;
    const struct ref_id *manifests; /* the manifests among them, by id */
    size_t manifest_count;
};

/* The scope of one snapshot of the metadata, in the arena; uuid and is_external of *ret are set by the caller. ERR_INVALID: its URLs are not right. */
struct err file_scope_of(struct rows *r, const json_t *snapshot, struct arena *arena, struct file_scope *ret);

/* Where a scan is: zeroed at the beginning. */
struct file_place {
    uint32_t heads;            /* told so far */
    struct ref_id owner, file; /* the last edge that was looked at; both zero: none */
};

struct file_scan {
    struct rows *rows;
    const struct file_scope *scope;
    struct file_place at;
    size_t visited;            /* rows that were looked at, for who wants to end in time */
    bool is_open;
    struct rows_scan edges;
    struct buf lists;          /* of struct ref_id: the lists that hold the last file */
    struct ref_id manifest;    /* whose lists were counted last: files come manifest by manifest */
    uint64_t manifest_lists;
};
/* To be given to file_scan_done before the view is closed. */
void file_scan_begin(struct file_scan *scan, struct rows *r, const struct file_scope *scope, struct file_place at);
void file_scan_done(struct file_scan *scan);

/* The next file; its strings live until the next call. *ret_snapshots: how many hold it; 0 for a metadata file or statistics. */
struct err file_scan_next(struct file_scan *scan, struct ref_file *ret, uint64_t *ret_snapshots, bool *ret_is_end);

#endif
