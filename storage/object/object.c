/*
 * object.c - what is read of an object besides its body: looking it up, its ETag, and keeping what was read.
 *
 * The row's bytes are object_row.c's, its names names.c's, its conditions conditions.c's.
 */
#include "storage/object/object.h"

#include <stdio.h>

#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/object/bucket.h"

void object_etag(const struct object_info *info, char out[ETAG_SIZE])
{
    hex_z(info->etag_md5, sizeof(info->etag_md5), out);
    /* At most LIMIT_PARTS, so it fits; % tells the compiler. */
    if (info->part_count) snprintf(out + 32, ETAG_SIZE - 32, "-%u", info->part_count % 100000);
}

struct err object_stat(struct rows *r, struct str bucket, struct str key, struct arena *arena,
                       struct object_info *ret)
{
    uint8_t row_key[OBJECT_ROW_KEY_SIZE];
    uint64_t bucket_id;
    struct str row;

    TRY(bucket_id_get(r, bucket, &bucket_id));
    if (key.len > LIMIT_KEY) return FAIL(ERR_KEY_TOO_LONG, err_text(ERR_KEY_TOO_LONG));
    const struct err e = rows_get(r, SPACE_OBJECTS, object_row_key(bucket_id, key, row_key), &row);
    if (e.code == ERR_NOT_FOUND) return FAIL(ERR_NO_SUCH_KEY, err_text(ERR_NO_SUCH_KEY));
    TRY(e);
    return object_decode(row, arena, ret);
}

static struct err keep_str(struct str *s, struct arena *arena)
{
    if (!s->data) return OK;
    *s = arena_str(arena, *s);
    return s->data ? OK : FAIL(ERR_NO_MEMORY, "no memory for an object's metadata");
}

static struct err keep_pairs(const struct pair **pairs, size_t count, struct arena *arena)
{
    if (count == 0) return OK;
    struct pair *copy = arena_array(arena, struct pair, count);
    if (!copy) return FAIL(ERR_NO_MEMORY, "no memory for an object's metadata");

    for (size_t i = 0; i < count; i++) {
        copy[i] = (*pairs)[i];
        TRY(keep_str(&copy[i].name, arena));
        TRY(keep_str(&copy[i].value, arena));
    }
    *pairs = copy;
    return OK;
}

struct err object_info_keep(struct object_info *info, struct arena *arena)
{
    for (int i = 0; i < OBJECT_HEADER_COUNT; i++) TRY(keep_str(&info->meta.headers[i], arena));
    TRY(keep_pairs(&info->meta.user, info->meta.user_count, arena));
    return keep_pairs(&info->meta.tags, info->meta.tag_count, arena);
}
