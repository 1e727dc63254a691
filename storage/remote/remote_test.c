#include "storage/remote/remote.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "storage/remote/fixture_test.h"
#include "tests/unit/test.h"

static struct err put(struct fixture *f, const char *key, struct str bytes)
{
    return remote_put(f->remote, &f->place, str_from_z(key), bytes, f->arena);
}

static struct err get(struct fixture *f, const char *key, struct str *ret)
{
    return remote_get(f->remote, &f->place, str_from_z(key), 1000, f->arena, ret);
}

/* The next requests fail. */
static void fail(struct fixture *f, int count, int status, const char *code)
{
    f->fake.fail_code = code;
    f->fake.fail_status = status;
    f->fake.fail_next = count;
}

TEST(a_file_is_written_read_and_deleted)
{
    struct fixture f;
    struct str got;

    fixture_begin(&f, 10000);
    CHECK_OK(remote_check_bucket(f.remote, &f.place, f.arena));
    CHECK_OK(put(&f, "a b/c", STR("bytes")));
    CHECK_STR(fake_s3_find(&f.fake, "/lake/a%20b/c", f.arena), STR("bytes"));
    CHECK_OK(get(&f, "a b/c", &got));
    CHECK_STR(got, STR("bytes"));
    CHECK_U64(f.fake.gets, 0); /* what was written is in memory */
    CHECK_OK(remote_delete(f.remote, &f.place, STR("a b/c"), f.arena));
    CHECK_OK(remote_delete(f.remote, &f.place, STR("a b/c"), f.arena));
    CHECK_ERR(get(&f, "a b/c", &got), ERR_NO_SUCH_KEY);
    CHECK_U64(f.fake.connections, 1); /* kept for all of these */
    fixture_end(&f);
}

TEST(a_file_that_was_read_is_not_asked_for_again)
{
    struct fixture f;
    struct str got;

    fixture_begin(&f, 10000);
    fake_s3_put(&f.fake, "/lake/k", STR("there"));
    for (int i = 0; i < 3; i++) {
        CHECK_OK(get(&f, "k", &got));
        CHECK_STR(got, STR("there"));
    }
    CHECK_U64(f.fake.gets, 1);
    fixture_end(&f);
}

TEST(a_name_that_is_taken_is_not_written_over)
{
    struct fixture f;

    fixture_begin(&f, 10000);
    fake_s3_put(&f.fake, "/lake/k", STR("another's"));
    CHECK_ERR(put(&f, "k", STR("mine")), ERR_PRECONDITION);
    CHECK_STR(fake_s3_find(&f.fake, "/lake/k", f.arena), STR("another's"));
    fixture_end(&f);
}

TEST(an_answer_that_is_lost_is_asked_for_again)
{
    struct fixture f;
    struct str got;

    fixture_begin(&f, 10000);
    f.fake.fails_late = true;
    fail(&f, 1, 0, NULL); /* written, and the connection closed: the second attempt finds it there */
    CHECK_OK(put(&f, "k", STR("bytes")));
    fail(&f, 1, 503, "SlowDown");
    CHECK_OK(put(&f, "k2", STR("bytes")));
    CHECK_U64(fake_s3_count(&f.fake), 2);
    f.fake.fails_late = false;
    fake_s3_put(&f.fake, "/lake/k3", STR("x"));
    fail(&f, 2, 500, "InternalError");
    CHECK_OK(get(&f, "k3", &got));
    fixture_end(&f);
}

TEST(an_endpoint_that_goes_on_failing_is_told_with_its_code)
{
    struct fixture f;
    struct str got;

    fixture_begin(&f, 10000);
    fail(&f, 100, 503, "SlowDown");
    const struct err e = get(&f, "k", &got);
    CHECK_ERR(e, ERR_UNAVAILABLE);
    CHECK(str_contains(str_from_z(e.why), STR("503 SlowDown")));
    CHECK(str_contains(str_from_z(e.why), str_from_z(f.fake.url)));
    CHECK(str_contains(str_from_z(e.why), STR("GET s3://lake/k")));
    CHECK_U64(f.fake.requests, 4);
    fixture_end(&f);
}

TEST(a_refusal_is_told_at_once_and_shows_no_secret)
{
    struct fixture f;
    struct str got;

    fixture_begin(&f, 10000);
    fail(&f, 1, 403, "InvalidAccessKeyId");
    const struct err e = get(&f, "k", &got);
    CHECK_ERR(e, ERR_UNAVAILABLE);
    CHECK(str_contains(str_from_z(e.why), STR("403 InvalidAccessKeyId to the credentials 'default'")));
    CHECK(!str_contains(str_from_z(e.why), STR("THE-SECRET")));
    CHECK_U64(f.fake.requests, 1);
    f.place.bucket = STR("other");
    CHECK_ERR(remote_check_bucket(f.remote, &f.place, f.arena), ERR_NO_SUCH_BUCKET);
    CHECK_ERR(put(&f, "k", STR("x")), ERR_NO_SUCH_BUCKET);
    fixture_end(&f);
}

static const char proxys_page[] = "<html><body><h1>404 Not Found</h1></body></html>";

/* What a proxy or a load balancer says in front of an endpoint says nothing about what is behind. */
TEST(a_404_that_is_not_of_s3_says_of_nothing_that_it_is_gone)
{
    static const char *const pages[] = { proxys_page, "", "<Error><Code>NotFound</Code></Error>" };
    struct remote_query q = { .prefix = STR(""), .after = STR(""), .max = 10 };
    struct remote_listing page;
    struct remote_file file;
    struct fixture f;
    struct str got;

    fixture_begin(&f, 10000);
    fake_s3_put(&f.fake, "/lake/k", STR("there"));
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        f.fake.fail_page = pages[i];
        fail(&f, 1000, 404, NULL);
        CHECK_ERR(remote_check_bucket(f.remote, &f.place, f.arena), ERR_UNAVAILABLE);
        CHECK_ERR(remote_list(f.remote, &f.place, &q, f.arena, &page), ERR_UNAVAILABLE);
        CHECK_ERR(get(&f, "k", &got), ERR_UNAVAILABLE);
        CHECK_ERR(put(&f, "k2", STR("x")), ERR_UNAVAILABLE);
        CHECK_ERR(remote_delete(f.remote, &f.place, STR("k"), f.arena), ERR_UNAVAILABLE);
        CHECK_ERR(remote_stat(f.remote, &f.place, STR("k"), f.arena, &file), ERR_UNAVAILABLE);
        CHECK(remote_rests(f.remote, &f.place)); /* for the background: a failure like others */
    }
    fixture_end(&f);
}

/* An answer to HEAD has no document: what it says is asked for again with GET. */
TEST(a_404_to_head_is_believed_when_get_says_what_is_gone)
{
    struct remote_file file;
    struct fixture f;

    fixture_begin(&f, 10000);
    fake_s3_put(&f.fake, "/lake/k", STR("there"));
    CHECK_ERR(remote_stat(f.remote, &f.place, STR("none"), f.arena, &file), ERR_NO_SUCH_KEY);
    CHECK_U64(f.fake.gets, 1);
    fail(&f, 1, 404, NULL); /* the HEAD alone: GET finds it */
    CHECK_ERR(remote_stat(f.remote, &f.place, STR("k"), f.arena, &file), ERR_UNAVAILABLE);
    fake_s3_put(&f.fake, "/lake/empty", STR(""));
    fail(&f, 1, 404, NULL); /* of an empty file no piece is had */
    CHECK_ERR(remote_stat(f.remote, &f.place, STR("empty"), f.arena, &file), ERR_UNAVAILABLE);
    CHECK_OK(remote_check_bucket(f.remote, &f.place, f.arena));
    fail(&f, 1, 404, NULL);
    CHECK_ERR(remote_check_bucket(f.remote, &f.place, f.arena), ERR_UNAVAILABLE);
    f.place.bucket = STR("other");
    CHECK_ERR(remote_stat(f.remote, &f.place, STR("k"), f.arena, &file), ERR_NO_SUCH_BUCKET);
    fixture_end(&f);
}

/* A page of any size is a proxy's, and what is beyond the bytes that are read of it is left out: it is no large file. */
TEST(a_large_page_is_a_failure_of_the_endpoint_like_a_small_one)
{
    static const int statuses[] = { 503, 404, 403 };
    const size_t large = 200 * KIB;
    struct remote_file file;
    struct fixture f;
    struct str got;
    char *page = malloc(large + 1);

    CHECK(page);
    memset(page, ' ', large);
    page[large] = '\0';
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        fixture_begin(&f, 10000);
        fake_s3_put(&f.fake, "/lake/k", STR("there"));
        f.fake.fail_page = page;
        fail(&f, 1000, statuses[i], NULL);
        const struct err e = get(&f, "k", &got);
        CHECK_ERR(e, ERR_UNAVAILABLE);
        CHECK(str_contains(str_from_z(e.why), arena_printf(f.arena, "it answered %d", statuses[i])));
        CHECK(remote_rests(f.remote, &f.place));
        CHECK_ERR(remote_stat(f.remote, &f.place, STR("k"), f.arena, &file), ERR_UNAVAILABLE);
        CHECK(remote_rests(f.remote, &f.place));
        fixture_end(&f);
    }
    free(page);
}

/* HEAD says 404, and GET of one byte is answered with much: who says so is no S3. */
TEST(a_404_to_head_and_a_large_answer_to_get_is_a_failure)
{
    struct fixture f;
    struct remote_file file;
    char *large = calloc(1, 200 * KIB);

    CHECK(large);
    fixture_begin(&f, 10000);
    fake_s3_put(&f.fake, "/lake/k", str_of(large, 200 * KIB));
    f.fake.ignores_range = true;
    fail(&f, 1, 404, NULL); /* the HEAD alone */
    CHECK_ERR(remote_stat(f.remote, &f.place, STR("k"), f.arena, &file), ERR_UNAVAILABLE);
    CHECK(remote_rests(f.remote, &f.place));
    fixture_end(&f);
    free(large);
}

/* Some endpoints answer so of a key that is gone already. */
TEST(deleting_what_is_gone_succeeds_when_s3_says_that_it_is)
{
    struct fixture f;

    fixture_begin(&f, 10000);
    fail(&f, 1, 404, "NoSuchKey");
    CHECK_OK(remote_delete(f.remote, &f.place, STR("k"), f.arena));
    fixture_end(&f);
}

TEST(a_silent_endpoint_is_waited_for_no_longer_than_set)
{
    struct fixture f;
    struct str got;

    fixture_begin(&f, 200);
    f.fake.is_silent = true;
    CHECK_ERR(get(&f, "k", &got), ERR_UNAVAILABLE);
    CHECK_U64(f.fake.requests, 1);
    fixture_end(&f);
}

TEST(an_endpoint_that_is_not_there_is_unavailable)
{
    struct fixture f;
    struct str got;

    fixture_begin(&f, 10000);
    fake_s3_stop(&f.fake);
    const struct err e = get(&f, "k", &got);
    CHECK_ERR(e, ERR_UNAVAILABLE);
    CHECK(str_contains(str_from_z(e.why), str_from_z(f.fake.url)));
    f.place.endpoint = STR("nonsense");
    CHECK_ERR(get(&f, "k", &got), ERR_INVALID);
    fake_s3_start(&f.fake);
    fixture_end(&f);
}

TEST(a_file_that_is_too_large_is_refused)
{
    struct fixture f;
    char large[1001] = { 'x' };
    struct str got;

    fixture_begin(&f, 10000);
    fake_s3_put(&f.fake, "/lake/k", str_of(large, sizeof(large)));
    CHECK_ERR(get(&f, "k", &got), ERR_TOO_LARGE);
    CHECK_OK(put(&f, "mine", str_of(large, sizeof(large))));
    CHECK_ERR(get(&f, "mine", &got), ERR_TOO_LARGE);
    fixture_end(&f);
}

TEST(no_credentials_no_request)
{
    struct fixture f;
    struct str got;

    fixture_begin(&f, 10000);
    CHECK(remote_has_keys(f.remote, STR("")) && remote_has_keys(f.remote, STR("default")));
    CHECK(!remote_has_keys(f.remote, STR("other")) && !remote_has_keys(NULL, STR("")));
    f.place.profile = STR("other");
    const struct err e = get(&f, "k", &got);
    CHECK_ERR(e, ERR_UNAVAILABLE);
    CHECK(str_contains(str_from_z(e.why), STR("'other'")));
    CHECK_U64(f.fake.requests, 0);
    fixture_end(&f);
}

TEST(half_a_credential_is_refused)
{
    const struct remote_options o = { .access_key = STR("KEY"), .timeout_ms = 1000, .cache_bytes = 1000 };
    struct remote *r = NULL;

    CHECK_ERR(remote_new(&o, &r), ERR_INVALID);
    CHECK(!r);
}

TEST(all_that_is_sent_for_a_reason_is_signed)
{
    struct fixture f;

    fixture_begin(&f, 10000);
    CHECK_OK(put(&f, "k", STR("bytes")));
    const struct str head = fake_s3_last_head(&f.fake, f.arena);
    CHECK(str_contains(head, STR("SignedHeaders=host;if-none-match;x-amz-content-sha256;x-amz-date, ")));
    CHECK(str_contains(head, STR("/us-east-1/s3/aws4_request")));
    f.place.region = STR("eu-7");
    CHECK_OK(remote_check_bucket(f.remote, &f.place, f.arena));
    CHECK(str_contains(fake_s3_last_head(&f.fake, f.arena), STR("/eu-7/s3/aws4_request")));
    fixture_end(&f);
}

struct waiter {
    struct fixture *f;
    struct arena *arena;
};

static void wait_in_vain(void *arg)
{
    const struct waiter *w = arg;
    struct str got;

    CHECK_ERR(remote_get(w->f->remote, &w->f->place, STR("k"), 1000, w->arena, &got), ERR_UNAVAILABLE);
}

static void wait_for_requests(const struct fake_s3 *fake, int count)
{
    const uint64_t deadline = clock_mono_ms() + 20000;

    while (fake->requests < count) {
        CHECK(clock_mono_ms() < deadline);
        (void)sched_yield();
    }
}

/* Under whatever name another endpoint is known: so many that some would share any small table's row with the failing one. */
static void check_names_of_another(struct fixture *f, const struct fake_s3 *well)
{
    char name[] = "localhost", url[64];

    for (unsigned bits = 0; bits < 256; bits++) {
        for (int i = 0; i < 8; i++) name[i] = (char)((bits >> i) & 1 ? "LOCALHOS"[i] : "localhos"[i]);
        (void)snprintf(url, sizeof(url), "http://%s%s", name, strrchr(well->url, ':'));
        const struct remote_place p = { .endpoint = str_from_z(url),
                                        .bucket = STR("lake"),
                                        .is_path_style = true };
        CHECK_OK(remote_check_bucket(f->remote, &p, f->arena));
    }
}

/* As many as may wait for an endpoint that fails, in calls that are never answered. */
struct crowd {
    struct waiter waiters[LIMIT_REMOTE_WAITERS];
    pthread_t threads[LIMIT_REMOTE_WAITERS];
};

static void crowd_begin(struct crowd *c, struct fixture *f)
{
    const int requests = f->fake.requests;

    f->fake.is_silent = true;
    for (int i = 0; i < LIMIT_REMOTE_WAITERS; i++) {
        c->waiters[i] = (struct waiter){ f, arena_new(1 << 20) };
        CHECK_OK(thread_start("waiter", wait_in_vain, &c->waiters[i], &c->threads[i]));
    }
    wait_for_requests(&f->fake, requests + LIMIT_REMOTE_WAITERS);
}

static void crowd_end(struct crowd *c, struct fixture *f)
{
    fake_s3_stop(&f->fake); /* lets them go */
    for (int i = 0; i < LIMIT_REMOTE_WAITERS; i++) {
        thread_join(c->threads[i]);
        arena_free(c->waiters[i].arena);
    }
    fake_s3_start(&f->fake);
}

TEST(a_failing_endpoint_does_not_keep_everybody)
{
    struct fixture f;
    struct fake_s3 well;
    struct crowd crowd;
    struct str got;

    fixture_begin(&f, 30000);
    fake_s3_start(&well);
    fail(&f, 4, 500, "InternalError");
    CHECK_ERR(get(&f, "k", &got), ERR_UNAVAILABLE);
    crowd_begin(&crowd, &f);
    const struct err e = get(&f, "k", &got);
    CHECK_ERR(e, ERR_UNAVAILABLE);
    CHECK(str_contains(str_from_z(e.why), STR("enough wait for it")));
    CHECK_U64(f.fake.requests, 4 + LIMIT_REMOTE_WAITERS);
    const struct remote_place other = { .endpoint = str_from_z(well.url), .bucket = STR("lake") };
    CHECK_OK(remote_check_bucket(f.remote, &other, f.arena));
    check_names_of_another(&f, &well);
    crowd_end(&crowd, &f);
    fake_s3_stop(&well);
    fixture_end(&f);
}

/* Nobody was asked, so nothing is known of the bucket: the background may be let in before. */
TEST(a_call_that_was_turned_away_says_nothing_of_a_rest)
{
    struct fixture f;
    struct crowd crowd;
    struct str got;

    fixture_begin(&f, 30000);
    fail(&f, 4, 500, "InternalError");
    CHECK_ERR(get(&f, "k", &got), ERR_UNAVAILABLE);
    crowd_begin(&crowd, &f);
    const struct remote_place other = { .endpoint = f.place.endpoint, .bucket = STR("other") };
    const struct err e = remote_get(f.remote, &other, STR("k"), 1000, f.arena, &got);
    CHECK(str_contains(str_from_z(e.why), STR("enough wait for it")));
    CHECK(!remote_rests(f.remote, &other));
    crowd_end(&crowd, &f);
    fixture_end(&f);
}

/* Another bucket of the endpoint fails just before the HEAD is answered. */
static void fail_another(void *arg)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(4 << 20);
    struct fixture *f = arg;
    const struct remote_place other = { .endpoint = f->place.endpoint, .bucket = STR("other") };
    struct str got;

    fail(f, 4, 500, "InternalError");
    CHECK_ERR(remote_get(f->remote, &other, STR("k"), 1000, arena, &got), ERR_UNAVAILABLE);
    fail(f, 0, 0, NULL);
}

/* The GET behind it is turned away here, so it is not known what the 404 meant. */
TEST(a_404_to_head_ends_no_rest_before_get_was_answered)
{
    struct fixture f;
    struct crowd crowd;
    struct remote_file file;
    struct str got;

    fixture_begin(&f, 30000);
    fail(&f, 1, 403, "AccessDenied");
    CHECK_ERR(get(&f, "k", &got), ERR_UNAVAILABLE);
    crowd_begin(&crowd, &f);
    f.fake.is_silent = false;
    f.fake.arg = &f;
    f.fake.on_head = fail_another;
    const struct err e = remote_stat(f.remote, &f.place, STR("none"), f.arena, &file);
    CHECK_ERR(e, ERR_UNAVAILABLE);
    CHECK(str_contains(str_from_z(e.why), STR("enough wait for it")));
    CHECK(remote_rests(f.remote, &f.place));
    crowd_end(&crowd, &f);
    fixture_end(&f);
}

struct hand {
    struct fixture *f;
    int number;
};

static void write_and_read(void *arg)
{
    const struct hand *h = arg;
    CLEANUP(arena_freep) struct arena *arena = arena_new(4 << 20);

    for (int i = 0; i < 10; i++) {
        struct str got;
        const struct str key = arena_printf(arena, "%d/%d", h->number, i);
        CHECK_OK(remote_put(h->f->remote, &h->f->place, key, key, arena));
        CHECK_OK(remote_get(h->f->remote, &h->f->place, key, 1000, arena, &got));
        CHECK_STR(got, key);
        CHECK_OK(remote_delete(h->f->remote, &h->f->place, key, arena));
    }
}

TEST(many_threads_share_a_few_connections)
{
    struct fixture f;
    pthread_t threads[4];
    struct hand hands[4];

    fixture_begin(&f, 10000);
    for (int i = 0; i < 4; i++) {
        hands[i] = (struct hand){ &f, i };
        CHECK_OK(thread_start("hand", write_and_read, &hands[i], &threads[i]));
    }
    for (int i = 0; i < 4; i++) thread_join(threads[i]);
    CHECK_U64(fake_s3_count(&f.fake), 0);
    CHECK(f.fake.connections <= 4);
    fixture_end(&f);
}
