/*
 * complete_parts.h - what a Complete lists, held against what there is (s3.md 36, 37, 39), and made ready to be an object's body.
 *
 * Only complete.c uses it.
 */
#ifndef STORAGE_OBJECT_COMPLETE_PARTS_H
#define STORAGE_OBJECT_COMPLETE_PARTS_H

#include "storage/object/upload_row.h"

struct listed_part {
    uint32_t number;
    struct part_row row;
};

/* The list by itself. ERR_MALFORMED_XML (empty or over LIMIT_PARTS), ERR_INVALID_PART_ORDER (numbers must ascend). */
struct err listed_check(const struct complete_part *parts, size_t count);

/* The rows of the listed parts, in the arena. ERR_INVALID_PART (not there, another ETag or checksum), ERR_ENTITY_TOO_SMALL. */
struct err listed_read(struct rows *r, const struct upload_complete *c, struct arena *arena, struct listed_part **ret);

/* Size, ETag, part count and checksum of the whole, held against what the client says of it. ERR_ENTITY_TOO_LARGE, ERR_INVALID_REQUEST,
 * ERR_CHECKSUM_MISMATCH. */
struct err listed_sum(const struct upload_complete *c, const struct upload_info *upload, const struct listed_part *parts,
                      struct object_info *ret);

/* Move the bodies of small parts from the journal to volumes, a few in a transaction: the parts stay what they are, for clients, and a crash
 * between leaves a good upload. parts is brought up to date. *ret_is_changed with ERR_CONFLICT: somebody else changed a part, read again. */
struct err listed_promote(const struct upload_complete *c, struct listed_part *parts, bool *ret_is_changed);

/* The bytes of one small part, in the arena, if its row in r is still this. As above. */
struct err listed_bytes(struct rows *r, const struct upload_complete *c, const struct listed_part *part, struct arena *arena,
                        struct str *ret, bool *ret_is_changed);

#endif
