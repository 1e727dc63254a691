/*
 * volume_rows.h - the rows of bodies: keys and values of SPACE_BODIES, BODY_REFS, EXTENTS, FREED and VOLUMES.
 *
 *   space      key                          value (little endian)
 *   BODIES     body 16                      version 4 = 1, extents 4, length 8, then per extent: volume 8, offset 8, data length 4, zeros 4
 *   BODY_REFS  body 16, referrer 16         version 1 = 1
 *   EXTENTS    volume be64, offset be64     body 16, data length 4, index in the body 4
 *   FREED      volume be64, offset be64     body 16, data length 4, zeros 4, freeing transaction 8
 *   VOLUMES    volume be64                  state 4 (1 open, 2 sealed), flags 4 (1: file of one body), committed length 8, bytes taken 8
 *   SYSTEM     "volume.store"               store id 16
 *   SYSTEM     "volume.highest"             the highest id of a volume whose row was deleted 8: ids are never used twice
 *
 * EXTENTS and FREED together are the space of a volume that is taken; all else is gaps. Committed length and bytes taken are kept for sealed
 * volumes only: of an open one its extents' rows tell.
 */
#ifndef STORAGE_VOLUME_VOLUME_ROWS_H
#define STORAGE_VOLUME_VOLUME_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/base/err.h"
#include "storage/base/ids.h"
#include "storage/meta/meta.h"

/* A piece of a body in a volume. A value. */
struct extent {
    uint64_t volume, offset; /* offset: where the extent, and so its data, begins */
    uint32_t data_len;
};

#define KEY_VOLUME_BYTES 8
#define KEY_PLACE_BYTES 16
#define KEY_REF_BYTES 32

struct str key_volume(uint64_t volume, char out[KEY_VOLUME_BYTES]);
struct str key_place(uint64_t volume, uint64_t offset, char out[KEY_PLACE_BYTES]);
struct str key_ref(struct uid body, struct uid referrer, char out[KEY_REF_BYTES]);
struct str key_body(const struct uid *body); /* a view of *body */
/* ERR_CORRUPT for a key of another length. */
struct err key_place_decode(struct str key, uint64_t *ret_volume, uint64_t *ret_offset);
struct err key_volume_decode(struct str key, uint64_t *ret_volume);

#define ROW_BODY_BYTES(extents_) (16 + 24 * (size_t)(extents_))
#define ROW_BODY_EXTENTS_MAX 400 /* freeing takes two rows for each, in one transaction; a body of 5 GiB has about 30 */
struct body_row {
    uint64_t length;
    uint32_t count;
    const uint8_t *extents; /* in the row */
};
void body_row_encode(uint64_t length, const struct extent *extents, uint32_t count, uint8_t *out);
struct err body_row_decode(struct str value, struct body_row *ret); /* ERR_CORRUPT */
struct extent body_row_extent(const struct body_row *row, uint32_t index);

#define ROW_EXTENT_BYTES 24
struct extent_row {
    struct uid body;
    uint32_t data_len, index;
};
struct str extent_row_encode(const struct extent_row *row, uint8_t out[ROW_EXTENT_BYTES]);
struct err extent_row_decode(struct str value, struct extent_row *ret);

#define ROW_FREED_BYTES 32
struct freed_row {
    struct uid body;
    uint32_t data_len;
    uint64_t txn; /* that freed it */
};
struct str freed_row_encode(const struct freed_row *row, uint8_t out[ROW_FREED_BYTES]);
struct err freed_row_decode(struct str value, struct freed_row *ret);

enum volume_state { VOLUME_OPEN = 1, VOLUME_SEALED = 2 };
#define ROW_VOLUME_BYTES 24
struct volume_row {
    enum volume_state state;
    bool is_own;
    uint64_t length, bytes_taken;
};
struct str volume_row_encode(const struct volume_row *row, uint8_t out[ROW_VOLUME_BYTES]);
struct err volume_row_decode(struct str value, struct volume_row *ret);

/* Has this volume a row in SPACE_EXTENTS or SPACE_FREED? */
struct err volume_has_rows(struct rows *r, enum space space, uint64_t volume, bool *ret);

/* A transaction: the row of a volume goes, and its id is remembered as used. */
struct err volume_row_delete(struct txn *txn, uint64_t volume);
struct err volume_highest_deleted(struct rows *r, uint64_t *ret); /* 0: none yet */
#define ROW_STORE_KEY STR("volume.store")
#define ROW_HIGHEST_KEY STR("volume.highest")

/* The space of one volume that is taken, in the order of its offsets: EXTENTS and FREED merged. */
struct taken_scan {
    struct err err; /* look at it when next has said false */
    struct rows_scan scans[2];
    bool is_begun[2], has[2];
    struct str value[2];
    uint64_t volume, offset[2];
};
void taken_scan_begin(struct taken_scan *s, struct rows *r, uint64_t volume);
bool taken_scan_next(struct taken_scan *s, uint64_t *ret_offset, uint64_t *ret_end); /* whole extents, with trailers */
void taken_scan_done(struct taken_scan *s);

#endif
