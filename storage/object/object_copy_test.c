/* object_copy_test.c - copies of each kind of body, onto others and onto itself, and tags. */
#include "storage/object/object_copy.h"

#include "storage/base/thread.h"
#include "storage/object/bucket.h"
#include "storage/object/upload_fixture_test.h"
#include "storage/object/upload_row.h"
#include "tests/unit/test.h"

static const char *const kinds[] = { "none", "small", "blob", "parts", "one part" };
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* One object of each kind, with metadata and tags where the writing allows it. */
static void put_kinds(struct fixture *f)
{
    const size_t sizes[] = { FIXTURE_LARGE, 5000, 1 };
    const struct sent_part part = { 3, fixture_body(f, 9, FIXTURE_LARGE) };
    struct uid id;

    CHECK_OK(fixture_put(f, "none", STR("")));
    CHECK_OK(fixture_put(f, "small", fixture_body(f, 1, 100)));
    CHECK_OK(fixture_put(f, "blob", fixture_body(f, 2, FIXTURE_LARGE)));
    CHECK_OK(fixture_put_parts(f, "parts", fixture_body(f, 3, FIXTURE_LARGE + 5001), sizes, 3));
    CHECK_OK(upload_begin(f, "one part", &id));
    CHECK_OK(upload_put_all(f, "one part", id, &part, 1));
    CHECK_OK(upload_finish(f, "one part", id, &part, 1, NULL));
}

static struct object_copy copy_of(struct fixture *f, const char *source, const char *key)
{
    return (struct object_copy){
        .store = &f->store,
        .source_bucket = STR("bucket"),
        .source_key = str_from_z(source),
        .bucket = STR("bucket"),
        .key = str_from_z(key),
    };
}

static void check_same(struct fixture *f, const struct object_info *source, struct str bytes, const char *key)
{
    struct object_info info;
    struct str got;

    CHECK_OK(fixture_stat(f, key, &info));
    CHECK_OK(fixture_get(f, key, &got));
    CHECK(str_eq(got, bytes));
    CHECK(!uid_eq(info.uid, source->uid));
    CHECK(memcmp(info.etag_md5, source->etag_md5, 16) == 0);
    CHECK_U64(info.part_count, source->part_count);
    CHECK_U64(info.size, source->size);
}

TEST(a_copy_has_the_bytes_and_the_etag_and_lives_by_itself)
{
    struct fixture f;

    fixture_open(&f);
    put_kinds(&f);
    const uint64_t bodies = fixture_count(&f, SPACE_BODIES);
    for (size_t i = 0; i < KINDS; i++) {
        struct object_copy c = copy_of(&f, kinds[i], "copy");
        struct object_info source;
        struct str bytes;

        CHECK_OK(fixture_stat(&f, kinds[i], &source));
        CHECK_OK(fixture_get(&f, kinds[i], &bytes));
        CHECK_OK(object_copy(&c, f.arena));
        CHECK(memcmp(c.ret.etag_md5, source.etag_md5, 16) == 0);
        check_same(&f, &source, bytes, "copy");
        upload_check_references(&f);
        CHECK(fixture_count(&f, SPACE_BODIES) <= bodies); /* none was written */

        CHECK_OK(fixture_delete(&f, kinds[i]));
        upload_clear(&f);
        fixture_settle(&f);
        check_same(&f, &source, bytes, "copy");
        fixture_reopen(&f);
        check_same(&f, &source, bytes, "copy");
    }
    CHECK_OK(fixture_delete(&f, "copy"));
    upload_check_empty(&f);
    fixture_done(&f);
}

TEST(a_copy_onto_itself_must_change_something)
{
    struct fixture f;

    fixture_open(&f);
    put_kinds(&f);
    for (size_t i = 0; i < KINDS; i++) {
        struct object_copy c = copy_of(&f, kinds[i], kinds[i]);
        struct object_info source;
        struct str bytes;

        CHECK_OK(fixture_stat(&f, kinds[i], &source));
        CHECK_OK(fixture_get(&f, kinds[i], &bytes));
        CHECK_ERR(object_copy(&c, f.arena), ERR_INVALID_REQUEST);
        c.replace_meta = true;
        c.meta.headers[OBJECT_CONTENT_TYPE] = STR("text/new");
        CHECK_OK(object_copy(&c, f.arena));
        CHECK_STR(c.ret.meta.headers[OBJECT_CONTENT_TYPE], STR("text/new"));
        check_same(&f, &source, bytes, kinds[i]);
        upload_check_references(&f);
    }
    upload_check_clean(&f);
    for (size_t i = 0; i < KINDS; i++) CHECK_OK(fixture_delete(&f, kinds[i]));
    upload_check_empty(&f);
    fixture_done(&f);
}

TEST(a_copy_takes_metadata_and_tags_as_the_directives_say)
{
    static const struct pair old_user[] = { { STR("a"), STR("old") } },
                             old_tags[] = { { STR("t"), STR("old") } };
    static const struct pair new_user[] = { { STR("a"), STR("new") } },
                             new_tags[] = { { STR("t"), STR("new") } };
    struct fixture f;

    fixture_open(&f);
    CHECK_OK(fixture_put(&f, "start", STR("bytes")));
    struct object_copy c = copy_of(&f, "start", "source");
    c.replace_meta = c.replace_tags = true;
    c.meta = (struct object_meta){ .user = old_user, .user_count = 1, .tags = old_tags, .tag_count = 1 };
    c.meta.headers[OBJECT_CONTENT_TYPE] = STR("old");
    c.meta.headers[OBJECT_STORAGE_CLASS] = STR("COLD");
    CHECK_OK(object_copy(&c, f.arena));

    for (int i = 0; i < 4; i++) {
        c = copy_of(&f, "source", "copy");
        c.replace_meta = i & 1;
        c.replace_tags = i & 2;
        c.meta = (struct object_meta){ .user = new_user, .user_count = 1, .tags = new_tags, .tag_count = 1 };
        c.meta.headers[OBJECT_CONTENT_TYPE] = STR("new");
        CHECK_OK(object_copy(&c, f.arena));
        CHECK_STR(c.ret.meta.headers[OBJECT_CONTENT_TYPE], i & 1 ? STR("new") : STR("old"));
        CHECK_STR(c.ret.meta.user[0].value, i & 1 ? STR("new") : STR("old"));
        CHECK_STR(c.ret.meta.tags[0].value, i & 2 ? STR("new") : STR("old"));
        CHECK(!c.ret.meta.headers[OBJECT_STORAGE_CLASS].data); /* the request's, not the source's */
    }
    fixture_done(&f);
}

TEST(a_copy_obeys_the_conditions_of_both_sides)
{
    struct fixture f;
    struct object_copy c;

    fixture_open(&f);
    CHECK_OK(fixture_put(&f, "source", STR("abc")));
    CHECK_OK(fixture_put(&f, "there", STR("other")));
    const struct str etag = STR("\"900150983cd24fb0d6963f7d28e17f72\"");
    const struct {
        const char *key;
        struct conditions source, target;
        enum err_code code;
    } rows[] = {
        { "new", { .if_match = etag }, {}, ERR_OK },
        { "new", { .if_match = STR("\"x\"") }, {}, ERR_PRECONDITION },
        { "new", { .if_none_match = etag }, {}, ERR_PRECONDITION },
        { "there", {}, { .if_none_match = STR("*") }, ERR_PRECONDITION },
        { "there", {}, { .if_match = etag }, ERR_PRECONDITION },
        { "absent", {}, { .if_match = etag }, ERR_NO_SUCH_KEY },
        { "absent", {}, { .if_none_match = STR("*") }, ERR_OK },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        c = copy_of(&f, "source", rows[i].key);
        c.source_conditions = rows[i].source;
        c.conditions = rows[i].target;
        CHECK_ERR(object_copy(&c, f.arena), rows[i].code);
    }
    c = copy_of(&f, "nothing", "x");
    CHECK_ERR(object_copy(&c, f.arena), ERR_NO_SUCH_KEY);
    c = copy_of(&f, "source", "x");
    c.bucket = STR("no-bucket");
    CHECK_ERR(object_copy(&c, f.arena), ERR_NO_SUCH_BUCKET);
    c = copy_of(&f, "source", "");
    CHECK_ERR(object_copy(&c, f.arena), ERR_INVALID_URI);
    fixture_done(&f);
}

TEST(a_checksum_of_another_algorithm_is_computed_and_else_kept)
{
    struct fixture f;

    fixture_open(&f);
    put_kinds(&f);
    for (size_t i = 0; i < KINDS; i++) {
        struct object_copy c = copy_of(&f, kinds[i], "copy");
        struct str bytes;

        CHECK_OK(fixture_get(&f, kinds[i], &bytes));
        c.checksum = DIGEST_SHA256;
        CHECK_OK(object_copy(&c, f.arena));
        const struct digest_value want = digest_of(DIGEST_SHA256, bytes.data, bytes.len);
        CHECK_U64(c.ret.checksum.kind, DIGEST_SHA256);
        CHECK_U64(c.ret.checksum.type, CHECKSUM_FULL_OBJECT);
        CHECK(memcmp(c.ret.checksum.value.bytes, want.bytes, 32) == 0);

        struct object_copy again = copy_of(&f, "copy", "again");
        CHECK_OK(object_copy(&again, f.arena));
        CHECK_U64(again.ret.checksum.kind, DIGEST_SHA256);
        CHECK(memcmp(again.ret.checksum.value.bytes, want.bytes, 32) == 0);
    }
    upload_check_clean(&f);
    fixture_done(&f);
}

/* ---- tags ---- */

TEST(tags_change_and_nothing_else_does)
{
    static const struct pair tags[] = { { STR("a"), STR("1") }, { STR("b"), STR("") } };
    struct fixture f;

    fixture_open(&f);
    put_kinds(&f);
    for (size_t i = 0; i < KINDS; i++) {
        struct object_info before, after;
        struct str bytes, again;

        CHECK_OK(fixture_stat(&f, kinds[i], &before));
        CHECK_OK(fixture_get(&f, kinds[i], &bytes));
        for (size_t count = 2; count <= 2; count -= 2) {
            CHECK_OK(object_set_tags(&f.store, STR("bucket"), str_from_z(kinds[i]), tags, count, f.arena));
            CHECK_OK(fixture_stat(&f, kinds[i], &after));
            CHECK_U64(after.meta.tag_count, count);
            if (count) CHECK_STR(after.meta.tags[0].value, STR("1"));
            CHECK(uid_eq(before.uid, after.uid));
            CHECK_U64(before.mtime_ms, after.mtime_ms);
            CHECK(memcmp(before.etag_md5, after.etag_md5, 16) == 0);
            CHECK_OK(fixture_get(&f, kinds[i], &again));
            CHECK(str_eq(bytes, again));
        }
    }
    upload_check_clean(&f);
    CHECK_ERR(object_set_tags(&f.store, STR("bucket"), STR("nothing"), tags, 1, f.arena), ERR_NO_SUCH_KEY);
    fixture_done(&f);
}
