/*
 * layout_test.c
 */
#include "admin/cli/layout.h"

#include "tests/unit/test.h"

static const struct column columns[] = {
    { "name", "NAME", COLUMN_TEXT }, { "rows", "ROWS", COLUMN_NUMBER }, { "size", "SIZE", COLUMN_SIZE },
    { "made", "MADE", COLUMN_TIME }, { "ok", "OK", COLUMN_BOOL },       { NULL, NULL, COLUMN_TEXT },
};

static void check_layout(struct err (*print)(const struct column *, const json_t *, struct buf *),
                         const char *json, const char *want)
{
    json_t *value = NULL;
    struct buf out;

    buf_init(&out, 4096);
    CHECK_OK(json_parse(str_from_z(json), &value));
    CHECK_OK(print(columns, value, &out));
    CHECK_STR(buf_view(&out), str_from_z(want));
    buf_done(&out);
    json_decref(value);
}

TEST(columns_are_aligned_by_characters)
{
    check_layout(
        layout_rows,
        "[{\"name\":\"\xc3\xbc\",\"rows\":7,\"size\":1536,\"made\":1795253400123,\"ok\":true},"
        "{\"name\":\"longer\",\"rows\":\"12345\",\"size\":\"0\",\"made\":\"2026-11-21T09:30:00Z\",\"ok\":false},"
        "{\"name\":[\"a\",\"b\"],\"rows\":null}]",
        "NAME     ROWS     SIZE  MADE                  OK\n"
        "\xc3\xbc           7  1.5 KiB  2026-11-21 09:30:00Z  yes\n"
        "longer  12345      0 B  2026-11-21 09:30:00Z  no\n"
        "a, b        -        -  -                     -\n");
}

TEST(an_empty_listing_has_its_titles)
{
    check_layout(layout_rows, "[]", "NAME  ROWS  SIZE  MADE  OK\n");
}

TEST(facts_stand_one_a_line)
{
    check_layout(layout_facts, "{\"name\":\"x\\u001by\",\"rows\":1}",
                 "NAME  x?y\nROWS  1\nSIZE  -\nMADE  -\nOK    -\n");
}
