/* Hand-made schemas and records: what is taken, what is passed over, and what is refused. */
#include "catalog/avro/extract.h"

#include "storage/base/thread.h"
#include "tests/unit/test.h"

struct taken {
    int64_t number, inner;
    struct str text;
};

static const struct want wants[] = {
    { 1, WANT_ROOT, WANT_NUMBER, true, offsetof(struct taken, number), "number" },
    { 2, WANT_ROOT, WANT_STRING, false, offsetof(struct taken, text), "text" },
    { 3, WANT_ROOT, WANT_RECORD, false, 0, "group" },
    { 1, 3, WANT_NUMBER, false, offsetof(struct taken, inner), "inner" },
};

#define NUMBER "{\"name\":\"n\",\"field-id\":1,\"type\":\"long\"}"
#define RECORD(fields) "{\"type\":\"record\",\"name\":\"r\",\"fields\":[" fields "]}"

static struct err run(const char *schema, struct str bytes, struct taken *ret)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct program p;
    struct cursor c = cursor_of(bytes);

    TRY(program_compile(str_from_z(schema), wants, sizeof(wants) / sizeof(wants[0]), arena, &p));
    TRY(extract_record(&p, &c, ret));
    return c.at == c.end ? OK : FAIL(ERR_INTERNAL, "not all was walked");
}

/* clang-format off */
static const struct row {
    const char *schema;
    struct str bytes;
    enum err_code code;
    int64_t number, inner;
    const char *text;
} rows[] = {
    { RECORD(NUMBER), { "\x0e", 1 }, ERR_OK, 7, -9, "" },
    { RECORD("{\"name\":\"t\",\"field-id\":2,\"type\":[\"string\",\"null\"]}," NUMBER), { "\x00\x04hi\x0e", 5 }, ERR_OK, 7, -9, "hi" },
    { RECORD("{\"name\":\"t\",\"field-id\":2,\"type\":[\"null\",\"string\"]}," NUMBER), { "\x00\x0e", 2 }, ERR_OK, 7, -9, "" },
    { RECORD("{\"name\":\"t\",\"field-id\":2,\"type\":[\"null\",\"string\"]}," NUMBER), { "\x04\x0e", 2 }, ERR_CORRUPT, 0, 0, "" },
    { RECORD("{\"name\":\"t\",\"field-id\":2,\"type\":\"string\"}," NUMBER), { "\x02\xff\x0e", 3 }, ERR_CORRUPT, 0, 0, "" },
    { RECORD("{\"name\":\"n\",\"field-id\":1,\"type\":[\"null\",\"long\"]}"), { "\x00", 1 }, ERR_CORRUPT, 0, 0, "" },
    { RECORD("{\"name\":\"n\",\"field-id\":1,\"type\":\"int\"}"), { "\x80\x80\x80\x80\x20", 5 }, ERR_CORRUPT, 0, 0, "" },
    /* The same id in another record is another field. */
    { RECORD(NUMBER ",{\"name\":\"g\",\"field-id\":3,\"type\":{\"type\":\"record\",\"name\":\"g\",\"fields\":[" NUMBER "]}}"), { "\x0e\x10", 2 }, ERR_OK, 7, 8, "" },
    { RECORD(NUMBER ",{\"name\":\"g\",\"field-id\":9,\"type\":{\"type\":\"record\",\"name\":\"g\",\"fields\":[" NUMBER "]}},"
      "{\"name\":\"h\",\"field-id\":3,\"type\":\"g\"},{\"name\":\"i\",\"type\":[\"null\",\"g\"]}"), { "\x0e\x10\x12\x02\x14", 5 }, ERR_OK, 7, 9, "" },
    /* Every kind, passed over. */
    { RECORD("{\"name\":\"a\",\"type\":\"boolean\"},{\"name\":\"b\",\"type\":\"float\"},{\"name\":\"c\",\"type\":\"double\"},"
      "{\"name\":\"d\",\"type\":{\"type\":\"fixed\",\"name\":\"f\",\"size\":2}},{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"x\",\"y\"]}},"
      "{\"name\":\"g\",\"type\":{\"type\":\"map\",\"values\":\"bytes\"}}," NUMBER), { "\x01" "1234" "12345678" "xy" "\x02" "\x02\x02k\x02v\x00" "\x0e", 23 }, ERR_OK, 7, -9, "" },
    { RECORD("{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"x\"]}}," NUMBER), { "\x02\x0e", 2 }, ERR_CORRUPT, 0, 0, "" },
    /* Items of no bytes cost nothing, however many: 2^62 of them. */
    { RECORD("{\"name\":\"a\",\"type\":{\"type\":\"array\",\"items\":\"null\"}}," NUMBER), { "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01\x00\x0e", 12 }, ERR_OK, 7, -9, "" },
    { RECORD("{\"name\":\"a\",\"type\":{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"z\",\"fields\":[{\"name\":\"z\",\"type\":\"null\"}]}}}," NUMBER),
      { "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01\x00\x0e", 12 }, ERR_OK, 7, -9, "" },
    { RECORD("{\"name\":\"a\",\"type\":{\"type\":\"array\",\"items\":\"long\"}}," NUMBER), { "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01\x00\x0e", 12 }, ERR_CORRUPT, 0, 0, "" },
    { RECORD("{\"name\":\"a\",\"type\":{\"type\":\"array\",\"items\":\"long\"}}," NUMBER), { "\x03\x04\x02\x02\x00\x0e", 6 }, ERR_OK, 7, -9, "" },
    /* A record that holds itself has no end. */
    { RECORD("{\"name\":\"s\",\"type\":\"r\"}," NUMBER), { "\x0e", 1 }, ERR_CORRUPT, 0, 0, "" },
    { RECORD("{\"name\":\"s\",\"type\":[\"null\",\"r\"]}," NUMBER), { "\x02\x00\x02\x0e", 4 }, ERR_OK, 7, -9, "" },
    /* Schemas that are refused. */
    { "\"long\"", { "\x0e", 1 }, ERR_INVALID, 0, 0, "" },
    { RECORD(""), { "", 0 }, ERR_INVALID, 0, 0, "" },
    { RECORD("{\"name\":\"n\",\"type\":\"long\"}"), { "\x0e", 1 }, ERR_INVALID, 0, 0, "" },
    { RECORD(NUMBER "," NUMBER), { "\x0e\x0e", 2 }, ERR_INVALID, 0, 0, "" },
    { RECORD("{\"name\":\"n\",\"field-id\":1,\"type\":\"string\"}"), { "\x00", 1 }, ERR_INVALID, 0, 0, "" },
    { RECORD(NUMBER ",{\"name\":\"x\",\"type\":\"nothing\"}"), { "\x0e", 1 }, ERR_INVALID, 0, 0, "" },
    { RECORD(NUMBER ",{\"name\":\"x\",\"type\":{\"type\":\"fixed\",\"name\":\"r\",\"size\":1}}"), { "\x0e", 1 }, ERR_INVALID, 0, 0, "" },
    { RECORD(NUMBER ",{\"name\":\"x\",\"type\":{\"type\":\"fixed\",\"name\":\"f\",\"size\":-1}}"), { "\x0e", 1 }, ERR_INVALID, 0, 0, "" },
    { "{", { "", 0 }, ERR_INVALID, 0, 0, "" },
    { "{}", { "", 0 }, ERR_INVALID, 0, 0, "" },
};
/* clang-format on */

TEST(what_is_wanted_is_taken_and_the_rest_is_passed_over)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        struct taken taken = { .inner = -9 };
        const struct err e = run(row->schema, row->bytes, &taken);
        if (e.code != row->code)
            test_fail(__FILE__, __LINE__, "row %zu: %s (%s)\n%s", i, err_name(e.code), e.why ? e.why : "",
                      row->schema);
        if (e.code) continue;
        if (taken.number != row->number || taken.inner != row->inner || !str_is(taken.text, row->text))
            test_fail(__FILE__, __LINE__, "row %zu: %lld %lld \"%.*s\"", i, (long long)taken.number,
                      (long long)taken.inner, STR_ARG(taken.text));
    }
}
