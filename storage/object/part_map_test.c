/* part_map_test.c - parts are found by number and by offset; a map that is not in order is none. */
#include "storage/object/part_map.h"

#include "storage/base/encode.h"
#include "tests/unit/test.h"

/* Parts 2, 3, 7, 10000, the second and the last empty. */
static const struct part_entry parts[] = {
    { 2, 100, 0, { { 1 } } },  { 3, 0, 100, { { 0 } } },     { 7, 1, 100, { { 3 } } },
    { 9, 50, 101, { { 4 } } }, { 10000, 0, 151, { { 0 } } },
};
#define COUNT (sizeof(parts) / sizeof(parts[0]))

static void make(struct buf *b)
{
    buf_init(b, 4096);
    for (size_t i = 0; i < COUNT; i++) {
        uint8_t md5[16];
        memset(md5, (int)i + 1, sizeof(md5));
        part_map_append(b, &parts[i], md5);
    }
}

TEST(a_part_map_comes_back_as_it_was)
{
    struct buf b;
    struct part_map map;
    struct part_entry part;
    uint8_t md5[16];
    size_t count = 0;

    make(&b);
    CHECK_U64(b.len, COUNT * PART_ENTRY_BYTES);
    CHECK_OK(part_map_open(buf_view(&b), &map));
    CHECK_U64(map.count, COUNT);
    CHECK_U64(map.size, 151);
    for (struct part_cursor c = part_map_from(&map, 1); part_map_next(&c, &part); count++) {
        const struct part_entry *want = &parts[count + 1];
        CHECK_U64(part.number, want->number);
        CHECK_U64(part.size, want->size);
        CHECK_U64(part.offset, want->offset);
        CHECK(memcmp(part.body.bytes, want->body.bytes, 16) == 0);
    }
    CHECK_U64(count, COUNT - 1);
    part_map_md5(&map, 2, md5);
    CHECK(md5[0] == 3 && md5[15] == 3);
    buf_done(&b);
}

TEST(a_part_is_found_by_offset_and_never_an_empty_one)
{
    struct buf b;
    struct part_map map;

    make(&b);
    CHECK_OK(part_map_open(buf_view(&b), &map));
    for (uint64_t offset = 0; offset < map.size; offset++) {
        const struct part_entry part = part_map_at(&map, part_map_find_offset(&map, offset));
        CHECK(part.offset <= offset && offset < part.offset + part.size);
    }
    buf_done(&b);
}

TEST(a_part_is_found_by_its_number)
{
    struct buf b;
    struct part_map map;

    make(&b);
    CHECK_OK(part_map_open(buf_view(&b), &map));
    for (uint32_t number = 0; number <= 10001; number++) {
        size_t index, want = COUNT;
        for (size_t i = 0; i < COUNT; i++) {
            if (parts[i].number == number) want = i;
        }
        CHECK(part_map_find_number(&map, number, &index) == (want < COUNT));
        if (want < COUNT) CHECK_U64(index, want);
    }
    buf_done(&b);
}

TEST(a_part_map_that_is_not_in_order_is_corrupt)
{
    struct buf b;
    struct part_map map;

    make(&b);
    for (size_t len = 0; len < b.len; len++)
        CHECK(part_map_open(str_of(b.data, len), &map).code
              == (len && len % PART_ENTRY_BYTES == 0 ? ERR_OK : ERR_CORRUPT));

    static const struct {
        size_t at;
        uint8_t value;
    } damages[] = {
        { 0, 0 },                           /* number 0 */
        { 0, 3 },                           /* twice the same number */
        { 0, 200 },                         /* numbers descend */
        { 4 * PART_ENTRY_BYTES + 2, 1 },    /* number above 10,000 */
        { 8, 101 },                         /* a gap behind the first */
        { 16, 1 },                          /* the first does not begin at 0 */
        { 2 * PART_ENTRY_BYTES + 15, 255 }, /* sizes overflow, or offsets do not follow */
    };
    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        const char was = b.data[damages[i].at];
        b.data[damages[i].at] = (char)damages[i].value;
        CHECK_ERR(part_map_open(buf_view(&b), &map), ERR_CORRUPT);
        b.data[damages[i].at] = was;
    }
    CHECK_OK(part_map_open(buf_view(&b), &map));
    buf_done(&b);
}
