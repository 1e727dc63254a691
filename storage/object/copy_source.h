/*
 * copy_source.h - what CopyObject and UploadPartCopy read from.
 */
#ifndef STORAGE_OBJECT_COPY_SOURCE_H
#define STORAGE_OBJECT_COPY_SOURCE_H

#include "storage/object/object_get.h"

struct copy_source {
    struct str bucket, key;
    const struct conditions *conditions;
};

/* Its row, if the conditions hold (ERR_PRECONDITION where a read would be ERR_NOT_MODIFIED). ERR_NO_SUCH_BUCKET, ERR_NO_SUCH_KEY. */
struct err copy_source_stat(const struct copy_source *s, struct rows *r, struct arena *arena, struct object_info *ret);

/* In a transaction: is it still the version with that uid? */
struct err copy_source_is_still(const struct copy_source *s, struct txn *txn, struct uid uid, bool *ret);

/* Call fn with every piece of [offset, offset + len), in order. Waits for disks. */
struct err copy_source_read(struct object_reader *reader, uint64_t offset, uint64_t len, struct err (*fn)(void *arg, struct str piece),
                            void *arg);

/* The MD5 (ret_md5 NULL: not wanted) and a checksum (kind NONE: not wanted) of the first len bytes. */
struct err copy_source_sums(struct object_reader *reader, uint64_t len, uint8_t *ret_md5, enum digest_kind kind,
                            struct digest_value *ret_checksum);

#endif
