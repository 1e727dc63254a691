#include "storage/base/err.h"

#include <errno.h>
#include <pthread.h>

#include "tests/unit/test.h"

static struct err fails_when(bool wanted)
{
    return wanted ? FAIL(ERR_BUSY, "as asked") : OK;
}

static struct err tries(bool wanted, int *ret_steps)
{
    TRY(fails_when(wanted));
    *ret_steps += 1;
    return OK;
}

TEST(try_leaves_at_a_failure_and_goes_on_without)
{
    int steps = 0;

    CHECK_OK(tries(false, &steps));
    CHECK_U64(steps, 1);
    CHECK_ERR(tries(true, &steps), ERR_BUSY);
    CHECK_U64(steps, 1);
}

TEST(every_code_has_a_name_and_a_text)
{
    for (unsigned code = 0; code < ERR_CODE_COUNT; code++) {
        CHECK(err_name(code) && err_name(code)[0]);
        CHECK(err_text(code) && err_text(code)[0]);
    }
    CHECK_STR(str_from_z(err_name(ERR_NO_SUCH_KEY)), STR("NO_SUCH_KEY"));
    CHECK_STR(str_from_z(err_text(ERR_NO_SPACE)), STR("the disk is full"));
    CHECK_STR(str_from_z(err_name((enum err_code)9999)), STR("UNKNOWN"));
}

TEST(a_text_lives_until_sixteen_more_were_made)
{
    const struct err first = err_fail(ERR_INVALID, "number %d of %s", 1, "them");

    for (int i = 0; i < 15; i++) err_ignore(err_fail(ERR_IO, "other %d", i));
    CHECK_STR(str_from_z(first.why), STR("number 1 of them"));
}

TEST(a_long_text_is_cut_at_511_bytes)
{
    char text[2000];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    CHECK_U64(strlen(err_fail(ERR_INVALID, "%s", text).why), 511);
    CHECK_U64(strlen(err_errno(ERR_IO, EIO, "%s", text).why), 511);
    text[505] = '\0';
    CHECK_STR(str_from_z(err_errno(ERR_IO, EIO, "%s", text).why + 505), STR(": Inpu"));
}

TEST(errno_values_are_spelt_out)
{
    CHECK_STR(str_from_z(err_errno(ERR_IO, ENOSPC, "write %s", "x").why),
              STR("write x: No space left on device"));
    CHECK_STR(str_from_z(err_errno(ERR_IO, 9999, "write").why), STR("write: error 9999"));
}

static void *make_failures(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) err_ignore(err_fail(ERR_IO, "thread %d", i));
    return NULL;
}

TEST(a_kept_error_outlives_the_ring_and_other_threads_do_not_touch_ours)
{
    char kept_text[64], short_text[4];
    const struct err e = err_fail(ERR_CORRUPT, "block %d", 7);
    const struct err kept = err_keep(e, kept_text, sizeof(kept_text));
    pthread_t t;

    CHECK_U64(pthread_create(&t, NULL, make_failures, NULL), 0);
    CHECK_U64(pthread_join(t, NULL), 0);
    CHECK_STR(str_from_z(e.why), STR("block 7"));
    make_failures(NULL);
    CHECK_STR(str_from_z(kept.why), STR("block 7"));
    CHECK(kept.code == ERR_CORRUPT && kept.why == kept_text);

    CHECK_STR(str_from_z(err_keep(FAIL(ERR_IO, "longer"), short_text, sizeof(short_text)).why), STR("lon"));
    CHECK_OK(err_keep(OK, short_text, sizeof(short_text)));
}
