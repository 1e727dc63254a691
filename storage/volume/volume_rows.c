/*
 * volume_rows.c - encoding of the rows in volume_rows.h, and the scan of what is taken in a volume.
 *
 * Decoders check lengths and ranges: a row passed its own CRC, so what is wrong here was written by another version or by a bug, and must
 * not become a wrong place to read or, worse, to punch.
 */
#include "storage/volume/volume_rows.h"

#include <string.h>

#include "storage/base/encode.h"
#include "storage/volume/record.h"

#define BODY_VERSION 1
#define FLAG_OWN 1u
#define BODY_HEAD 16
#define BODY_EXTENT 24

/* ---- keys ---- */

struct str key_volume(uint64_t volume, char out[KEY_VOLUME_BYTES])
{
    put_be64(out, volume);
    return str_of(out, KEY_VOLUME_BYTES);
}

struct str key_place(uint64_t volume, uint64_t offset, char out[KEY_PLACE_BYTES])
{
    put_be64(out, volume);
    put_be64(out + 8, offset);
    return str_of(out, KEY_PLACE_BYTES);
}

struct str key_ref(struct uid body, struct uid referrer, char out[KEY_REF_BYTES])
{
    memcpy(out, body.bytes, 16);
    memcpy(out + 16, referrer.bytes, 16);
    return str_of(out, KEY_REF_BYTES);
}

struct str key_body(const struct uid *body)
{
    return str_of(body->bytes, sizeof(body->bytes));
}

struct err key_place_decode(struct str key, uint64_t *ret_volume, uint64_t *ret_offset)
{
    if (key.len != KEY_PLACE_BYTES) return FAIL(ERR_CORRUPT, "the key of an extent's row has a wrong length");
    *ret_volume = get_be64(key.data);
    *ret_offset = get_be64(key.data + 8);
    return OK;
}

struct err key_volume_decode(struct str key, uint64_t *ret_volume)
{
    if (key.len != KEY_VOLUME_BYTES) return FAIL(ERR_CORRUPT, "the key of a volume's row has a wrong length");
    *ret_volume = get_be64(key.data);
    return OK;
}

/* ---- values ---- */

void body_row_encode(uint64_t length, const struct extent *extents, uint32_t count, uint8_t *out)
{
    put_le32(out, BODY_VERSION);
    put_le32(out + 4, count);
    put_le64(out + 8, length);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *p = out + BODY_HEAD + BODY_EXTENT * (size_t)i;
        put_le64(p, extents[i].volume);
        put_le64(p + 8, extents[i].offset);
        put_le32(p + 16, extents[i].data_len);
        put_le32(p + 20, 0);
    }
}

static bool data_len_is_valid(uint32_t data_len)
{
    return data_len > 0 && data_len <= RECORD_DATA_MAX;
}

struct extent body_row_extent(const struct body_row *row, uint32_t index)
{
    const uint8_t *p = row->extents + BODY_EXTENT * (size_t)index;

    return (struct extent){ .volume = get_le64(p), .offset = get_le64(p + 8), .data_len = get_le32(p + 16) };
}

struct err body_row_decode(struct str value, struct body_row *ret)
{
    if (value.len < BODY_HEAD || get_le32(value.data) != BODY_VERSION) {
        return FAIL(ERR_CORRUPT, "the row of a body is not one that this version knows");
    }
    const struct body_row row = {
        .count = get_le32(value.data + 4),
        .length = get_le64(value.data + 8),
        .extents = (const uint8_t *)value.data + BODY_HEAD,
    };
    uint64_t sum = 0;

    if (row.count > ROW_BODY_EXTENTS_MAX || value.len != ROW_BODY_BYTES(row.count)) {
        return FAIL(ERR_CORRUPT, "the row of a body has a wrong length");
    }
    for (uint32_t i = 0; i < row.count; i++) {
        const struct extent x = body_row_extent(&row, i);
        if (!data_len_is_valid(x.data_len) || x.offset % RECORD_ALIGN) {
            return FAIL(ERR_CORRUPT, "the row of a body has an impossible extent");
        }
        sum += x.data_len;
    }
    if (sum != row.length) return FAIL(ERR_CORRUPT, "the extents of a body do not make up its length");
    *ret = row;
    return OK;
}

struct str extent_row_encode(const struct extent_row *row, uint8_t out[ROW_EXTENT_BYTES])
{
    memcpy(out, row->body.bytes, 16);
    put_le32(out + 16, row->data_len);
    put_le32(out + 20, row->index);
    return str_of(out, ROW_EXTENT_BYTES);
}

struct err extent_row_decode(struct str value, struct extent_row *ret)
{
    if (value.len != ROW_EXTENT_BYTES || !data_len_is_valid(get_le32(value.data + 16))) {
        return FAIL(ERR_CORRUPT, "the row of an extent is damaged");
    }
    memcpy(ret->body.bytes, value.data, 16);
    ret->data_len = get_le32(value.data + 16);
    ret->index = get_le32(value.data + 20);
    return OK;
}

struct str freed_row_encode(const struct freed_row *row, uint8_t out[ROW_FREED_BYTES])
{
    memcpy(out, row->body.bytes, 16);
    put_le32(out + 16, row->data_len);
    put_le32(out + 20, 0);
    put_le64(out + 24, row->txn);
    return str_of(out, ROW_FREED_BYTES);
}

struct err freed_row_decode(struct str value, struct freed_row *ret)
{
    if (value.len != ROW_FREED_BYTES || !data_len_is_valid(get_le32(value.data + 16))) {
        return FAIL(ERR_CORRUPT, "the row of freed space is damaged");
    }
    memcpy(ret->body.bytes, value.data, 16);
    ret->data_len = get_le32(value.data + 16);
    ret->txn = get_le64(value.data + 24);
    return OK;
}

struct str volume_row_encode(const struct volume_row *row, uint8_t out[ROW_VOLUME_BYTES])
{
    put_le32(out, (uint32_t)row->state);
    put_le32(out + 4, row->is_own ? FLAG_OWN : 0);
    put_le64(out + 8, row->length);
    put_le64(out + 16, row->bytes_taken);
    return str_of(out, ROW_VOLUME_BYTES);
}

struct err volume_row_decode(struct str value, struct volume_row *ret)
{
    const uint32_t state = value.len == ROW_VOLUME_BYTES ? get_le32(value.data) : 0;

    if (state != VOLUME_OPEN && state != VOLUME_SEALED)
        return FAIL(ERR_CORRUPT, "the row of a volume is damaged");
    ret->state = (enum volume_state)state;
    ret->is_own = (get_le32(value.data + 4) & FLAG_OWN) != 0;
    ret->length = get_le64(value.data + 8);
    ret->bytes_taken = get_le64(value.data + 16);
    return OK;
}

/* ---- volumes ---- */

struct err volume_has_rows(struct rows *r, enum space space, uint64_t volume, bool *ret)
{
    struct rows_scan scan;
    struct str key, value;
    char from[KEY_PLACE_BYTES];
    uint64_t found = 0, offset;

    rows_scan_begin(&scan, r, space, key_place(volume, 0, from), false);
    const bool has = rows_scan_next(&scan, &key, &value);
    struct err e = scan.err;
    if (has) e = key_place_decode(key, &found, &offset);
    rows_scan_done(&scan);
    TRY(e);
    *ret = has && found == volume;
    return OK;
}

struct err volume_highest_deleted(struct rows *r, uint64_t *ret)
{
    struct str value;
    const struct err e = rows_get(r, SPACE_SYSTEM, ROW_HIGHEST_KEY, &value);

    if (e.code && e.code != ERR_NOT_FOUND) return e;
    if (!e.code && value.len != 8) return FAIL(ERR_CORRUPT, "the row of the highest volume is damaged");
    *ret = e.code ? 0 : get_le64(value.data);
    return OK;
}

struct err volume_row_delete(struct txn *txn, uint64_t volume)
{
    char key[KEY_VOLUME_BYTES], number[8];
    uint64_t highest;

    TRY(volume_highest_deleted(txn_rows(txn), &highest));
    if (volume > highest) {
        put_le64(number, volume);
        TRY(txn_put(txn, SPACE_SYSTEM, ROW_HIGHEST_KEY, str_of(number, 8)));
    }
    return txn_del(txn, SPACE_VOLUMES, key_volume(volume, key));
}

/* ---- what is taken ---- */

static const enum space taken_spaces[2] = { SPACE_EXTENTS, SPACE_FREED };

/* Bring forward scan i: has[i] says whether it stands on a row of this volume. */
static void taken_step(struct taken_scan *s, int i)
{
    struct str key;
    uint64_t volume;

    s->has[i] = rows_scan_next(&s->scans[i], &key, &s->value[i]);
    if (!s->has[i]) {
        if (!s->err.code) s->err = s->scans[i].err;
        return;
    }
    const struct err e = key_place_decode(key, &volume, &s->offset[i]);
    if (e.code) s->err = e;
    if (e.code || volume != s->volume) s->has[i] = false;
}

void taken_scan_begin(struct taken_scan *s, struct rows *r, uint64_t volume)
{
    char from[KEY_PLACE_BYTES];

    *s = (struct taken_scan){ .volume = volume };
    for (int i = 0; i < 2; i++) {
        rows_scan_begin(&s->scans[i], r, taken_spaces[i], key_place(volume, 0, from), false);
        s->is_begun[i] = true;
        taken_step(s, i);
    }
}

bool taken_scan_next(struct taken_scan *s, uint64_t *ret_offset, uint64_t *ret_end)
{
    if (s->err.code || (!s->has[0] && !s->has[1])) return false;

    const int i = !s->has[0] || (s->has[1] && s->offset[1] < s->offset[0]) ? 1 : 0;
    struct extent_row taken;
    struct freed_row freed;
    s->err = i == 0 ? extent_row_decode(s->value[0], &taken) : freed_row_decode(s->value[1], &freed);
    if (s->err.code) return false;

    *ret_offset = s->offset[i];
    *ret_end = s->offset[i] + record_bytes(i == 0 ? taken.data_len : freed.data_len);
    taken_step(s, i);
    return true;
}

void taken_scan_done(struct taken_scan *s)
{
    for (int i = 0; i < 2; i++) {
        if (s->is_begun[i]) rows_scan_done(&s->scans[i]);
        s->is_begun[i] = false;
    }
}
