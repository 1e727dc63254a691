/*
 * part_map.c - the parts of a multipart object.
 *
 * One entry, little endian:
 *   OFFSET  SIZE  MEANING
 *   0       4     part number, from 1; ascending
 *   4       4     zero
 *   8       8     size of the part, bytes; may be 0
 *   16      8     its offset in the object: the sum of the sizes before it
 *   24      16    uid of its body in volumes; zero when the part is empty
 *   40      16    MD5 of the part
 *   56      8     zero: room
 */
#include "storage/object/part_map.h"

#include <assert.h>
#include <string.h>

#include "storage/base/encode.h"
#include "storage/base/limits.h"

static const char *entry_at(const struct part_map *map, size_t index)
{
    assert(index < map->count);
    return map->bytes.data + index * PART_ENTRY_BYTES;
}

void part_map_append(struct buf *out, const struct part_entry *part, const uint8_t md5[16])
{
    char entry[PART_ENTRY_BYTES] = { 0 };

    put_le32(entry, part->number);
    put_le64(entry + 8, part->size);
    put_le64(entry + 16, part->offset);
    if (part->size) memcpy(entry + 24, part->body.bytes, sizeof(part->body.bytes));
    memcpy(entry + 40, md5, 16);
    buf_append(out, entry, sizeof(entry));
}

struct part_entry part_map_at(const struct part_map *map, size_t index)
{
    const char *p = entry_at(map, index);
    struct part_entry part = { .number = get_le32(p), .size = get_le64(p + 8), .offset = get_le64(p + 16) };

    memcpy(part.body.bytes, p + 24, sizeof(part.body.bytes));
    return part;
}

void part_map_md5(const struct part_map *map, size_t index, uint8_t ret_md5[16])
{
    memcpy(ret_md5, entry_at(map, index) + 40, 16);
}

struct err part_map_open(struct str bytes, struct part_map *ret)
{
    struct part_map map = { .bytes = bytes, .count = bytes.len / PART_ENTRY_BYTES };
    uint32_t last_number = 0;

    if (map.count < 1 || map.count > LIMIT_PARTS || bytes.len % PART_ENTRY_BYTES != 0)
        return FAIL(ERR_CORRUPT, "a part map has no possible length");
    for (size_t i = 0; i < map.count; i++) {
        const struct part_entry part = part_map_at(&map, i);
        if (part.number <= last_number || part.number > LIMIT_PARTS || part.offset != map.size
            || __builtin_add_overflow(map.size, part.size, &map.size))
            return FAIL(ERR_CORRUPT, "a part map is not in order");
        last_number = part.number;
    }
    *ret = map;
    return OK;
}

/* The last entry that begins at or before offset. Of several with one offset all but the last are empty. */
size_t part_map_find_offset(const struct part_map *map, uint64_t offset)
{
    size_t low = 0, high = map->count; /* the answer is in [low, high) */

    assert(offset < map->size);
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (get_le64(entry_at(map, middle) + 16) <= offset) low = middle;
        else high = middle;
    }
    return low;
}

bool part_map_find_number(const struct part_map *map, uint32_t number, size_t *ret_index)
{
    size_t low = 0, high = map->count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const uint32_t found = get_le32(entry_at(map, middle));
        if (found == number) {
            *ret_index = middle;
            return true;
        }
        if (found < number) low = middle + 1;
        else high = middle;
    }
    return false;
}

struct part_cursor part_map_from(const struct part_map *map, size_t index)
{
    return (struct part_cursor){ .map = map, .index = index };
}

bool part_map_next(struct part_cursor *c, struct part_entry *ret)
{
    if (c->index >= c->map->count) return false;
    *ret = part_map_at(c->map, c->index++);
    return true;
}
