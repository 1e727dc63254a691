/* object_list_test.c - pages of a listing against a model that looks at every key. */
#include "storage/object/object_list.h"

#include <stdlib.h>

#include "storage/base/limits.h"
#include "storage/object/fixture_test.h"
#include "tests/unit/test.h"

#define KEYS 120
#define KEY_MAX 6

static char keys[KEYS][KEY_MAX + 1];
static size_t key_count;

static int by_bytes(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Keys over an alphabet so small that prefixes, delimiters and whole keys run into each other. \xc3\xa4 keeps
 * them UTF-8 and high. */
static void make_keys(struct fixture *f, unsigned seed)
{
    static const char *const letters[] = { "a", "b", "/", "/", "-", "\xc3\xa4", "\x01" };

    srandom(seed);
    key_count = 0;
    while (key_count < KEYS) {
        char key[20] = "";
        const int n = 1 + (int)(random() % 5);
        for (int i = 0; i < n; i++) strcat(key, letters[random() % 7]);
        if (strlen(key) <= KEY_MAX) strcpy(keys[key_count++], key);
    }
    qsort(keys, key_count, sizeof(keys[0]), by_bytes);
    size_t unique = 0;
    for (size_t i = 0; i < key_count; i++) {
        if (unique == 0 || strcmp(keys[unique - 1], keys[i]) != 0)
            memmove(keys[unique++], keys[i], sizeof(keys[0]));
    }
    key_count = unique;
    for (size_t i = 0; i < key_count; i++) CHECK_OK(fixture_put(f, keys[i], STR_NONE));
}

struct model {
    struct list_entry entries[KEYS];
    size_t count;
};

/* The common prefix of key, or an empty one. */
static struct str model_prefix(const struct list_query *q, struct str key)
{
    const struct str rest = str_from(key, q->prefix.len);
    const size_t at = str_find(rest, q->delimiter);
    return q->delimiter.len == 0 || at == rest.len ? STR_NONE
                                                   : str_slice(key, 0, q->prefix.len + at + q->delimiter.len);
}

/* All entries of the query, without max. */
static void model_list(const struct list_query *q, struct model *m)
{
    m->count = 0;
    for (size_t i = 0; i < key_count; i++) {
        const struct str key = str_from_z(keys[i]);
        if (!str_starts(key, q->prefix) || (q->after.len && str_cmp(key, q->after) <= 0)) continue;
        const struct str prefix = model_prefix(q, key);
        if (prefix.len && str_eq(prefix, q->after)) continue;
        const struct list_entry *last = m->count ? &m->entries[m->count - 1] : NULL;
        if (prefix.len && last && last->is_prefix && str_eq(last->name, prefix)) continue;
        m->entries[m->count++] = (struct list_entry){ .name = prefix.len ? prefix : key,
                                                      .is_prefix = prefix.len > 0 };
    }
}

static void check_entries(const struct list_entry *got, const struct list_entry *want, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        CHECK_STR(got[i].name, want[i].name);
        CHECK(got[i].is_prefix == want[i].is_prefix);
    }
}

/* One page equals the model's beginning; a chain of pages equals the whole. */
static void check_query(struct fixture *f, struct list_query q)
{
    struct model m;
    struct list_page page;
    size_t seen = 0;

    model_list(&q, &m);
    for (;;) {
        CHECK_OK(object_list(&f->store, &q, f->arena, &page));
        const size_t left = m.count - seen, want = left < q.max ? left : q.max;
        CHECK_U64(page.count, want);
        CHECK(page.is_truncated == (want < left && q.max > 0));
        check_entries(page.entries, m.entries + seen, want);
        seen += want;
        if (!page.is_truncated) break;
        CHECK_STR(page.next, page.entries[page.count - 1].name);
        q.after = page.next;
    }
    if (q.max > 0) CHECK_U64(seen, m.count);
}

static void check_all_queries(struct fixture *f)
{
    static const char *const prefixes[] = { "",         "a",    "a/",         "/", "//",  "b-",
                                            "\xc3\xa4", "\x01", "aaaaaaaaaa", "z", "\xff" };
    static const char *const delimiters[] = { "",    "/",        "a",    "-",    "//", "/a",
                                              "a/b", "\xc3\xa4", "\xc3", "\x01", "zz" };
    static const uint32_t maxes[] = { 0, 1, 2, 3, 7, 1000 };
    static const char *const afters[] = {
        "", "a", "a/", "a/b", "/", "b/a/", "\xc3\xa4", "\xff", "\x01", "-a"
    };

    for (size_t p = 0; p < sizeof(prefixes) / sizeof(prefixes[0]); p++) {
        for (size_t d = 0; d < sizeof(delimiters) / sizeof(delimiters[0]); d++) {
            struct list_query q = { .bucket = STR("bucket") };
            q.prefix = str_from_z(prefixes[p]);
            q.delimiter = str_from_z(delimiters[d]);
            for (size_t m = 0; m < sizeof(maxes) / sizeof(maxes[0]); m++) {
                q.max = maxes[m];
                check_query(f, q);
            }
            for (size_t a = 0; a < sizeof(afters) / sizeof(afters[0]); a++) {
                q.max = 4;
                q.after = str_from_z(afters[a]);
                check_query(f, q);
            }
            arena_reset(f->arena);
        }
    }
}

TEST(pages_equal_a_model_that_looks_at_every_key)
{
    for (unsigned seed = 1; seed <= 3; seed++) {
        struct fixture f;

        fixture_open(&f);
        make_keys(&f, seed);
        check_all_queries(&f);
        if (seed == 2) { /* the same from LMDB, and from both */
            CHECK_OK(meta_checkpoint(f.store.meta));
            check_all_queries(&f);
            for (size_t i = 0; i < key_count; i += 3) CHECK_OK(fixture_put(&f, keys[i], STR("new")));
            check_all_queries(&f);
        }
        fixture_done(&f);
    }
}

/* Between two pages what was told does not come again, and what is behind is told, whatever happened. */
TEST(a_chain_of_pages_goes_on_when_keys_come_and_go)
{
    struct fixture f;
    struct list_page page;
    struct list_query q = { .bucket = STR("bucket"), .delimiter = STR("/"), .max = 2 };

    fixture_open(&f);
    static const char *const first[] = { "a/1", "b", "c/1", "d" };
    for (int i = 0; i < 4; i++) CHECK_OK(fixture_put(&f, first[i], STR_NONE));
    CHECK_OK(object_list(&f.store, &q, f.arena, &page));
    CHECK_STR(page.next, STR("b"));
    CHECK_OK(fixture_put(&f, "a/2", STR_NONE));
    CHECK_OK(fixture_delete(&f, "b"));
    CHECK_OK(fixture_put(&f, "bb", STR_NONE));
    q.after = page.next;
    CHECK_OK(object_list(&f.store, &q, f.arena, &page));
    CHECK_U64(page.count, 2);
    CHECK_STR(page.entries[0].name, STR("bb"));
    CHECK_STR(page.entries[1].name, STR("c/"));
    CHECK(page.is_truncated);
    CHECK_OK(fixture_delete(&f, "d"));
    q.after = page.next;
    CHECK_OK(object_list(&f.store, &q, f.arena, &page));
    CHECK_U64(page.count, 0);
    CHECK(!page.is_truncated);
    fixture_done(&f);
}

TEST(an_entry_tells_what_the_row_says)
{
    struct fixture f;
    struct list_page page;
    struct object_info info;
    char etag[ETAG_SIZE];

    fixture_open(&f);
    CHECK_OK(fixture_put(&f, "k", STR("body")));
    CHECK_OK(fixture_stat(&f, "k", &info));
    CHECK_OK(
        object_list(&f.store, &(struct list_query){ .bucket = STR("bucket"), .max = 1 }, f.arena, &page));
    CHECK_U64(page.entries[0].size, 4);
    CHECK_U64(page.entries[0].mtime_ms, info.mtime_ms);
    object_etag(&info, etag);
    CHECK_STR(str_from_z(page.entries[0].etag), str_from_z(etag));
    CHECK_U64(page.entries[0].checksum, DIGEST_CRC64NVME);
    CHECK_U64(page.entries[0].checksum_type, CHECKSUM_FULL_OBJECT);
    CHECK(page.entries[0].storage_class.data == NULL);
    CHECK_ERR(object_list(&f.store, &(struct list_query){ .bucket = STR("none"), .max = 1 }, f.arena, &page),
              ERR_NO_SUCH_BUCKET);
    fixture_done(&f);
}

TEST(a_listing_that_does_not_fit_the_arena_is_no_memory)
{
    struct fixture f;
    struct list_page page;
    struct arena *arena = arena_new(512);

    fixture_open(&f);
    CHECK_OK(fixture_put(&f, "k", STR_NONE));
    CHECK_ERR(object_list(&f.store, &(struct list_query){ .bucket = STR("bucket"), .max = 1 }, arena, &page),
              ERR_NO_MEMORY);
    arena_free(arena);
    fixture_done(&f);
}

TEST(prefix_and_after_may_be_longer_than_any_key)
{
    struct fixture f;
    struct list_page page;
    char longest[LIMIT_KEY], longer[3 * LIMIT_KEY];

    fixture_open(&f);
    memset(longest, 'k', sizeof(longest));
    memset(longer, 'k', sizeof(longer));
    struct object_put put = { .store = &f.store,
                              .bucket = STR("bucket"),
                              .key = str_of(longest, sizeof(longest)) };
    CHECK_OK(meta_run(f.store.meta, object_put_fn, &put));

    struct list_query q = { .bucket = STR("bucket"), .max = 10, .prefix = str_of(longest, sizeof(longest)) };
    CHECK_OK(object_list(&f.store, &q, f.arena, &page));
    CHECK_U64(page.count, 1);
    q.delimiter = str_of(longest, 1);
    q.prefix = str_of(longest, sizeof(longest) - 1);
    CHECK_OK(object_list(&f.store, &q, f.arena, &page));
    CHECK(page.count == 1 && page.entries[0].is_prefix && page.entries[0].name.len == LIMIT_KEY);
    q.prefix = str_of(longer, sizeof(longer));
    CHECK_OK(object_list(&f.store, &q, f.arena, &page));
    CHECK_U64(page.count, 0);
    q.prefix = STR_NONE;
    q.after = str_of(longer, sizeof(longer));
    CHECK_OK(object_list(&f.store, &q, f.arena, &page));
    CHECK_U64(page.count, 0);
    fixture_done(&f);
}
