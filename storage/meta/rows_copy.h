/*
 * rows_copy.h - the file that a broken LMDB is replaced by: a compact copy of it, and at its end what is needed to trust and to use it.
 *
 * One file, so that one rename replaces it whole (docs/FORMAT.md). With the journal from segment_from on it gives the rows as they are now: recover.h replays from the position that the copy has in
 * it. Who keeps that journal, and when a copy is made, is copy_keep.h's.
 *
 * Threads: none of its own but for the time of rows_copy_write.
 */
#ifndef STORAGE_META_ROWS_COPY_H
#define STORAGE_META_ROWS_COPY_H

#include "storage/meta/lmdb_store.h"

#define ROWS_COPY_NAME "rows.copy"

struct rows_copy {
    uint64_t bytes;        /* of LMDB's file in it */
    int64_t made_ms;
    uint32_t segment_from; /* the journal from this segment on belongs to it; 0: from the first */
    uint32_t crc32c;       /* of LMDB's file */
    uint8_t journal_id[16];
};

/* Called after each piece: the place to wait. What it returns ends the copying. */
typedef struct err rows_copy_pace_fn(void *arg, uint64_t bytes);

/* Write a copy to path, durably but for its name, and check it page for page and row for row: damage is not copied over a good copy. about: made_ms, segment_from, journal_id. On failure there is no
 * file, or one that the next call writes over. ERR_CORRUPT: LMDB is damaged. ERR_NO_SPACE, ERR_IO, ERR_NO_MEMORY. */
struct err rows_copy_write(struct lmdb_store *l, const char *path, const struct rows_copy *about, rows_copy_pace_fn *pace,
                           void *arg);
/* What a file says of itself. ERR_NOT_FOUND; ERR_CORRUPT: it is not whole. What is in it is not read. */
struct err rows_copy_look(const char *path, struct rows_copy *ret);
/* Write LMDB's file out of it to `to`, durably but for its name. ERR_CORRUPT: its checksum does not match. */
struct err rows_copy_unpack(const char *path, const char *to, struct rows_copy *ret);

#endif
