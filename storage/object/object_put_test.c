/* object_put_test.c - bodies that stream in, and the transaction that publishes them. */
#include "storage/object/object_put.h"

#include <stdlib.h>

#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/md5_streams.h"
#include "storage/base/thread.h"
#include "storage/object/bucket.h"
#include "storage/object/fixture_test.h"
#include "tests/unit/test.h"

static const size_t sizes[] = {
    0, 1, 100, FIXTURE_SMALL - 1, FIXTURE_SMALL, FIXTURE_SMALL + 1, 64 * KIB, 300 * KIB + 7
};
#define SIZE_COUNT (sizeof(sizes) / sizeof(sizes[0]))

static void write_in_pieces(struct body_writer *w, struct str body, size_t piece)
{
    for (size_t at = 0; at < body.len; at += piece)
        CHECK_OK(body_writer_write(w, str_slice(body, at, at + piece)));
    CHECK_OK(body_writer_write(w, STR_NONE));
}

static void check_sum(struct digest_value got, enum digest_kind kind, struct str body)
{
    const struct digest_value want = digest_of(kind, body.data, body.len);
    CHECK_STR(str_of(got.bytes, got.len), str_of(want.bytes, want.len));
}

static void check_sums(struct fixture *f)
{
    static const enum digest_kind kinds[] = { DIGEST_NONE,  DIGEST_SHA1,   DIGEST_SHA256,
                                              DIGEST_CRC32, DIGEST_CRC32C, DIGEST_CRC64NVME };

    for (size_t s = 0; s < SIZE_COUNT; s++) {
        const struct str body = fixture_body(f, 1, sizes[s]);
        const size_t hints[] = { 0, 1, sizes[s], 10 * MIB };
        const size_t pieces[] = { 1 + sizes[s] / 3, 7 + sizes[s] / 50, 1 * MIB };
        for (size_t k = 0; k < 6; k++) {
            struct body_writer *w;
            CHECK_OK(body_writer_new(&f->store, (struct body_sums_wanted){ kinds[k], k % 2 == 0 },
                                     hints[k % 4], &w));
            write_in_pieces(w, body, pieces[k % 3]);
            CHECK_U64(body_writer_size(w), body.len);
            CHECK(body_writer_is_small(w) == (body.len <= FIXTURE_SMALL));
            check_sum(body_writer_md5(w), DIGEST_MD5, body);
            check_sum(body_writer_checksum(w), kinds[k] ? kinds[k] : DIGEST_CRC64NVME, body);
            if (k % 2 == 0 || kinds[k] == DIGEST_SHA256)
                check_sum(body_writer_sha256(w), DIGEST_SHA256, body);
            CHECK_OK(body_writer_finish_wait(w));
            body_writer_free(w);
        }
        arena_reset(f->arena);
    }
}

TEST(sums_are_those_of_the_body_however_it_came)
{
    struct fixture f;

    fixture_open(&f);
    check_sums(&f);
    fixture_done(&f);
}

/* Those of unknown length, or of a length that was announced as large. Some are given up half way. */
TEST(sums_are_those_of_the_body_when_its_md5_is_computed_beside_others)
{
    struct body_writer *w;
    struct fixture f;

    fixture_open(&f);
    CHECK_OK(md5_streams_start(&f.store.md5));
    check_sums(&f);
    for (size_t s = 0; s < SIZE_COUNT; s++) {
        CHECK_OK(body_writer_new(&f.store, (struct body_sums_wanted){ 0 }, 10 * MIB, &w));
        write_in_pieces(w, fixture_body(&f, 1, sizes[s]), 70 * KIB);
        body_writer_free(w);
    }
    f.store.md5 = md5_streams_stop(f.store.md5);
    fixture_done(&f);
}

TEST(a_body_comes_back_as_it_was_written)
{
    struct fixture f;
    struct str got;

    fixture_open(&f);
    for (size_t s = 0; s < SIZE_COUNT; s++)
        CHECK_OK(fixture_put(&f, "abcdefgh" + s, fixture_body(&f, (uint32_t)s, sizes[s])));
    for (int round = 0; round < 3; round++) {
        for (size_t s = 0; s < SIZE_COUNT; s++) {
            struct object_info info;
            CHECK_OK(fixture_get(&f, "abcdefgh" + s, &got));
            CHECK_STR(got, fixture_body(&f, (uint32_t)s, sizes[s]));
            CHECK_OK(fixture_stat(&f, "abcdefgh" + s, &info));
            CHECK_U64(info.body.kind,
                      sizes[s] == 0                   ? BODY_NONE_AT_ALL
                          : sizes[s] <= FIXTURE_SMALL ? BODY_SMALL
                                                      : BODY_BLOB);
        }
        if (round == 0) fixture_reopen(&f);
        if (round == 1) CHECK_OK(meta_checkpoint(f.store.meta));
    }
    fixture_check_references(&f);
    fixture_done(&f);
}

TEST(the_row_has_what_the_client_said)
{
    const struct pair user[] = { { STR("who"), STR("me") } };
    struct fixture f;
    struct object_info info;

    fixture_open(&f);
    struct object_put put = { .store = &f.store, .bucket = STR("bucket"), .key = STR("k") };
    put.meta.headers[OBJECT_CONTENT_TYPE] = STR("text/plain");
    put.meta.user = user;
    put.meta.user_count = 1;
    put.checksum = (struct object_checksum){ DIGEST_CRC32, CHECKSUM_FULL_OBJECT,
                                             digest_of(DIGEST_CRC32, "", 0) };
    const int64_t before = clock_now_ms();
    CHECK_OK(meta_run(f.store.meta, object_put_fn, &put));

    CHECK_OK(fixture_stat(&f, "k", &info));
    CHECK_STR(info.meta.headers[OBJECT_CONTENT_TYPE], STR("text/plain"));
    CHECK(info.meta.headers[OBJECT_EXPIRES].data == NULL);
    CHECK_U64(info.meta.user_count, 1);
    CHECK_STR(info.meta.user[0].value, STR("me"));
    CHECK_U64(info.checksum.kind, DIGEST_CRC32);
    CHECK(info.mtime_ms >= before && info.mtime_ms <= clock_now_ms());
    CHECK(memcmp(info.uid.bytes, put.ret.uid.bytes, 16) == 0);
    CHECK(info.etag_md5[0] == 0xd4 && info.etag_md5[15] == 0x7e); /* d41d8cd98f00b204e9800998ecf8427e */
    fixture_done(&f);
}

TEST(a_put_is_refused_without_its_bucket_or_with_a_bad_key)
{
    struct fixture f;
    char long_key[LIMIT_KEY + 1];

    fixture_open(&f);
    memset(long_key, 'k', sizeof(long_key));
    struct object_put put = { .store = &f.store, .bucket = STR("none"), .key = STR("k") };
    CHECK_ERR(meta_run(f.store.meta, object_put_fn, &put), ERR_NO_SUCH_BUCKET);
    put.bucket = STR("bucket");
    put.key = STR_NONE;
    CHECK_ERR(meta_run(f.store.meta, object_put_fn, &put), ERR_INVALID_URI);
    put.key = str_of(long_key, sizeof(long_key));
    CHECK_ERR(meta_run(f.store.meta, object_put_fn, &put), ERR_KEY_TOO_LONG);
    put.key = str_of(long_key, LIMIT_KEY);
    CHECK_OK(meta_run(f.store.meta, object_put_fn, &put));
    fixture_done(&f);
}

TEST(a_body_of_more_than_5_gib_is_too_large)
{
    struct fixture f;
    struct body_writer *w;

    fixture_open(&f);
    CHECK_OK(body_writer_new(&f.store, (struct body_sums_wanted){ 0 }, 0, &w));
    CHECK_OK(body_writer_write(w, STR("x")));
    CHECK_ERR(body_writer_write(w, str_of("not read", LIMIT_PUT_BYTES)), ERR_ENTITY_TOO_LARGE);
    CHECK_ERR(body_writer_write(w, STR("x")), ERR_ENTITY_TOO_LARGE); /* and stays so */
    CHECK_ERR(body_writer_finish_wait(w), ERR_ENTITY_TOO_LARGE);
    body_writer_free(w);
    fixture_done(&f);
}

TEST(a_body_that_is_given_up_leaves_nothing)
{
    struct fixture f;
    struct blob_status status;

    fixture_open(&f);
    for (int is_finished = 0; is_finished < 2; is_finished++) {
        struct body_writer *w;
        CHECK_OK(body_writer_new(&f.store, (struct body_sums_wanted){ 0 }, 0, &w));
        CHECK_OK(body_writer_write(w, fixture_body(&f, 1, 300 * KIB)));
        if (is_finished) CHECK_OK(body_writer_finish_wait(w));
        body_writer_free(w);
    }
    fixture_settle(&f);
    CHECK_U64(fixture_count(&f, SPACE_BODIES), 0);
    CHECK_U64(fixture_count(&f, SPACE_EXTENTS), 0);
    blob_status(f.store.blobs, &status);
    CHECK_U64(status.bytes_live, 0);
    fixture_done(&f);
}

/* Every kind of body over every other. */
TEST(an_overwrite_leaves_nothing_of_what_was_there)
{
    static const size_t parts[] = { 5000, 0, 70000 };
    struct fixture f;
    struct str got;

    fixture_open(&f);
    for (int from = 0; from < 4; from++) {
        for (int to = 0; to < 4; to++) {
            const struct str bodies[] = { STR_NONE, fixture_body(&f, 2, 1000), fixture_body(&f, 3, 100000),
                                          fixture_body(&f, 4, 75000) };
            if (from == 3) CHECK_OK(fixture_put_parts(&f, "k", bodies[3], parts, 3));
            else CHECK_OK(fixture_put(&f, "k", bodies[from]));
            if (to == 3) CHECK_OK(fixture_put_parts(&f, "k", bodies[3], parts, 3));
            else CHECK_OK(fixture_put(&f, "k", bodies[to]));
            CHECK_OK(fixture_get(&f, "k", &got));
            CHECK_STR(got, bodies[to]);
            fixture_check_references(&f);
            arena_reset(f.arena);
        }
    }
    /* Eight objects in parts were put, and each gave way to something. */
    CHECK_OK(fixture_delete(&f, "k"));
    CHECK_U64(fixture_count(&f, SPACE_GARBAGE), 8);
    CHECK_U64(fixture_count(&f, SPACE_BODY_REFS), 8 * 2);
    fixture_check_references(&f);
    fixture_done(&f);
}

TEST(conditions_are_held_against_the_row_that_is_there)
{
    const struct conditions if_new = { .if_none_match = STR("*") }, if_there = { .if_match = STR("*") };
    struct fixture f;
    struct object_info info;
    char etag[ETAG_SIZE];

    fixture_open(&f);
    CHECK_ERR(fixture_put_if(&f, "k", STR("1"), if_there), ERR_NO_SUCH_KEY);
    CHECK_OK(fixture_put_if(&f, "k", STR("1"), if_new));
    CHECK_ERR(fixture_put_if(&f, "k", STR("2"), if_new), ERR_PRECONDITION);
    CHECK_OK(fixture_stat(&f, "k", &info));
    object_etag(&info, etag);
    const struct conditions if_same = { .if_match = str_from_z(etag) };
    CHECK_OK(fixture_put_if(&f, "k", STR("2"), if_same));
    CHECK_ERR(fixture_put_if(&f, "k", STR("3"), if_same), ERR_PRECONDITION);
    CHECK_OK(fixture_put_if(&f, "k", STR("3"), if_there));
    fixture_done(&f);
}

struct racer {
    struct fixture *f;
    struct str body;
    const char *key;
    struct err outcome;
    char why[100];
};

static void put_if_new(void *arg)
{
    struct racer *r = arg;
    const struct conditions if_new = { .if_none_match = STR("*") };
    r->outcome = err_keep(fixture_put_if(r->f, r->key, r->body, if_new), r->why, sizeof(r->why));
}

TEST(of_16_racing_creators_exactly_one_wins)
{
    enum { RACERS = 16, ROUNDS = 8 };
    struct fixture f;

    fixture_open(&f);
    for (int round = 0; round < ROUNDS; round++) {
        struct racer racers[RACERS];
        pthread_t threads[RACERS];
        char key[20];
        int winner = -1, losers = 0;
        struct str got;

        snprintf(key, sizeof(key), "race-%d", round);
        for (int i = 0; i < RACERS; i++) {
            racers[i] = (struct racer){ .f = &f,
                                        .key = key,
                                        .body = fixture_body(&f, (uint32_t)i, round % 2 ? 20000 : 500) };
        }
        for (int i = 0; i < RACERS; i++)
            CHECK_OK(thread_start("creator", put_if_new, &racers[i], &threads[i]));
        for (int i = 0; i < RACERS; i++) {
            thread_join(threads[i]);
            if (racers[i].outcome.code == ERR_PRECONDITION) losers++;
            else if (!racers[i].outcome.code) winner = i;
        }
        CHECK_U64(losers, RACERS - 1);
        CHECK(winner >= 0);
        CHECK_OK(fixture_get(&f, key, &got));
        CHECK_STR(got, racers[winner].body);
    }
    CHECK_U64(fixture_count(&f, SPACE_BODIES), ROUNDS / 2); /* the losers' large bodies are gone */
    fixture_check_references(&f);
    fixture_done(&f);
}

static struct err two_bytes_fn(struct txn *txn, void *arg)
{
    struct object_bytes *o = arg;

    TRY(object_bytes_fn(txn, &o[0], NULL));
    return object_bytes_fn(txn, &o[1], NULL);
}

TEST(bytes_are_published_inside_a_transaction_of_others)
{
    struct fixture f;
    struct object_info info;
    struct str got;

    fixture_open(&f);
    struct object_bytes o[2] = {
        { .bucket = STR("bucket"),
          .key = STR("a"),
          .bytes = fixture_body(&f, 1, 50 * KIB),
          .content_type = STR("application/json") },
        { .bucket = STR("bucket"), .key = STR("b"), .bytes = STR_NONE },
    };
    object_bytes_prepare(&o[0]);
    object_bytes_prepare(&o[1]);
    CHECK_OK(meta_run(f.store.meta, two_bytes_fn, o));
    CHECK_OK(fixture_get(&f, "a", &got));
    CHECK_STR(got, o[0].bytes);
    CHECK_OK(fixture_stat(&f, "a", &info));
    CHECK_U64(info.body.kind, BODY_SMALL);
    CHECK_STR(info.meta.headers[OBJECT_CONTENT_TYPE], STR("application/json"));
    check_sum(info.checksum.value, DIGEST_CRC64NVME, o[0].bytes);
    CHECK_OK(fixture_stat(&f, "b", &info));
    CHECK_U64(info.size, 0);

    /* Twice the same key in one transaction: the second stays. */
    o[1] = (struct object_bytes){ .bucket = STR("bucket"), .key = STR("a"), .bytes = STR("later") };
    object_bytes_prepare(&o[1]);
    CHECK_OK(meta_run(f.store.meta, two_bytes_fn, o));
    CHECK_OK(fixture_get(&f, "a", &got));
    CHECK_STR(got, STR("later"));

    o[1].bucket = STR("none");
    CHECK_ERR(meta_run(f.store.meta, two_bytes_fn, o), ERR_NO_SUCH_BUCKET);
    CHECK_OK(fixture_get(&f, "a", &got));
    CHECK_STR(got, STR("later"));
    fixture_done(&f);
}
