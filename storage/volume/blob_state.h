/*
 * blob_state.h - what the files behind blob.h share: the store's state, writers, and what recovery and reclaim need of both.
 *
 * blob.c opens, closes and counts; writer.c writes; refs.c has the transactions; reader.c reads; recover.c is the start; reclaim.c gives
 * space back; volume_compact.c empties volumes. Nobody above storage/volume includes this.
 */
#ifndef STORAGE_VOLUME_BLOB_STATE_H
#define STORAGE_VOLUME_BLOB_STATE_H

#include <stdatomic.h>

#include "storage/volume/blob.h"
#include "storage/volume/pins.h"
#include "storage/volume/reclaim.h"
#include "storage/volume/record.h"
#include "storage/volume/volume_rows.h"
#include "storage/volume/volume_set.h"

struct blobs {
    struct meta *meta;
    char *dir;                       /* NULL: no volumes, and no set and no reclaim either */
    struct volume_place place;
    uint64_t own_file_bytes;
    uint64_t chunk_bytes_max;        /* of one reservation */
    int lock_fd;                     /* of the directory; -1: not locked */
    struct uid store;
    struct volume_set *set;
    struct pins pins;                /* of readers and writers */
    struct reclaim *reclaim;
    _Atomic uint64_t bytes_taken;    /* by extents with rows, waiting ones included */
    _Atomic uint64_t bytes_waiting;  /* freed, seen by the last pass of reclaim, and not given back yet */
    _Atomic uint64_t volumes_sealed;
};

enum writer_state { WRITER_WRITING, WRITER_FLUSHING, WRITER_DURABLE, WRITER_FAILED };

struct blob_writer {
    struct blobs *b;
    int slot;
    struct pin pin;               /* its own body: so a body freed while its writer is open keeps its rows in SPACE_FREED */
    uint64_t size_hint, length;
    _Atomic enum writer_state state;
    struct err error;             /* the first; every later call gives it again */
    char why[200];
    /* Extents, of which the last may still be open for more data; volumes[i] is where extents[i] lies, with one reservation each. */
    struct extent *extents;
    struct volume **volumes;
    uint32_t count, size;
    bool is_extent_open;
    uint64_t reserved_end;        /* of the open extent, in its volume */
    uint64_t synced_end;          /* up to where writing out was begun */
    struct record_sums sums;      /* of the open extent */
    struct volume *own;           /* the present one of its own files */
    uint8_t *row;                 /* for SPACE_BODIES; made by flush */
    struct flush_request request;
    void (*done)(void *arg, struct err e);
    void *arg;
    struct blob_writer *next;     /* reclaim's list of abandoned ones */
};

/* blob_write_begin for a body whose uid is known: of one that is there already this writes a second copy, for body_move. (writer.c) */
struct err writer_begin(struct blobs *b, struct uid body, uint64_t size_hint, struct blob_writer **ret);
/* In a transaction, after the flush of such a copy: the body lies where w wrote it, and its old space is freed; what refers to it is not touched. *ret_moved false: the body is gone, or its row is not
 * `row` any more; then nothing is changed. May run more than once. (refs.c) */
struct err body_move(struct txn *txn, const struct blob_writer *w, struct str row, bool *ret_moved);

/* End of the space that extent i of w has: its whole reservation. */
uint64_t writer_extent_end(const struct blob_writer *w, uint32_t i);
/* Free a writer whose reservations are released. */
void writer_free(struct blob_writer *w);

/* Are the rows of w's body there, or those that remain of it while w is open? (refs.c) */
struct err writer_is_published(struct rows *r, const struct blob_writer *w, bool *ret);

/* How much of a volume is taken, after punching all else out of the file that is open as fd. */
struct volume_space {
    uint64_t end, bytes_taken;
};
struct err volume_punch_gaps(struct rows *r, int fd, uint64_t volume, struct volume_space *ret); /* recover.c */

/* A volume that nobody can write to any more: punch its gaps, cut it, and put its row; or, if it is empty, remove it. (recover.c) */
struct err volume_seal(struct blobs *b, uint64_t volume, int fd, bool is_own);

/* The start: whose directory it is, which files and rows belong together, which volumes go on. Opens b->set. (recover.c) */
struct err volumes_recover(struct blobs *b, int slots);

#endif
