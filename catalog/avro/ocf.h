/*
 * ocf.h - Avro object container files: header, blocks, codecs; what is in the blocks is not looked at.
 *
 * Source: Avro specification 1.12, "Object Container Files". The files are written by clients and may be hostile. So:
 *   O1  no more than LIMIT_AVRO_FILE bytes are read, LIMIT_AVRO_PLAIN unpacked in all, LIMIT_AVRO_BLOCK held of one block (packed, and as
 *       much again unpacked): a bomb stops there (ERR_TOO_LARGE), and no memory is taken for what a file only claims
 *   O2  every block ends with the file's sync marker, and a snappy block has its CRC-32, before any of it is handed out
 *   O3  the number of objects of a block is a claim: it is not negative, and nothing else is known of it
 *
 * Codecs: null, deflate, snappy, zstandard; others (bzip2, xz, lz4) are ERR_UNSUPPORTED. A file that is not well formed is ERR_CORRUPT.
 * Errors say which block, and the byte of the file at which it begins.
 */
#ifndef CATALOG_AVRO_OCF_H
#define CATALOG_AVRO_OCF_H

#include "catalog/avro/input.h"

struct ocf;

struct ocf_block {
    int64_t count;      /* objects, as the file says (O3) */
    struct str bytes;   /* unpacked; valid until the next ocf_next, or ocf_close */
    uint64_t number;    /* from 0 */
    uint64_t offset;    /* in the file */
};

/* Read the header. The input becomes the container's, also on failure (then it is done with). ERR_CORRUPT, ERR_TOO_LARGE,
 * ERR_UNSUPPORTED (codec), ERR_NO_MEMORY, and what the input's reader gives. */
struct err ocf_open(struct input in, struct ocf **ret);
struct ocf *ocf_close(struct ocf *o); /* NULL is fine; returns NULL */

/* A value of the header's map; false if it has no such key. The view lives as long as the container. */
bool ocf_meta(const struct ocf *o, const char *key, struct str *ret);

/* The next block. OK with *ret_is_end at the end of the file, which is only right behind a block. After an error: closed is all
 * that it can be. */
struct err ocf_next(struct ocf *o, struct ocf_block *ret, bool *ret_is_end);

#endif
