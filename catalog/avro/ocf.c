/*
 * ocf.c - Avro object container files: header, blocks, codecs.
 *
 *     "Obj" 1                              magic
 *     map of bytes                         metadata: avro.schema, avro.codec, and the writer's own
 *     16 bytes                             sync marker
 *     { count, length, bytes, marker }...  blocks; numbers as Avro's long
 *
 * Keys and values of the metadata are copied into an arena, whose ceiling bounds the header; blocks are taken from the input in one
 * piece each, which is what the codecs want.
 */
#include "catalog/avro/ocf.h"

#include <stdlib.h>
#include <string.h>

#include "catalog/avro/codec.h"
#include "catalog/avro/decode.h"
#include "storage/base/arena.h"
#include "storage/base/limits.h"

#define SYNC_BYTES 16
#define LONG_BYTES_MAX 10

struct meta {
    struct str key, value;
};

struct ocf {
    struct input in;
    struct arena *arena; /* metadata */
    struct meta meta[LIMIT_AVRO_META];
    size_t meta_count;
    uint8_t sync[SYNC_BYTES];
    struct unpacker unpacker;
    uint64_t blocks, plain_bytes; /* handed out */
};

/* ---- header ---- */

/* A number from the input, byte by byte, since where it ends is only known at its end. */
static struct err take_long(struct input *in, const char *what, int64_t *ret)
{
    char bytes[LONG_BYTES_MAX];
    size_t len = 0;
    struct str byte;

    do {
        TRY(input_take(in, 1, what, &byte));
        bytes[len++] = byte.data[0];
    } while ((bytes[len - 1] & 0x80) && len < LONG_BYTES_MAX);

    struct cursor c = cursor_of(str_of(bytes, len));
    if (decode_long(&c, ret)) return OK;
    return err_fail(ERR_CORRUPT, "%s at byte %llu: %s", what, (unsigned long long)(in->at - len), c.why);
}

/* A key or value of the metadata, copied. */
static struct err take_meta_bytes(struct ocf *o, struct str *ret)
{
    struct str bytes;
    int64_t len;

    TRY(take_long(&o->in, "the header", &len));
    if (len < 0)
        return err_fail(ERR_CORRUPT, "the header has a string of negative length before byte %llu",
                        (unsigned long long)o->in.at);
    if ((uint64_t)len > LIMIT_AVRO_HEADER - arena_bytes(o->arena))
        return err_fail(ERR_TOO_LARGE, "the header has more than the %llu bytes allowed", LIMIT_AVRO_HEADER);
    TRY(input_take(&o->in, (size_t)len, "the header", &bytes));
    *ret = arena_str(o->arena, bytes);
    return ret->data ? OK : FAIL(ERR_NO_MEMORY, "no memory for the header of an Avro file");
}

static const struct meta *meta_find(const struct ocf *o, struct str key)
{
    for (size_t i = 0; i < o->meta_count; i++) {
        if (str_eq(o->meta[i].key, key)) return &o->meta[i];
    }
    return NULL;
}

static struct err take_meta_pair(struct ocf *o)
{
    struct meta pair;

    TRY(take_meta_bytes(o, &pair.key));
    TRY(take_meta_bytes(o, &pair.value));
    if (meta_find(o, pair.key))
        return err_fail(ERR_CORRUPT, "the header has the key '%.64s' twice", pair.key.data);
    if (o->meta_count == LIMIT_AVRO_META)
        return err_fail(ERR_TOO_LARGE, "the header has more than the %d entries allowed", LIMIT_AVRO_META);
    o->meta[o->meta_count++] = pair;
    return OK;
}

/* A map: pieces of pairs, each with its count; a negative one is followed by the piece's length, which we do not need. */
static struct err take_meta(struct ocf *o)
{
    int64_t count, bytes;

    for (;;) {
        TRY(take_long(&o->in, "the header", &count));
        if (count == 0) return OK;
        if (count < 0) TRY(take_long(&o->in, "the header", &bytes));
        for (uint64_t left = count < 0 ? 0 - (uint64_t)count : (uint64_t)count; left; left--)
            TRY(take_meta_pair(o));
    }
}

static struct err take_header(struct ocf *o)
{
    struct str bytes, codec = STR_NONE;

    if (o->in.len > LIMIT_AVRO_FILE)
        return err_fail(ERR_TOO_LARGE, "an Avro file of %llu bytes is larger than the %llu allowed",
                        (unsigned long long)o->in.len, LIMIT_AVRO_FILE);
    TRY(input_take(&o->in, 4, "the header", &bytes));
    if (!str_eq(bytes, STR("Obj\1")))
        return FAIL(ERR_CORRUPT, "not an Avro file: it does not begin with 'Obj' 1");
    TRY(take_meta(o));
    TRY(input_take(&o->in, SYNC_BYTES, "the sync marker of the header", &bytes));
    memcpy(o->sync, bytes.data, SYNC_BYTES);

    (void)ocf_meta(o, "avro.codec", &codec);
    if (!codec_find(codec))
        return err_fail(ERR_UNSUPPORTED, "the codec '%.32s' of an Avro file is not one that is read here",
                        codec.data);
    unpacker_init(&o->unpacker, codec_find(codec), LIMIT_AVRO_BLOCK);
    return OK;
}

struct err ocf_open(struct input in, struct ocf **ret)
{
    struct ocf *o = calloc(1, sizeof(*o));

    if (!o) {
        input_done(&in);
        return FAIL(ERR_NO_MEMORY, "no memory to read an Avro file");
    }
    o->in = in;
    o->arena = arena_new(LIMIT_AVRO_HEADER);
    const struct err e = o->arena ? take_header(o) : FAIL(ERR_NO_MEMORY, "no memory to read an Avro file");
    if (e.code) {
        (void)ocf_close(o);
        return e;
    }
    *ret = o;
    return OK;
}

struct ocf *ocf_close(struct ocf *o)
{
    if (!o) return NULL;
    unpacker_done(&o->unpacker);
    input_done(&o->in);
    arena_free(o->arena);
    free(o);
    return NULL;
}

bool ocf_meta(const struct ocf *o, const char *key, struct str *ret)
{
    const struct meta *meta = meta_find(o, str_from_z(key));

    if (meta) *ret = meta->value;
    return meta;
}

/* ---- blocks ---- */

/* Packed bytes and the marker behind them, as one piece. */
static struct err take_packed(struct ocf *o, struct ocf_block *block, struct str *ret_packed)
{
    struct str bytes;
    int64_t len;

    TRY(take_long(&o->in, "the head of a block", &block->count));
    TRY(take_long(&o->in, "the head of a block", &len));
    if (block->count < 0 || len < 0) return FAIL(ERR_CORRUPT, "its count or length is negative");
    if ((uint64_t)len > LIMIT_AVRO_BLOCK)
        return err_fail(ERR_TOO_LARGE, "it has %lld bytes, %llu are allowed", (long long)len,
                        LIMIT_AVRO_BLOCK);
    TRY(input_take(&o->in, (size_t)len + SYNC_BYTES, "a block", &bytes));
    if (!str_eq(str_from(bytes, (size_t)len), str_of(o->sync, SYNC_BYTES)))
        return FAIL(ERR_CORRUPT, "the sync marker of the file is not behind it");
    *ret_packed = str_slice(bytes, 0, (size_t)len);
    return OK;
}

static struct err take_block(struct ocf *o, struct ocf_block *block)
{
    struct str packed;

    TRY(take_packed(o, block, &packed));
    TRY(unpack(&o->unpacker, packed, &block->bytes));
    if (block->bytes.len > LIMIT_AVRO_PLAIN - o->plain_bytes)
        return err_fail(ERR_TOO_LARGE, "the file unpacks to more than the %llu bytes allowed",
                        LIMIT_AVRO_PLAIN);
    o->plain_bytes += block->bytes.len;
    return OK;
}

struct err ocf_next(struct ocf *o, struct ocf_block *ret, bool *ret_is_end)
{
    struct ocf_block block = { .number = o->blocks, .offset = o->in.at };

    if (input_left(&o->in) == 0) {
        *ret_is_end = true;
        return OK;
    }
    const struct err e = take_block(o, &block);
    if (e.code)
        return err_fail(e.code, "block %llu at byte %llu: %s", (unsigned long long)block.number,
                        (unsigned long long)block.offset, e.why);
    o->blocks++;
    *ret = block;
    *ret_is_end = false;
    return OK;
}
