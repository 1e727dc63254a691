/*
 * part_sums.c - see part_sums.h. S3 writes CRCs as big-endian bytes, so they are read and written so here too.
 */
#include "storage/object/part_sums.h"

#include <string.h>

#include "storage/base/encode.h"

bool digest_kind_is_crc(enum digest_kind kind)
{
    return kind == DIGEST_CRC32 || kind == DIGEST_CRC32C || kind == DIGEST_CRC64NVME;
}

static uint64_t crc_from(const struct digest_value *v)
{
    return v->len == 4 ? get_be32(v->bytes) : get_be64(v->bytes);
}

static struct digest_value crc_to(enum digest_kind kind, uint64_t crc)
{
    struct digest_value v = { .len = (uint8_t)digest_bytes(kind) };

    if (v.len == 4) put_be32(v.bytes, (uint32_t)crc);
    else put_be64(v.bytes, crc);
    return v;
}

struct err part_sums_begin(struct part_sums *s, enum digest_kind kind, enum checksum_type type)
{
    *s = (struct part_sums){ .kind = kind, .type = type, .is_first = true };
    if (type == CHECKSUM_FULL_OBJECT && !digest_kind_is_crc(kind)) s->kind = DIGEST_NONE;

    TRY(digest_init(&s->md5s, DIGEST_MD5));
    if (s->kind != DIGEST_NONE && type == CHECKSUM_COMPOSITE) TRY(digest_init(&s->sums, kind));
    return OK;
}

void part_sums_add(struct part_sums *s, uint64_t size, const uint8_t md5[16],
                   const struct object_checksum *checksum)
{
    digest_update(&s->md5s, md5, 16);
    if (checksum->kind != s->kind || checksum->value.len != digest_bytes(checksum->kind))
        s->kind = DIGEST_NONE;
    if (s->kind == DIGEST_NONE) return;

    if (s->type == CHECKSUM_COMPOSITE) {
        digest_update(&s->sums, checksum->value.bytes, checksum->value.len);
    } else {
        const uint64_t crc = crc_from(&checksum->value);
        s->crc = s->is_first ? crc : crc_combine(s->kind, s->crc, crc, size);
        s->is_first = false;
    }
}

void part_sums_end(struct part_sums *s, uint8_t ret_md5[16], struct object_checksum *ret)
{
    const struct digest_value md5 = digest_final(&s->md5s);

    memcpy(ret_md5, md5.bytes, 16);
    *ret = (struct object_checksum){ .kind = s->kind, .type = s->type };
    if (s->kind == DIGEST_NONE) return;
    ret->value = s->type == CHECKSUM_COMPOSITE ? digest_final(&s->sums) : crc_to(s->kind, s->crc);
}

void part_sums_done(struct part_sums *s)
{
    digest_done(&s->md5s);
    digest_done(&s->sums);
}
