/*
 * part_map.h - the parts of a multipart object, as the journal body that its row refers to.
 *
 * A map is a row of entries of 64 bytes (docs/FORMAT.md), in the order of the object: numbers ascend, offsets follow on
 * each other from 0. So a part is found by bisection, by number or by offset, without taking the map apart; 10,000 of
 * them are 640 KB. The map has no checksum of its own: its place has one (meta.h), and meta_read_body holds it against
 * that.
 *
 *   written   struct part_entry ... -> part_map_append to a buf -> txn_put_body(SPACE_OBJECTS, object_row_key)
 *   read      meta_read_body -> part_map_open (checks all of it once) -> part_map_at, _find_offset, _find_number
 *
 * Pure: no rows, no bodies.
 */
#ifndef STORAGE_OBJECT_PART_MAP_H
#define STORAGE_OBJECT_PART_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/base/buf.h"
#include "storage/base/err.h"
#include "storage/base/str.h"
#include "storage/object/multipart.h"

#define PART_ENTRY_BYTES 64

/* A map that was checked: a view of bytes that somebody else owns. */
struct part_map {
    struct str bytes;
    size_t count;
    uint64_t size; /* of the object: of all parts together */
};

/* Append one entry. The caller keeps the order: offset is the sum of the sizes before it. md5 is the part's, for those
 * who list parts later. */
void part_map_append(struct buf *out, const struct part_entry *part, const uint8_t md5[16]);

/* Check everything that the functions below rely on: whole entries, 1 to LIMIT_PARTS of them, numbers ascending from at
 * least 1, offsets without gaps. ERR_CORRUPT. bytes stay the caller's, and must outlive the map. */
struct err part_map_open(struct str bytes, struct part_map *ret);

/* Entry number `index`, from 0, below map->count. */
struct part_entry part_map_at(const struct part_map *map, size_t index);
void part_map_md5(const struct part_map *map, size_t index, uint8_t ret_md5[16]);

/* The index of the part with the byte at offset, which is below map->size. Never an empty part. */
size_t part_map_find_offset(const struct part_map *map, uint64_t offset);

/* The index of the part with that number; false when there is none. */
bool part_map_find_number(const struct part_map *map, uint32_t number, size_t *ret_index);

/* The parts from one on, in order: for (struct part_cursor c = part_map_from(&map, 0); part_map_next(&c, &part); ) */
struct part_cursor {
    const struct part_map *map;
    size_t index; /* of the entry that comes next */
};
struct part_cursor part_map_from(const struct part_map *map, size_t index);
bool part_map_next(struct part_cursor *c, struct part_entry *ret);

#endif
