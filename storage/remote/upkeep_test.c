#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "storage/remote/fixture_test.h"
#include "tests/unit/test.h"

static struct err read_piece(struct fixture *f, const char *key, struct remote_piece piece, struct str *ret,
                             uint64_t *ret_size)
{
    return remote_read(f->remote, &f->place, str_from_z(key), piece, f->arena, ret, ret_size);
}

TEST(a_file_is_read_in_pieces)
{
    struct fixture f;
    struct str got;
    uint64_t size = 0;

    fixture_begin(&f, 10000);
    fake_s3_put(&f.fake, "/lake/a%20b", STR("0123456789"));
    CHECK_OK(read_piece(&f, "a b", (struct remote_piece){ 0, 4 }, &got, &size));
    CHECK_STR(got, STR("0123"));
    CHECK_U64(size, 10);
    CHECK_OK(read_piece(&f, "a b", (struct remote_piece){ 8, 4 }, &got, &size));
    CHECK_STR(got, STR("89"));
    CHECK_ERR(read_piece(&f, "a b", (struct remote_piece){ 10, 4 }, &got, &size), ERR_CORRUPT);
    CHECK_ERR(read_piece(&f, "none", (struct remote_piece){ 0, 4 }, &got, &size), ERR_NO_SUCH_KEY);
    fixture_end(&f);
}

TEST(a_file_is_as_old_as_the_endpoints_own_clock_says)
{
    struct fixture f;
    struct remote_file file;

    fixture_begin(&f, 10000);
    fake_s3_put(&f.fake, "/lake/k", STR("0123456789"));
    clock_set_offset_ms(3600 * 1000);
    CHECK_OK(remote_stat(f.remote, &f.place, STR("k"), f.arena, &file));
    CHECK_U64(file.size, 10);
    const int64_t age_ms = clock_now_ms() - file.written_ms;
    CHECK(age_ms > 3590 * 1000 && age_ms < 3610 * 1000);
    CHECK_ERR(remote_stat(f.remote, &f.place, STR("none"), f.arena, &file), ERR_NO_SUCH_KEY);
    fixture_end(&f);
}

TEST(files_are_listed_page_by_page)
{
    struct fixture f;
    struct remote_listing page;
    struct remote_query q = { .prefix = STR("t/"), .after = STR(""), .max = 3 };
    char path[64];
    size_t count = 0, pages = 0;

    fixture_begin(&f, 10000);
    for (int i = 0; i < 7; i++) {
        (void)snprintf(path, sizeof(path), "/lake/t/a%%20%d%%26%%3C", i);
        fake_s3_put(&f.fake, path, STR("12345"));
    }
    fake_s3_put(&f.fake, "/lake/t2", STR("another's"));
    do {
        CHECK_OK(remote_list(f.remote, &f.place, &q, f.arena, &page));
        for (size_t i = 0; i < page.count; i++, count++)
            CHECK_STR(page.files[i].key, arena_printf(f.arena, "t/a %zu&<", count));
        q.after = page.files[page.count - 1].key;
        pages++;
    } while (page.is_truncated);
    CHECK_U64(count, 7);
    CHECK_U64(pages, 3);
    fixture_end(&f);
}

TEST(the_background_leaves_an_endpoint_alone_that_failed)
{
    struct fixture f;
    struct remote_file file;

    fixture_begin(&f, 10000);
    fake_s3_put(&f.fake, "/lake/k", STR("0123456789"));
    f.place.is_background = true;
    f.fake.fail_status = 503;
    f.fake.fail_next = 100;
    CHECK(!remote_rests(f.remote, &f.place));
    CHECK_ERR(remote_stat(f.remote, &f.place, STR("k"), f.arena, &file), ERR_UNAVAILABLE);
    CHECK(remote_rests(f.remote, &f.place));
    f.fake.fail_next = 0;
    const int requests = f.fake.requests;
    CHECK_ERR(remote_stat(f.remote, &f.place, STR("k"), f.arena, &file), ERR_UNAVAILABLE);
    CHECK_U64(f.fake.requests, requests); /* nobody was asked */
    f.place.is_background = false;        /* who cannot wait asks, and ends it */
    CHECK_OK(remote_stat(f.remote, &f.place, STR("k"), f.arena, &file));
    CHECK(!remote_rests(f.remote, &f.place));
    fixture_end(&f);
}

/* With a bucket of one endpoint resting, those of others do not: however many there are. */
TEST(a_rest_is_of_one_place_alone)
{
    struct fixture f;
    struct fake_s3 well;
    struct remote_file file;
    char bucket[16];

    fixture_begin(&f, 10000);
    fake_s3_start(&well);
    f.fake.fail_status = 403;
    f.fake.fail_code = "AccessDenied";
    f.fake.fail_next = 1000;
    CHECK_ERR(remote_stat(f.remote, &f.place, STR("k"), f.arena, &file), ERR_UNAVAILABLE);
    for (int i = 0; i < 500; i++) {
        (void)snprintf(bucket, sizeof(bucket), "b%d", i);
        const struct remote_place other = { .endpoint = str_from_z(well.url),
                                            .bucket = str_from_z(bucket),
                                            .is_background = true };
        CHECK(!remote_rests(f.remote, &other));
        /* Nor does what others answer end its rest. */
        CHECK_ERR(remote_stat(f.remote, &other, STR("k"), f.arena, &file), ERR_NO_SUCH_BUCKET);
        CHECK(remote_rests(f.remote, &f.place));
    }
    fake_s3_stop(&well);
    fixture_end(&f);
}
