/*
 * blob.h - bodies that are too large for the journal: in volume files, under reference rows.
 *
 * A body is written once, made durable, then published by a transaction; from then on it is immutable, has a uid, and lives while a
 * reference row (body uid, referrer uid) exists. A body whose last reference is gone is never referenced again. Space is given back (punch,
 * unlink) only when the freeing transaction is checkpointed, all views older than it are closed, and no pin is left (design.md 4).
 *
 * Order of an upload: blob_write_begin, blob_write ..., blob_write_flush (its done comes when every byte is durable), then blob_publish inside
 * the transaction that refers to it. A writer that is closed before it was published leaves nothing behind (now, or at the next start).
 *
 * This interface assumes no local files: a distributed store can serve it.
 */
#ifndef STORAGE_VOLUME_BLOB_H
#define STORAGE_VOLUME_BLOB_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/base/err.h"
#include "storage/base/ids.h"
#include "storage/meta/meta.h"

struct blobs;
struct blob_writer;

struct blob_options {
    const char *dir;               /* of the volume files; made if absent. NULL: there are to be none (below) */
    struct meta *meta;             /* the extents' rows */
    uint64_t volume_bytes;         /* 0: 1 GiB. At least 4 MiB */
    uint64_t own_file_bytes;       /* 0: 256 MiB (or a quarter of volume_bytes if smaller): a body beyond gets files of its own */
    uint64_t disk_floor_bytes;     /* 0: 256 MiB: below this much free space nothing more is taken */
    int writers_open_max;          /* 0: 8 volumes open for writing at once */
    bool is_reclaim_manual;        /* tests: only blob_reclaim gives space back */
};

/* Without a directory, for servers that share their rows: no body can be written (blob_write_begin: ERR_UNSUPPORTED), and a store that has bodies in volumes is refused: ERR_INVALID. */
struct err blob_open(const struct blob_options *options, struct blobs **ret);
struct blobs *blob_close(struct blobs *b); /* all writers and readers must be closed; NULL is fine; returns NULL */

/* ---- writing ---- */

/* ERR_NO_SPACE below the floor. One thread at a time uses a writer. size_hint: what the client says (0: unknown); it decides nothing but the placing. */
struct err blob_write_begin(struct blobs *b, uint64_t size_hint, struct blob_writer **ret);
struct err blob_write(struct blob_writer *w, const void *data, size_t len);
/* All of it was written: finish headers and checksums, flush (grouped with others), then call done(arg, err) once, on a flusher's thread; nothing
 * may be written any more. ERR_IO: the volume takes no more, and the body is lost. */
void blob_write_flush(struct blob_writer *w, void (*done)(void *arg, struct err e), void *arg);
struct err blob_write_flush_wait(struct blob_writer *w);
struct uid blob_writer_uid(const struct blob_writer *w);
uint64_t blob_writer_length(const struct blob_writer *w);
/* Give the writer up; what was not published is freed. After flush was called only when done has come. NULL is fine; returns NULL. */
struct blob_writer *blob_write_close(struct blob_writer *w);

/* In a transaction, after the flush: the body's rows and its first reference. May run more than once. */
struct err blob_publish(struct txn *txn, const struct blob_writer *w, struct uid referrer);

/* ---- references, in a transaction ---- */

/* One more reference; ERR_NOT_FOUND when the body is gone (its last reference was dropped). Idempotent. */
struct err blob_ref(struct txn *txn, struct uid body, struct uid referrer);
/* One reference less; the last one frees the body. Dropping what is not there is OK. */
struct err blob_unref(struct txn *txn, struct uid body, struct uid referrer);

/* ---- reading ---- */

struct blob_reader;

/* Pin the body and find its extents, in a view (or transaction) in which its uid was read; the reader outlives the view. ERR_NOT_FOUND, ERR_CORRUPT, ERR_NO_MEMORY. */
struct err blob_reader_open(struct blobs *b, struct rows *r, struct uid body, struct blob_reader **ret);
struct blob_reader *blob_reader_close(struct blob_reader *r); /* from any thread; NULL is fine; returns NULL */
uint64_t blob_reader_length(const struct blob_reader *r);

/* Read len bytes from offset (all inside the body), every touched block verified first: ERR_CORRUPT gives no byte. May wait for the disk. */
struct err blob_read(struct blob_reader *r, uint64_t offset, void *out, size_t len);
/* The same from the page cache alone: ERR_BUSY if a disk would have to be waited for (then ask a worker to blob_read). */
struct err blob_read_warm(struct blob_reader *r, uint64_t offset, void *out, size_t len);

/* For sendfile: verify [offset, offset + len), and if it lies in one piece in one file give a dup of its descriptor (the caller's to close)
 * and where it starts. ERR_UNSUPPORTED when it does not. May wait for the disk. */
struct err blob_read_file(struct blob_reader *r, uint64_t offset, uint64_t len, int *ret_fd, uint64_t *ret_file_offset);

/* ---- care ---- */

/* Give back what may be given back now; *ret_bytes how much. Background work calls it; tests may. */
struct err blob_reclaim(struct blobs *b, uint64_t *ret_bytes);

struct blob_status {
    uint64_t volumes, bytes_live, bytes_on_disk, bytes_freed_waiting;
    bool is_writable;
};
void blob_status(struct blobs *b, struct blob_status *ret);

#endif
