/*
 * md5.h - MD5 (RFC 1321) of several streams at once.
 *
 * An ETag of S3 is an MD5, and MD5 is the slowest step of a large upload: each of its operations needs the one before, so one stream keeps most of a processor idle. Eight streams side by side, one in each lane of
 * a vector, take less than twice as long as one. OpenSSL has no such thing, and Debian no library that does; docs/decisions/0021. For one stream alone, and for what is small, there is digest.h.
 *
 * No allocation, no locks: a state is the caller's, and belongs to one thread at a time. It cannot fail.
 */
#ifndef STORAGE_BASE_MD5_H
#define STORAGE_BASE_MD5_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/base/digest.h"

#define MD5_BLOCK 64
#define MD5_LANES 8

struct md5 {
    uint32_t word[4]; /* A, B, C, D after all whole blocks so far */
    uint64_t blocks;
};

void md5_begin(struct md5 *m);

/* So many whole blocks of one stream. */
void md5_blocks(struct md5 *m, const void *data, size_t blocks);

/* So many whole blocks of each of `count` streams (1 to MD5_LANES, all different). */
void md5_blocks_of_many(struct md5 *const *streams, const uint8_t *const *data, size_t blocks, int count);

/* The value, after the last `len` bytes, less than a block. Nothing may follow. */
struct digest_value md5_end(struct md5 *m, const void *rest, size_t len);

/* Tests only: false if this processor does not have what is asked for. Not while another thread computes. */
enum md5_kernel { MD5_ONE_BY_ONE, MD5_AVX2, MD5_AVX512, MD5_KERNEL_COUNT };
bool md5_kernel_use(enum md5_kernel kernel);

#endif
