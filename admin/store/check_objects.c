/*
 * check_objects.c - buckets, objects, uploads, parts and garbage: do the rows decode, is what they name there?
 */
#include <inttypes.h>
#include <string.h>

#include "admin/store/check_state.h"
#include "storage/base/encode.h"
#include "storage/object/bucket.h"
#include "storage/object/garbage.h"
#include "storage/object/object_get.h"
#include "storage/object/part_map.h"
#include "storage/object/upload_row.h"

#define READ_BYTES (1 * MIB) /* of a body at once */

/* ---- bodies ---- */

struct err check_read_place(struct check *c, struct place p, struct str *ret)
{
    void *bytes;

    if (p.length > LIMIT_JOURNAL_BODY)
        return FAIL(ERR_CORRUPT, "a body in the journal is too long to be one");
    bytes = arena_alloc(c->scratch, p.length ? p.length : 1);
    if (!bytes) return FAIL(ERR_NO_MEMORY, "no memory for a body of the journal");
    TRY(meta_read_body(c->options->store->meta, p, bytes));
    c->result.bytes_read += p.length;
    *ret = str_of(bytes, p.length);
    return OK;
}

static struct err read_to_the_end(struct check *c, struct object_reader *reader, uint64_t size)
{
    char *bytes = arena_alloc(c->scratch, READ_BYTES);

    if (!bytes) return FAIL(ERR_NO_MEMORY, "no memory to read a body");
    for (uint64_t at = 0; at < size; at += READ_BYTES) {
        const uint64_t len = size - at < READ_BYTES ? size - at : READ_BYTES;
        TRY(object_read(reader, at, bytes, (size_t)len));
        c->result.bytes_read += len;
    }
    return OK;
}

struct err check_read_object(struct check *c, const struct object_info *info)
{
    struct object_reader *reader;

    TRY(object_reader_open(c->options->store, c->view, info, &reader));
    const struct err e = read_to_the_end(c, reader, info->size);
    object_reader_close(reader);
    return e;
}

static struct err check_parts_of(struct check *c, const struct object_info *info)
{
    struct part_map map;
    struct part_entry part;
    struct str bytes;

    TRY(check_read_place(c, info->body.place, &bytes));
    TRY(part_map_open(bytes, &map));
    if (map.size != info->size) return FAIL(ERR_CORRUPT, "its part map has another size");
    for (struct part_cursor at = part_map_from(&map, 0); part_map_next(&at, &part);) {
        if (part.size) TRY(check_body(c, part.body, info->uid, part.size));
    }
    return OK;
}

static struct err check_body_of(struct check *c, const struct object_info *info)
{
    switch (info->body.kind) {
    case BODY_NONE_AT_ALL:
    case BODY_SMALL: break;
    case BODY_BLOB: TRY(check_body(c, info->body.uid, info->uid, info->size)); break;
    case BODY_PARTS: TRY(check_parts_of(c, info)); break;
    }
    return c->options->reads_bodies ? check_read_object(c, info) : OK;
}

/* ---- buckets and objects ---- */

struct err check_bucket(struct check *c, struct str key, struct str value)
{
    struct bucket_info info;
    uint8_t id[OBJECT_BUCKET_ID_BYTES];

    (void)value;
    TRY(bucket_get(c->view, key, NULL, &info));
    put_be64(id, info.id);
    return known_ids_add(&c->buckets, str_of(id, sizeof(id)));
}

struct err check_object(struct check *c, struct str key, struct str value)
{
    struct object_info info;

    c->result.objects++;
    if (key.len <= OBJECT_BUCKET_ID_BYTES) return FAIL(ERR_CORRUPT, "its key is too short");
    if (!known_ids_has(&c->buckets, str_slice(key, 0, OBJECT_BUCKET_ID_BYTES)))
        return FAIL(ERR_CORRUPT, "its bucket is not there");
    TRY(object_decode(value, NULL, &info));
    return check_body_of(c, &info);
}

/* ---- uploads ---- */

static struct err check_left(struct check *c, enum garbage_kind kind, struct uid uid, const char *what)
{
    const struct garbage left = { .kind = kind, .uid = uid };
    uint8_t key[GARBAGE_KEY_BYTES];

    return check_has_row(c, SPACE_GARBAGE, garbage_key(&left, key), what);
}

struct err check_upload(struct check *c, struct str key, struct str value)
{
    struct upload_row row;
    struct uid id;

    TRY(upload_row_key_id(key, &id));
    TRY(known_ids_add(&c->uploads, str_of(id.bytes, sizeof(id.bytes))));
    TRY(upload_row_decode(value, &row));
    if (known_ids_has(&c->buckets, str_slice(key, 0, OBJECT_BUCKET_ID_BYTES))) return OK;
    return check_left(c, GARBAGE_BUCKET, garbage_bucket_uid(get_be64(key.data)), "bucket of the upload");
}

/* The body of a part of an open upload. Of one that was left as garbage it may be an object's now, and gone with that. */
static struct err check_part_body(struct check *c, struct uid upload, const struct part_row *row)
{
    const struct object_info as_object = { .uid = upload, .size = row->size, .body = row->body };

    return check_body_of(c, &as_object);
}

struct err check_part(struct check *c, struct str key, struct str value)
{
    struct part_row row;
    struct uid upload;
    uint32_t number;

    TRY(part_row_key_parse(key, &number));
    TRY(part_row_decode(value, &row));
    memcpy(upload.bytes, key.data, sizeof(upload.bytes));
    if (known_ids_has(&c->uploads, str_of(upload.bytes, sizeof(upload.bytes))))
        return check_part_body(c, upload, &row);
    return check_left(c, GARBAGE_UPLOAD, upload, "upload of the part");
}

struct err check_garbage(struct check *c, struct str key, struct str value)
{
    struct garbage left;
    struct str bytes;

    TRY(garbage_decode(key, value, &left));
    return left.map.segment_id ? check_read_place(c, left.map, &bytes) : OK;
}
