/* md5_streams_test.c - whoever feeds how much, in what pieces and beside whom: each stream gives what OpenSSL gives for its bytes. */
#include "storage/base/md5_streams.h"

#include <stdlib.h>

#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "tests/unit/random.h"
#include "tests/unit/test.h"

#define BYTES (1500 * KIB)

static uint8_t bytes[BYTES];

static void fill(void)
{
    uint64_t seed = 5;
    for (size_t i = 0; i < sizeof(bytes); i++) bytes[i] = (uint8_t)random_next(&seed);
}

static void check_end(struct md5_stream *s, const uint8_t *data, size_t len)
{
    const struct digest_value got = md5_stream_end(s), want = digest_of(DIGEST_MD5, data, len);

    CHECK_U64(got.len, 16);
    CHECK(memcmp(got.bytes, want.bytes, 16) == 0);
}

TEST(a_stream_of_any_length_gives_its_md5)
{
    static const size_t lengths[] = {
        0, 1, 63, 64, 65535, 65536, 65537, 131072, 262144, 262145, 655360, BYTES
    };
    struct md5_streams *all;

    fill();
    CHECK_OK(md5_streams_start(&all));
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        for (size_t piece = 1000; piece <= BYTES; piece *= 37) {
            struct md5_stream *s;
            CHECK_OK(md5_stream_open(all, &s));
            for (size_t at = 0; at < lengths[i]; at += piece)
                md5_stream_feed(s, bytes + at, lengths[i] - at < piece ? lengths[i] - at : piece);
            check_end(s, bytes, lengths[i]);
            md5_stream_close(s);
        }
    }
    CHECK(!md5_streams_stop(all));
}

/* One thread, as an HTTP thread has it, with more streams than there are lanes; some are closed before their end. */
TEST(streams_fed_in_turn_do_not_mix)
{
    enum { STREAMS = 20 };
    struct md5_stream *s[STREAMS];
    size_t fed[STREAMS] = { 0 };
    struct md5_streams *all;
    uint64_t seed = 11;

    fill();
    CHECK_OK(md5_streams_start(&all));
    for (int i = 0; i < STREAMS; i++) CHECK_OK(md5_stream_open(all, &s[i]));
    for (int turn = 0; turn < 1000; turn++) {
        const uint64_t i = random_below(&seed, STREAMS);
        size_t n = random_below(&seed, 100 * KIB);
        if (n > BYTES - fed[i]) n = BYTES - fed[i];
        md5_stream_feed(s[i], bytes + fed[i], n);
        fed[i] += n;
    }
    for (int i = 0; i < STREAMS; i++) {
        if (i % 3) check_end(s[i], bytes, fed[i]);
        CHECK(!md5_stream_close(s[i]));
    }
    CHECK(!md5_streams_stop(all));
}

struct feeder {
    struct md5_streams *all;
    uint64_t seed;
    int wrong;
};

static void feed_many(void *arg)
{
    struct feeder *f = arg;

    for (int round = 0; round < 6; round++) {
        const size_t begin = random_below(&f->seed, BYTES), len = random_below(&f->seed, BYTES - begin + 1);
        struct md5_stream *s;
        if (md5_stream_open(f->all, &s).code) continue;
        for (size_t at = 0, n; at < len; at += n) {
            n = 1 + random_below(&f->seed, 150 * KIB);
            if (n > len - at) n = len - at;
            md5_stream_feed(s, bytes + begin + at, n);
        }
        const struct digest_value got = md5_stream_end(s), want = digest_of(DIGEST_MD5, bytes + begin, len);
        f->wrong += memcmp(got.bytes, want.bytes, 16) != 0;
        md5_stream_close(s);
    }
}

TEST(threads_that_feed_at_once_each_get_their_own)
{
    enum { THREADS = 12 };
    struct feeder feeders[THREADS];
    pthread_t threads[THREADS];
    struct md5_streams *all;

    fill();
    CHECK_OK(md5_streams_start(&all));
    for (int i = 0; i < THREADS; i++) {
        feeders[i] = (struct feeder){ .all = all, .seed = (uint64_t)i + 1 };
        CHECK_OK(thread_start("feed", feed_many, &feeders[i], &threads[i]));
    }
    for (int i = 0; i < THREADS; i++) {
        thread_join(threads[i]);
        CHECK(!feeders[i].wrong);
    }
    CHECK(!md5_streams_stop(all));
}

TEST(more_streams_than_the_limit_are_refused_until_one_is_closed)
{
    struct md5_stream *s[LIMIT_MD5_STREAMS], *more;
    struct md5_streams *all;

    CHECK_OK(md5_streams_start(&all));
    for (int i = 0; i < LIMIT_MD5_STREAMS; i++) CHECK_OK(md5_stream_open(all, &s[i]));
    CHECK_ERR(md5_stream_open(all, &more), ERR_BUSY);
    md5_stream_close(s[3]);
    CHECK_OK(md5_stream_open(all, &s[3]));
    for (int i = 0; i < LIMIT_MD5_STREAMS; i++) md5_stream_close(s[i]);
    CHECK(!md5_streams_stop(all));
    CHECK(!md5_streams_stop(NULL));
    CHECK(!md5_stream_close(NULL));
}
