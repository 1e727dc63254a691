/*
 * complete_parts.c - see complete_parts.h: the checks. Moving small parts is in complete_promote.c.
 *
 * Of a list in which several things are wrong, the answer names the first in this order: its form, a part that is not there or is another,
 * sizes, the checksum of the whole. AWS does not document an order; this one needs each row once.
 */
#include "storage/object/complete_parts.h"

#include <string.h>

#include "storage/base/encode.h"
#include "storage/base/thread.h"
#include "storage/object/part_sums.h"

struct err listed_check(const struct complete_part *parts, size_t count)
{
    if (count == 0 || count > LIMIT_PARTS) return FAIL(ERR_MALFORMED_XML, err_text(ERR_MALFORMED_XML));
    for (size_t i = 1; i < count; i++)
        if (parts[i].number <= parts[i - 1].number)
            return FAIL(ERR_INVALID_PART_ORDER, err_text(ERR_INVALID_PART_ORDER));
    return OK;
}

/* With or without quotes (s3.md 37). */
static bool etag_is(struct str etag, const uint8_t md5[16])
{
    uint8_t bytes[16];

    if (etag.len >= 2 && etag.data[0] == '"' && etag.data[etag.len - 1] == '"')
        etag = str_slice(etag, 1, etag.len - 1);
    return hex_from(etag, bytes, sizeof(bytes)) && memcmp(bytes, md5, sizeof(bytes)) == 0;
}

static bool checksum_eq(const struct object_checksum *a, const struct object_checksum *b)
{
    return a->kind == b->kind && a->value.len == b->value.len
        && memcmp(a->value.bytes, b->value.bytes, a->value.len) == 0;
}

static struct err part_check(const struct complete_part *said, const struct part_row *row, uint64_t size_min)
{
    if (!etag_is(said->etag, row->md5)) return FAIL(ERR_INVALID_PART, err_text(ERR_INVALID_PART));
    if (said->checksum.kind != DIGEST_NONE && !checksum_eq(&said->checksum, &row->checksum))
        return FAIL(ERR_INVALID_PART, err_text(ERR_INVALID_PART));
    if (row->size < size_min) return FAIL(ERR_ENTITY_TOO_SMALL, err_text(ERR_ENTITY_TOO_SMALL));
    return OK;
}

struct err listed_read(struct rows *r, const struct upload_complete *c, struct arena *arena,
                       struct listed_part **ret)
{
    struct listed_part *parts = arena_array(arena, struct listed_part, c->part_count);
    struct err small = OK;

    if (!parts) return FAIL(ERR_NO_MEMORY, "no memory for the parts of an upload");
    for (size_t i = 0; i < c->part_count; i++) {
        const bool is_last = i + 1 == c->part_count;

        parts[i].number = c->parts[i].number;
        struct err e = part_find(r, c->upload, parts[i].number, &parts[i].row);
        if (e.code == ERR_NOT_FOUND) return FAIL(ERR_INVALID_PART, err_text(ERR_INVALID_PART));
        TRY(e);

        e = part_check(&c->parts[i], &parts[i].row, is_last ? 0 : c->store->part_bytes_min);
        if (e.code == ERR_ENTITY_TOO_SMALL) small = e; /* a later part may be missing altogether */
        else TRY(e);
    }
    TRY(small);
    *ret = parts;
    return OK;
}

/* An upload that was begun without an algorithm gets what its parts have in common: CRC64NVME if clients sent nothing (as with AWS). */
static void common_checksum(const struct upload_info *upload, const struct listed_part *parts,
                            enum digest_kind *kind, enum checksum_type *type)
{
    *kind = upload->checksum;
    *type = upload->checksum_type;
    if (upload->checksum != DIGEST_NONE) return;
    *kind = parts[0].row.checksum.kind;
    *type = digest_kind_is_crc(*kind) ? CHECKSUM_FULL_OBJECT : CHECKSUM_COMPOSITE;
}

static struct err whole_check(const struct upload_complete *c, const struct object_info *whole)
{
    if (whole->size > LIMIT_OBJECT_BYTES) return FAIL(ERR_ENTITY_TOO_LARGE, err_text(ERR_ENTITY_TOO_LARGE));
    if (c->has_object_size && c->object_size != whole->size)
        return err_fail(
            ERR_INVALID_REQUEST,
            "The provided 'x-amz-mp-object-size' header value %llu does not match what was computed: %llu",
            (unsigned long long)c->object_size, (unsigned long long)whole->size);
    if (c->checksum.kind == DIGEST_NONE) return OK;
    if (c->checksum.kind != whole->checksum.kind)
        return FAIL(ERR_INVALID_REQUEST,
                    "The checksum of the object is of another algorithm than those of its parts.");
    if (!checksum_eq(&c->checksum, &whole->checksum))
        return FAIL(ERR_CHECKSUM_MISMATCH, err_text(ERR_CHECKSUM_MISMATCH));
    return OK;
}

struct err listed_sum(const struct upload_complete *c, const struct upload_info *upload,
                      const struct listed_part *parts, struct object_info *ret)
{
    CLEANUP(part_sums_done) struct part_sums sums;
    enum digest_kind kind;
    enum checksum_type type;

    common_checksum(upload, parts, &kind, &type);
    TRY(part_sums_begin(&sums, kind, type));
    ret->size = 0;
    ret->part_count = (uint32_t)c->part_count;
    for (size_t i = 0; i < c->part_count; i++) {
        ret->size += parts[i].row.size; /* 10,000 parts of 5 GiB at most: no overflow */
        part_sums_add(&sums, parts[i].row.size, parts[i].row.md5, &parts[i].row.checksum);
    }
    part_sums_end(&sums, ret->etag_md5, &ret->checksum);
    return whole_check(c, ret);
}
