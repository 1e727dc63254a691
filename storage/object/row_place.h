/*
 * row_place.h - which rows refer to small bodies, and where in their values the place stands.
 *
 * Each small body has exactly one referrer (meta.h). Whoever puts the bodies of a store elsewhere writes each together with its row, with the new place in the value; nothing
 * else of a row depends on where its body lies. A new kind of row with a `struct place` in it is a row of the table in row_place.c.
 */
#ifndef STORAGE_OBJECT_ROW_PLACE_H
#define STORAGE_OBJECT_ROW_PLACE_H

#include "storage/meta/meta.h"

struct row_place {
    size_t at;          /* PLACE_BYTES of the value from here on; 0: the row refers to no small body */
    struct place place;
};

/* ERR_CORRUPT: the row does not decode, so what it refers to cannot be told. Spaces whose rows never refer to one are not looked into. */
struct err row_place_find(enum space space, struct str key, struct str value, struct row_place *ret);

#endif
