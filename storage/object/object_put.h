/*
 * object_put.h - writing objects: a body that streams in, and the transaction that publishes it.
 *
 *   body_writer_new ... body_writer_write ... (sums and, if it is large, volumes on the way)
 *   body_writer_finish      sums are final; a large body is flushed: done comes when it is durable. A small one is ready at once.
 *   object_put_fn           the transaction: conditions, drop what was there, put the row.
 * An unfinished or unpublished writer leaves nothing behind.
 */
#ifndef STORAGE_OBJECT_OBJECT_PUT_H
#define STORAGE_OBJECT_OBJECT_PUT_H

#include "storage/object/object.h"
#include "storage/object/object_guard.h"

/* Which sums the client needs: MD5 (always: the ETag), one S3 checksum, SHA-256 of the payload as SigV4 signs it. */
struct body_sums_wanted {
    enum digest_kind checksum; /* DIGEST_NONE: CRC64NVME is computed and stored, as AWS does */
    bool sha256;
};

struct body_writer; /* opaque; one per body */

/* size_hint: the announced length or 0. ERR_NO_MEMORY. The first LIMIT_SMALL_BODY bytes are kept in memory. */
struct err body_writer_new(struct store *s, struct body_sums_wanted wanted, uint64_t size_hint, struct body_writer **ret);
/* ERR_NO_SPACE, ERR_IO, ERR_ENTITY_TOO_LARGE beyond LIMIT_PUT_BYTES. */
struct err body_writer_write(struct body_writer *w, struct str piece);
/* No more bytes. Calls done(arg, OK) once the body is ready to be published: at once, on this thread, when it is small. */
void body_writer_finish(struct body_writer *w, void (*done)(void *arg, struct err e), void *arg);
struct err body_writer_finish_wait(struct body_writer *w);
bool body_writer_is_small(const struct body_writer *w);
uint64_t body_writer_size(const struct body_writer *w);
/* Sums: valid after all was written (they do not need finish): finalised at the first call. */
struct digest_value body_writer_md5(struct body_writer *w);
struct digest_value body_writer_checksum(struct body_writer *w);
struct digest_value body_writer_sha256(struct body_writer *w);
enum digest_kind body_writer_checksum_kind(const struct body_writer *w);
/* In a transaction, after finish (w NULL: an empty body): the body becomes that of the row (space, row_key), and of referrer if it
 * is a large one; what is to be put into the row is *ret: NONE for an empty body. May run more than once. */
struct err body_writer_publish(struct txn *txn, const struct body_writer *w, struct uid referrer, enum space space,
                               struct str row_key, struct body_ref *ret);
struct body_writer *body_writer_free(struct body_writer *w); /* NULL is fine; returns NULL; not between finish and its done */

/* One PUT. Filled by the caller, kept until done; `ret` is set by the transaction. */
struct object_put {
    struct store *store;
    struct str bucket, key;
    struct object_meta meta;
    struct conditions conditions;
    struct object_checksum checksum; /* to be stored; kind NONE, or no value: the writer's own */
    struct body_writer *body;        /* finished; NULL: an empty body */
    struct object_guard *guard;      /* of what is there; NULL: nobody is asked */
    /* out: */
    struct object_info ret;
};
/* txn_fn: arg is a struct object_put. ERR_NO_SUCH_BUCKET, ERR_PRECONDITION, ERR_NO_SUCH_KEY (If-Match on nothing), what the guard refuses with. One row for a small body, more
 * for a large one. */
struct err object_put_fn(struct txn *txn, void *arg);

/* The part of it that others use inside their own transactions (copy, multipart, a table commit's metadata file). bucket_id from bucket_get on txn_rows. info->uid, mtime_ms
 * and body are set by the caller; what the old row referred to is dropped. For a SMALL body call txn_put_body first, with SPACE_OBJECTS and object_row_key.
 * arena is not used (the old row is decoded without its metadata) and may be NULL. */
struct err object_publish(struct txn *txn, uint64_t bucket_id, struct str key, const struct object_info *info, struct arena *arena);

/* A whole small object in one transaction of somebody else's: bytes up to LIMIT_JOURNAL_BODY, MD5 and CRC64NVME computed by object_bytes_prepare outside. */
struct object_bytes {
    struct str bucket, key, bytes, content_type;
    struct object_info info;
};
void object_bytes_prepare(struct object_bytes *o);
struct err object_bytes_fn(struct txn *txn, struct object_bytes *o, struct arena *arena);

#endif
