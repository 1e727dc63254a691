/* conditions_test.c - RFC 9110 13 and S3's rules, row by row. */
#include "storage/base/encode.h"
#include "storage/object/object.h"
#include "tests/unit/test.h"

#define ETAG "0123456789abcdef0123456789abcdef"
#define Q(etag) "\"" etag "\""

/* Last modified Sat, 21 Nov 2026 09:30:00.500: half a second behind what Last-Modified says. */
#define MTIME_MS 1795253400500ll
#define THEN "Sat, 21 Nov 2026 09:30:00 GMT"
#define BEFORE "Sat, 21 Nov 2026 09:29:59 GMT"
#define AFTER "Sat, 21 Nov 2026 09:30:01 GMT"

static struct object_info the_object(uint32_t part_count)
{
    struct object_info info = { .mtime_ms = MTIME_MS, .part_count = part_count };
    CHECK(hex_from(STR(ETAG), info.etag_md5, sizeof(info.etag_md5)));
    return info;
}

/* NULL: not sent. */
struct row {
    const char *if_match, *if_unmodified, *if_none_match, *if_modified;
    enum err_code code;
};

static struct conditions conditions_of(const struct row *row)
{
    return (struct conditions){
        .if_match = str_from_z(row->if_match),
        .if_unmodified_since = str_from_z(row->if_unmodified),
        .if_none_match = str_from_z(row->if_none_match),
        .if_modified_since = str_from_z(row->if_modified),
    };
}

static void check_row(size_t i, const struct row *row, struct err e)
{
    if (e.code != row->code) {
        test_fail(__FILE__, __LINE__, "row %zu {%s, %s, %s, %s}: %s, wanted %s", i,
                  row->if_match ? row->if_match : "-", row->if_unmodified ? row->if_unmodified : "-",
                  row->if_none_match ? row->if_none_match : "-", row->if_modified ? row->if_modified : "-",
                  err_name(e.code), err_name(row->code));
    }
}

#define OTHER Q("fedcba9876543210fedcba9876543210")

TEST(conditions_of_reads_are_taken_in_the_order_of_the_rfc)
{
    static const struct row rows[] = {
        { NULL, NULL, NULL, NULL, ERR_OK },
        /* If-Match */
        { Q(ETAG), NULL, NULL, NULL, ERR_OK },
        { ETAG, NULL, NULL, NULL, ERR_OK },
        { "*", NULL, NULL, NULL, ERR_OK },
        { " * ", NULL, NULL, NULL, ERR_OK },
        { OTHER, NULL, NULL, NULL, ERR_PRECONDITION },
        { OTHER ", " Q(ETAG), NULL, NULL, NULL, ERR_OK },
        { OTHER "," ETAG " , x", NULL, NULL, NULL, ERR_OK },
        { "\"a,b\",,\t" Q(ETAG), NULL, NULL, NULL, ERR_OK },
        { "W/" Q(ETAG), NULL, NULL, NULL, ERR_PRECONDITION }, /* strong comparison */
        { "W/" Q(ETAG) ", " Q(ETAG), NULL, NULL, NULL, ERR_OK },
        { "", NULL, NULL, NULL, ERR_PRECONDITION },
        { "\"", NULL, NULL, NULL, ERR_PRECONDITION },
        { "W/", NULL, NULL, NULL, ERR_PRECONDITION },
        { "\"" ETAG, NULL, NULL, NULL, ERR_OK },
        { Q(ETAG "-1"), NULL, NULL, NULL, ERR_PRECONDITION },
        { Q("*"), NULL, NULL, NULL, ERR_PRECONDITION },
        /* If-Unmodified-Since, in whole seconds; not looked at beside If-Match */
        { NULL, THEN, NULL, NULL, ERR_OK },
        { NULL, AFTER, NULL, NULL, ERR_OK },
        { NULL, BEFORE, NULL, NULL, ERR_PRECONDITION },
        { NULL, "Saturday, 21-Nov-26 09:29:59 GMT", NULL, NULL, ERR_PRECONDITION },
        { NULL, "Sat Nov 21 09:29:59 2026", NULL, NULL, ERR_PRECONDITION },
        { NULL, "yesterday", NULL, NULL, ERR_OK },
        { Q(ETAG), BEFORE, NULL, NULL, ERR_OK },
        { OTHER, AFTER, NULL, NULL, ERR_PRECONDITION },
        /* If-None-Match */
        { NULL, NULL, Q(ETAG), NULL, ERR_NOT_MODIFIED },
        { NULL, NULL, ETAG, NULL, ERR_NOT_MODIFIED },
        { NULL, NULL, "*", NULL, ERR_NOT_MODIFIED },
        { NULL, NULL, "W/" Q(ETAG), NULL, ERR_NOT_MODIFIED }, /* weak comparison */
        { NULL, NULL, OTHER ", W/" Q(ETAG), NULL, ERR_NOT_MODIFIED },
        { NULL, NULL, OTHER, NULL, ERR_OK },
        { NULL, NULL, "", NULL, ERR_OK },
        /* If-Modified-Since; not looked at beside If-None-Match */
        { NULL, NULL, NULL, THEN, ERR_NOT_MODIFIED },
        { NULL, NULL, NULL, AFTER, ERR_NOT_MODIFIED },
        { NULL, NULL, NULL, BEFORE, ERR_OK },
        { NULL, NULL, NULL, "yesterday", ERR_OK },
        { NULL, NULL, OTHER, AFTER, ERR_OK },
        { NULL, NULL, Q(ETAG), BEFORE, ERR_NOT_MODIFIED },
        /* both kinds: 412 comes before 304 */
        { OTHER, NULL, Q(ETAG), NULL, ERR_PRECONDITION },
        { NULL, BEFORE, Q(ETAG), NULL, ERR_PRECONDITION },
        { Q(ETAG), NULL, Q(ETAG), NULL, ERR_NOT_MODIFIED },
        { Q(ETAG), NULL, NULL, AFTER, ERR_NOT_MODIFIED },
        { NULL, AFTER, NULL, BEFORE, ERR_OK },
        { NULL, AFTER, NULL, THEN, ERR_NOT_MODIFIED },
    };
    const struct object_info info = the_object(0);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct conditions c = conditions_of(&rows[i]);
        CHECK(conditions_any(&c) == (i > 0));
        check_row(i, &rows[i], conditions_read(&c, &info));
    }
}

TEST(conditions_of_writes_look_at_what_is_there)
{
    static const struct row on_an_object[] = {
        { NULL, NULL, NULL, NULL, ERR_OK },
        { Q(ETAG), NULL, NULL, NULL, ERR_OK },
        { "*", NULL, NULL, NULL, ERR_OK },
        { OTHER, NULL, NULL, NULL, ERR_PRECONDITION },
        { NULL, NULL, "*", NULL, ERR_PRECONDITION },
        { NULL, NULL, Q(ETAG), NULL, ERR_UNSUPPORTED },
        { NULL, NULL, OTHER, NULL, ERR_UNSUPPORTED },
        { Q(ETAG), NULL, "*", NULL, ERR_PRECONDITION },
        { OTHER, NULL, "*", NULL, ERR_PRECONDITION },
        { NULL, BEFORE, NULL, NULL, ERR_PRECONDITION },
        { NULL, THEN, NULL, NULL, ERR_OK },
        { Q(ETAG), BEFORE, NULL, NULL, ERR_OK },
        { NULL, NULL, NULL, AFTER, ERR_OK }, /* If-Modified-Since is for reads */
    };
    static const struct row on_nothing[] = {
        { NULL, NULL, NULL, NULL, ERR_OK },           { Q(ETAG), NULL, NULL, NULL, ERR_NO_SUCH_KEY },
        { "*", NULL, NULL, NULL, ERR_NO_SUCH_KEY },   { NULL, NULL, "*", NULL, ERR_OK },
        { NULL, NULL, OTHER, NULL, ERR_UNSUPPORTED }, { Q(ETAG), NULL, "*", NULL, ERR_NO_SUCH_KEY },
        { NULL, BEFORE, NULL, NULL, ERR_OK },
    };
    const struct object_info info = the_object(0);

    for (size_t i = 0; i < sizeof(on_an_object) / sizeof(on_an_object[0]); i++) {
        const struct conditions c = conditions_of(&on_an_object[i]);
        check_row(i, &on_an_object[i], conditions_write(&c, &info));
    }
    for (size_t i = 0; i < sizeof(on_nothing) / sizeof(on_nothing[0]); i++) {
        const struct conditions c = conditions_of(&on_nothing[i]);
        check_row(i, &on_nothing[i], conditions_write(&c, NULL));
    }
}

TEST(an_etag_of_parts_has_their_number_behind_it)
{
    const struct object_info plain = the_object(0), parts = the_object(10000);
    char etag[ETAG_SIZE];

    object_etag(&plain, etag);
    CHECK_STR(str_from_z(etag), STR(ETAG));
    object_etag(&parts, etag);
    CHECK_STR(str_from_z(etag), STR(ETAG "-10000"));

    const struct conditions c = { .if_match = STR(Q(ETAG "-10000")) };
    CHECK_OK(conditions_read(&c, &parts));
    CHECK_ERR(conditions_read(&c, &plain), ERR_PRECONDITION);
}
