/*
 * codec.h - unpacking the blocks of an Avro container file: null, deflate, bzip2, xz, snappy, zstandard.
 *
 * Output grows as bytes come out of the decoder and ends at a ceiling; what a block only claims is not allocated, unless its
 * packed bytes make the claim plausible.
 */
#ifndef CATALOG_AVRO_CODEC_H
#define CATALOG_AVRO_CODEC_H

#include "storage/base/buf.h"

struct codec;

/* The codec that a header names; an empty name is "null". NULL: not one of ours. */
const struct codec *codec_find(struct str name);

/* What a codec keeps between blocks. Held by value; unpacker_done frees. */
struct unpacker {
    const struct codec *codec;
    void *state;
    struct buf plain;
};

void unpacker_init(struct unpacker *u, const struct codec *codec, size_t bytes_max);
void unpacker_done(struct unpacker *u);

/* Unpack one block. *ret is valid until the next call, and while packed is. ERR_CORRUPT,
 * ERR_TOO_LARGE (more than bytes_max; of streams: already at it; xz: a dictionary too large), ERR_NO_MEMORY. */
struct err unpack(struct unpacker *u, struct str packed, struct str *ret);

#endif
