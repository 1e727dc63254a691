/*
 * check_state.h - what the files of the check share. Others use check.h.
 *
 * A row function holds one row against the others: OK, or an error, which the loop in check.c tells as a finding (but for ERR_NO_MEMORY, ERR_BUSY and
 * ERR_UNAVAILABLE, which end the check: they say nothing of the store).
 */
#ifndef ADMIN_STORE_CHECK_STATE_H
#define ADMIN_STORE_CHECK_STATE_H

#include "admin/store/check.h"
#include "storage/base/arena.h"

/* Ids that were met, in the order of their rows until they are sorted; shorter ones end in zeros. */
struct known_ids {
    struct uid *ids;
    size_t count, size;
};
struct err known_ids_add(struct known_ids *set, struct str id); /* at most 16 bytes */
void known_ids_sort(struct known_ids *set);
bool known_ids_has(const struct known_ids *set, struct str id);

struct check {
    const struct check_options *options;
    struct rows *view;
    struct arena *scratch; /* emptied for each row */
    struct uid store_id;   /* of the volumes; zero while there are none */
    struct known_ids buckets, uploads, catalogs;
    uint64_t volume, volume_end; /* of the extent before */
    struct check_result result;
};

/* The row is there, or the error says what is missing: "no such ...". */
struct err check_has_row(struct check *c, enum space space, struct str key, const char *what);
/* A body in volumes is there, that long, and referrer refers to it. */
struct err check_body(struct check *c, struct uid body, struct uid referrer, uint64_t length);
/* Read a journal body into the scratch arena. */
struct err check_read_place(struct check *c, struct place p, struct str *ret);
/* Every byte of a body, verified. */
struct err check_read_object(struct check *c, const struct object_info *info);

typedef struct err check_row_fn(struct check *c, struct str key, struct str value);
check_row_fn check_bucket, check_object, check_upload, check_part, check_garbage;
check_row_fn check_body_row, check_body_ref, check_extent, check_freed, check_volume;
check_row_fn check_catalog, check_namespace, check_namespace_id, check_table, check_table_id, check_location;

#endif
