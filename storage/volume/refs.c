/*
 * refs.c - the transactions on bodies: publish, one reference more, one less; and the move to another place.
 *
 * References are rows (body, referrer), not counts, so each of these may be repeated. The last reference takes the body's row away and turns its
 * extents into freed space in the same transaction; from then on no transaction can find the body, so it is never referenced again. That holds
 * for its own writer too: while it is open, its pin keeps the rows in SPACE_FREED, and publishing a second time finds them.
 */
#include <string.h>

#include "storage/volume/blob_state.h"

static struct err have(struct rows *r, enum space space, struct str key, bool *ret)
{
    struct err e;
    const bool is_there = rows_have(r, space, key, &e);

    TRY(e);
    *ret = is_there;
    return OK;
}

/* The first extent speaks for all: they are published and freed together. */
struct err writer_is_published(struct rows *r, const struct blob_writer *w, bool *ret)
{
    char key[KEY_PLACE_BYTES];

    *ret = false;
    if (w->count == 0) return have(r, SPACE_BODIES, key_body(&w->pin.uid), ret);
    const struct str place = key_place(w->extents[0].volume, w->extents[0].offset, key);
    TRY(have(r, SPACE_EXTENTS, place, ret));
    return *ret ? OK : have(r, SPACE_FREED, place, ret);
}

static struct err put_ref(struct txn *txn, struct uid body, struct uid referrer)
{
    char key[KEY_REF_BYTES];

    return txn_put(txn, SPACE_BODY_REFS, key_ref(body, referrer, key), STR("\x01"));
}

/* The row of an open volume, put with the first body in it. */
static struct err put_volume(struct txn *txn, const struct volume *v)
{
    char key[KEY_VOLUME_BYTES];
    uint8_t value[ROW_VOLUME_BYTES];
    bool is_there;

    TRY(have(txn_rows(txn), SPACE_VOLUMES, key_volume(v->id, key), &is_there));
    if (is_there) return OK;
    const struct volume_row row = { .state = VOLUME_OPEN, .is_own = v->is_own };
    return txn_put(txn, SPACE_VOLUMES, str_of(key, sizeof(key)), volume_row_encode(&row, value));
}

static struct err put_extents(struct txn *txn, const struct blob_writer *w)
{
    for (uint32_t i = 0; i < w->count; i++) {
        const struct extent_row row = { .body = w->pin.uid, .data_len = w->extents[i].data_len, .index = i };
        char key[KEY_PLACE_BYTES];
        uint8_t value[ROW_EXTENT_BYTES];

        if (i == 0 || w->volumes[i] != w->volumes[i - 1]) TRY(put_volume(txn, w->volumes[i]));
        TRY(txn_put(txn, SPACE_EXTENTS, key_place(w->extents[i].volume, w->extents[i].offset, key),
                    extent_row_encode(&row, value)));
    }
    return OK;
}

struct err blob_publish(struct txn *txn, const struct blob_writer *w, struct uid referrer)
{
    const struct str body = key_body(&w->pin.uid);
    bool is_there, was_there = false;

    if (atomic_load(&w->state) != WRITER_DURABLE)
        return FAIL(ERR_INVALID, "a body is flushed before it is published");
    TRY(have(txn_rows(txn), SPACE_BODIES, body, &is_there));
    if (is_there) return put_ref(txn, w->pin.uid, referrer);

    TRY(writer_is_published(txn_rows(txn), w, &was_there));
    if (was_there) return FAIL(ERR_NOT_FOUND, "the body was freed");
    TRY(put_extents(txn, w));
    TRY(txn_put(txn, SPACE_BODIES, body, str_of(w->row, ROW_BODY_BYTES(w->count))));
    return put_ref(txn, w->pin.uid, referrer);
}

struct err blob_ref(struct txn *txn, struct uid body, struct uid referrer)
{
    bool is_there;

    TRY(have(txn_rows(txn), SPACE_BODIES, key_body(&body), &is_there));
    if (!is_there) return FAIL(ERR_NOT_FOUND, "the body is gone");
    return put_ref(txn, body, referrer);
}

static struct err has_refs(struct rows *r, struct uid body, bool *ret)
{
    struct rows_scan scan;
    struct str key, value;

    rows_scan_begin(&scan, r, SPACE_BODY_REFS, key_body(&body), false);
    const bool has = rows_scan_next(&scan, &key, &value) && str_starts(key, key_body(&body));
    const struct err e = scan.err;
    rows_scan_done(&scan);
    TRY(e);
    *ret = has;
    return OK;
}

static struct err free_extents(struct txn *txn, struct uid body, const struct body_row *row)
{
    for (uint32_t i = 0; i < row->count; i++) {
        const struct extent x = body_row_extent(row, i);
        const struct freed_row freed = { .body = body, .data_len = x.data_len, .txn = txn_number(txn) };
        char key[KEY_PLACE_BYTES];
        uint8_t out[ROW_FREED_BYTES];

        TRY(txn_del(txn, SPACE_EXTENTS, key_place(x.volume, x.offset, key)));
        TRY(txn_put(txn, SPACE_FREED, str_of(key, sizeof(key)), freed_row_encode(&freed, out)));
    }
    return OK;
}

/* Its extents become freed space. The row is copied first: what txn_get gave need not outlive a put. */
static struct err free_body(struct txn *txn, struct uid body)
{
    uint8_t copy[ROW_BODY_BYTES(ROW_BODY_EXTENTS_MAX)];
    struct body_row row;
    struct str value;

    TRY(rows_get(txn_rows(txn), SPACE_BODIES, key_body(&body), &value));
    if (value.len > sizeof(copy)) return FAIL(ERR_CORRUPT, "the row of a body is too long");
    memcpy(copy, value.data, value.len);
    TRY(body_row_decode(str_of(copy, value.len), &row));
    TRY(free_extents(txn, body, &row));
    return txn_del(txn, SPACE_BODIES, key_body(&body));
}

struct err body_move(struct txn *txn, const struct blob_writer *w, struct str row, bool *ret_moved)
{
    struct body_row old;
    struct str value;

    *ret_moved = false;
    if (atomic_load(&w->state) != WRITER_DURABLE)
        return FAIL(ERR_INVALID, "a copy of a body is flushed before the body is moved to it");
    const struct err e = rows_get(txn_rows(txn), SPACE_BODIES, key_body(&w->pin.uid), &value);
    if (e.code == ERR_NOT_FOUND) return OK;
    TRY(e);
    if (!str_eq(value, row)) return OK;
    TRY(body_row_decode(row, &old));
    TRY(free_extents(txn, w->pin.uid, &old));
    TRY(put_extents(txn, w));
    *ret_moved = true;
    return txn_put(txn, SPACE_BODIES, key_body(&w->pin.uid), str_of(w->row, ROW_BODY_BYTES(w->count)));
}

struct err blob_unref(struct txn *txn, struct uid body, struct uid referrer)
{
    char key[KEY_REF_BYTES];
    bool is_there;

    TRY(have(txn_rows(txn), SPACE_BODY_REFS, key_ref(body, referrer, key), &is_there));
    if (!is_there) return OK;
    TRY(txn_del(txn, SPACE_BODY_REFS, str_of(key, sizeof(key))));
    TRY(has_refs(txn_rows(txn), body, &is_there));
    return is_there ? OK : free_body(txn, body);
}
