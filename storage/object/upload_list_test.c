/* upload_list_test.c - listing uploads, against a model that sorts an array. */
#include "storage/object/multipart.h"

#include <stdlib.h>

#include "storage/object/bucket.h"
#include "storage/object/upload_fixture_test.h"
#include "storage/object/upload_row.h"
#include "tests/unit/test.h"

#define UPLOADS 60

struct upload {
    struct str key;
    struct uid id;
};

static int compare_uploads(const void *a, const void *b)
{
    const struct upload *x = a, *y = b;
    const int c = str_cmp(x->key, y->key);

    return c ? c : memcmp(x->id.bytes, y->id.bytes, 16);
}

/* Few letters, so that prefixes, delimiters and equal keys are common. */
static struct str some_key(struct fixture *f, unsigned *seed)
{
    static const char letters[] = { 'a', 'b', '/', '/', '\0', (char)0xff };
    char key[5];
    const size_t len = 1 + (size_t)rand_r(seed) % sizeof(key);

    for (size_t i = 0; i < len; i++) key[i] = letters[(size_t)rand_r(seed) % 5];
    return arena_str(f->arena, str_of(key, len));
}

/* What a listing should give, all pages together. */
static size_t model(const struct upload *all, struct str prefix, struct str delimiter,
                    struct upload_entry *ret)
{
    size_t count = 0;

    for (size_t i = 0; i < UPLOADS; i++) {
        const struct str key = all[i].key;
        if (!str_starts(key, prefix)) continue;
        const struct str rest = str_from(key, prefix.len);
        const size_t at = delimiter.len ? str_find(rest, delimiter) : rest.len;
        if (at == rest.len) {
            ret[count++] = (struct upload_entry){ .key = key, .info.id = all[i].id };
            continue;
        }
        const struct str common = str_slice(key, 0, prefix.len + at + delimiter.len);
        if (count && ret[count - 1].is_prefix && str_eq(ret[count - 1].key, common)) continue;
        ret[count++] = (struct upload_entry){ .key = common, .is_prefix = true };
    }
    return count;
}

static void check_pages(struct fixture *f, const struct upload *all, struct upload_query q)
{
    struct upload_entry wanted[UPLOADS];
    const size_t count = model(all, q.prefix, q.delimiter, wanted);
    struct upload_page page;
    size_t at = 0;

    do {
        CHECK_OK(upload_list(&f->store, &q, f->arena, &page));
        CHECK(page.count <= q.max);
        for (size_t i = 0; i < page.count; i++, at++) {
            CHECK(at < count);
            CHECK_STR(page.entries[i].key, wanted[at].key);
            CHECK(page.entries[i].is_prefix == wanted[at].is_prefix);
            if (!wanted[at].is_prefix) CHECK(uid_eq(page.entries[i].info.id, wanted[at].info.id));
        }
        CHECK(page.is_truncated == (at < count));
        q.key_marker = page.next_key_marker;
        q.upload_id_marker = page.next_upload_id_marker;
    } while (page.is_truncated);
    CHECK_U64(at, count);
}

TEST(listing_uploads_gives_what_a_sorted_array_gives)
{
    static const struct str words[] = { STR(""),  STR("/"),  STR("a"),  STR("a/"),
                                        STR("b"), STR("//"), STR("\0"), STR("zz") };
    struct upload all[UPLOADS];
    struct fixture f;
    unsigned seed = 7;

    fixture_open(&f);
    CHECK_OK(bucket_create(&f.store, STR("another"), STR("owner"), STR_NONE));
    for (size_t i = 0; i < UPLOADS; i++) {
        const struct upload_info what = { .owner = STR("owner") };
        struct uid other;
        all[i].key = some_key(&f, &seed);
        CHECK_OK(upload_create(&f.store, STR("bucket"), all[i].key, &what, &all[i].id));
        if (i % 8 == 0) CHECK_OK(upload_create(&f.store, STR("another"), all[i].key, &what, &other));
    }
    qsort(all, UPLOADS, sizeof(all[0]), compare_uploads);

    for (size_t p = 0; p < sizeof(words) / sizeof(words[0]); p++) {
        for (size_t d = 0; d < sizeof(words) / sizeof(words[0]); d++) {
            for (uint32_t max = 1; max < 100; max += max + 1) {
                check_pages(
                    &f, all,
                    (struct upload_query){
                        .bucket = STR("bucket"), .prefix = words[p], .delimiter = words[d], .max = max });
            }
        }
    }
    fixture_done(&f);
}

static int compare_uids(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct uid));
}

TEST(a_key_marker_without_an_id_skips_all_uploads_of_that_key)
{
    struct upload_query q = { .bucket = STR("bucket"), .max = 1000 };
    struct upload_page page;
    struct fixture f;
    struct uid ids[5];

    fixture_open(&f);
    for (size_t i = 0; i < 3; i++) CHECK_OK(upload_begin(&f, "k", &ids[i]));
    qsort(ids, 3, sizeof(ids[0]), compare_uids); /* of one millisecond, they have no order */
    CHECK_OK(upload_create(&f.store, STR("bucket"), STR("k\0"), &(struct upload_info){ 0 }, &ids[3]));
    CHECK_OK(upload_begin(&f, "l", &ids[4]));

    q.key_marker = STR("k");
    CHECK_OK(upload_list(&f.store, &q, f.arena, &page));
    CHECK_U64(page.count, 2);
    CHECK(uid_eq(page.entries[0].info.id, ids[3]));
    CHECK(uid_eq(page.entries[1].info.id, ids[4]));

    char marker[UPLOAD_ID_SIZE];
    upload_id_print(ids[1], marker);
    q.upload_id_marker = str_from_z(marker);
    CHECK_OK(upload_list(&f.store, &q, f.arena, &page));
    CHECK_U64(page.count, 3);
    CHECK(uid_eq(page.entries[0].info.id, ids[2]));

    q.upload_id_marker = STR("what");
    CHECK_ERR(upload_list(&f.store, &q, f.arena, &page), ERR_INVALID_ARGUMENT);
    q = (struct upload_query){ .bucket = STR("no-bucket"), .max = 1 };
    CHECK_ERR(upload_list(&f.store, &q, f.arena, &page), ERR_NO_SUCH_BUCKET);
    fixture_done(&f);
}

TEST(a_page_of_no_uploads_is_empty_and_not_truncated)
{
    struct upload_query q = { .bucket = STR("bucket"), .max = 0 };
    struct upload_page page;
    struct fixture f;
    struct uid id;

    fixture_open(&f);
    CHECK_OK(upload_begin(&f, "k", &id));
    CHECK_OK(upload_list(&f.store, &q, f.arena, &page));
    CHECK_U64(page.count, 0);
    CHECK(!page.is_truncated);
    fixture_done(&f);
}
