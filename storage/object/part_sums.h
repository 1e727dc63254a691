/*
 * part_sums.h - the ETag and the checksum of an object in parts, from those of its parts.
 *
 *   ETag        MD5 of the parts' MD5s, one after the other (and "-N", which the printer adds)
 *   COMPOSITE   the checksum of the parts' checksums, one after the other
 *   FULL_OBJECT the checksum of all bytes, which for CRCs follows from the parts' CRCs and lengths
 *
 * Pure. struct part_sums is held by value; part_sums_done in any case.
 */
#ifndef STORAGE_OBJECT_PART_SUMS_H
#define STORAGE_OBJECT_PART_SUMS_H

#include "storage/object/object.h"

struct part_sums {
    enum digest_kind kind;      /* NONE: no checksum is to be had */
    enum checksum_type type;
    struct digest md5s, sums;   /* sums: COMPOSITE */
    uint64_t crc;               /* FULL_OBJECT */
    bool is_first;
};

/* ERR_NO_MEMORY. type FULL_OBJECT of a kind that is not a CRC gives no checksum. */
struct err part_sums_begin(struct part_sums *s, enum digest_kind kind, enum checksum_type type);
/* A part whose checksum is of another kind spoils the whole's: then there is none. */
void part_sums_add(struct part_sums *s, uint64_t size, const uint8_t md5[16], const struct object_checksum *checksum);
void part_sums_end(struct part_sums *s, uint8_t ret_md5[16], struct object_checksum *ret);
void part_sums_done(struct part_sums *s);

bool digest_kind_is_crc(enum digest_kind kind);

#endif
