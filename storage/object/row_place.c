/*
 * row_place.c - the table of rows with places. Rows are decoded whole first: a place out of a row that is damaged would be anything.
 */
#include "storage/object/row_place.h"

#include "storage/object/garbage.h"
#include "storage/object/object.h"
#include "storage/object/row_code.h"
#include "storage/object/upload_row.h"

#define OBJECT_BODY_FIXED                                                                                    \
    40 /* version, bits, uid, mtime, MD5: then the size and perhaps a part count, each a varint */
#define PART_PLACE_AT 40
#define GARBAGE_PLACE_AT 18

static struct err find_in_object(struct str key, struct str value, struct row_place *ret)
{
    struct row_reader r = row_reader_of(value);
    struct object_info info;

    (void)key;
    TRY(object_decode(value, NULL, &info));
    if (info.body.kind != BODY_SMALL && info.body.kind != BODY_PARTS) return OK;
    (void)row_bytes(&r, OBJECT_BODY_FIXED);
    (void)row_varint(&r);
    if (info.part_count) (void)row_varint(&r);
    *ret = (struct row_place){ .at = (size_t)((const char *)r.at - value.data), .place = info.body.place };
    return OK;
}

static struct err find_in_part(struct str key, struct str value, struct row_place *ret)
{
    struct part_row row;

    (void)key;
    TRY(part_row_decode(value, &row));
    if (row.body.kind == BODY_SMALL)
        *ret = (struct row_place){ .at = PART_PLACE_AT, .place = row.body.place };
    return OK;
}

static struct err find_in_garbage(struct str key, struct str value, struct row_place *ret)
{
    struct garbage left;

    TRY(garbage_decode(key, value, &left));
    if (left.map.segment_id) *ret = (struct row_place){ .at = GARBAGE_PLACE_AT, .place = left.map };
    return OK;
}

static const struct kind {
    enum space space;
    struct err (*find)(struct str key, struct str value, struct row_place *ret);
} kinds[] = {
    { SPACE_OBJECTS, find_in_object },
    { SPACE_PARTS, find_in_part },
    { SPACE_GARBAGE, find_in_garbage },
};

struct err row_place_find(enum space space, struct str key, struct str value, struct row_place *ret)
{
    struct row_place found = { 0 };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (kinds[i].space == space) TRY(kinds[i].find(key, value, &found));
    }
    *ret = found;
    return OK;
}
