/* volume_test.c - one volume file: its tail, its allocation, its flushes; and the flusher that groups them. */
#include "storage/volume/volume.h"

#include <errno.h>

#include "storage/base/sysio.h"
#include "storage/volume/flusher.h"
#include "storage/volume/record.h"
#include "tests/unit/test.h"

static struct volume_place place_of(uint64_t bytes)
{
    return (struct volume_place){ .dir = test_dir(), .bytes = bytes, .floor_bytes = MIB };
}

static uint64_t file_bytes(const struct volume_place *place, uint64_t id)
{
    char path[PATH_MAX];
    struct stat st;

    volume_path(place->dir, id, path);
    CHECK_OK(sys_stat(path, &st));
    return (uint64_t)st.st_size;
}

TEST(a_name_gives_its_number_back_and_other_names_give_none)
{
    static const char *const bad[] = {
        "", ".vol", "STORE", "0000000000.vol", "000000000x.vol", "12.vol", "0000000012.tmp", "-000000012.vol"
    };
    uint64_t id;

    CHECK(volume_id_from("0000000012.vol", &id));
    CHECK_U64(id, 12);
    CHECK(volume_id_from("12345678901234.vol", &id));
    CHECK_U64(id, 12345678901234);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) CHECK(!volume_id_from(bad[i], &id));
}

TEST(reservations_follow_each_other_and_grow_only_at_the_tail)
{
    const struct volume_place place = place_of(64 * MIB);
    struct volume *v;
    uint64_t a, b;

    CHECK_OK(volume_create(&place, 1, false, &v));
    CHECK_OK(volume_reserve(v, 8192, &a));
    CHECK_OK(volume_grow(v, a + 8192, 4096));
    CHECK_OK(volume_reserve(v, 4096, &b));
    CHECK_U64(b, a + 12288);
    CHECK_ERR(volume_grow(v, a + 12288, 4096), ERR_BUSY);
    volume_give_back(v, a + 4096, a + 12288); /* a gap: another stands behind */
    CHECK_U64(v->tail, b + 4096);
    volume_give_back(v, b, b + 4096);
    CHECK_U64(v->tail, b);
    volume_release(v);
    volume_release(v);
    volume_free(v);
}

TEST(the_file_is_allocated_in_steps_that_grow_with_it)
{
    const struct volume_place place = place_of(64 * MIB);
    struct volume *v;
    uint64_t offset;

    CHECK_OK(volume_create(&place, 1, false, &v));
    CHECK_U64(file_bytes(&place, 1), 0);
    CHECK_OK(volume_reserve(v, 4096, &offset));
    CHECK_U64(file_bytes(&place, 1), VOLUME_STEP_MIN);
    CHECK_OK(volume_grow(v, 4096, VOLUME_STEP_MIN));
    CHECK_U64(file_bytes(&place, 1), 2 * VOLUME_STEP_MIN);
    CHECK_OK(volume_grow(v, 4096 + VOLUME_STEP_MIN, VOLUME_STEP_MIN));
    CHECK_U64(file_bytes(&place, 1), 4 * VOLUME_STEP_MIN);
    volume_release(v);
    volume_free(v);
}

/* The limit is soft: what begins below it is given whole; nothing begins beyond it. */
TEST(a_full_volume_gives_nothing_more)
{
    const struct volume_place place = place_of(4 * MIB);
    struct volume *v;
    uint64_t offset;

    CHECK_OK(volume_create(&place, 1, false, &v));
    CHECK_OK(volume_reserve(v, 4 * MIB - 4096, &offset));
    CHECK_OK(volume_reserve(v, MIB, &offset));
    CHECK_ERR(volume_reserve(v, 4096, &offset), ERR_BUSY);
    CHECK_ERR(volume_grow(v, v->tail, 4096), ERR_BUSY);
    CHECK(!volume_is_idle(v));
    volume_release(v);
    volume_release(v);
    CHECK(volume_is_idle(v));
    volume_free(v);
}

TEST(a_step_that_finds_no_space_shrinks_to_what_is_needed)
{
    const struct volume_place place = place_of(64 * MIB);
    struct volume *v;
    uint64_t offset;

    CHECK_OK(volume_create(&place, 1, false, &v));
    fault_arm(FAULT_SPACE, 0, ENOSPC);
    CHECK_OK(volume_reserve(v, 8192, &offset));
    CHECK(fault_disarm());
    CHECK_U64(file_bytes(&place, 1), 8192);
    fault_arm(FAULT_SPACE | FAULT_STICKY, 0, ENOSPC);
    CHECK_ERR(volume_reserve(v, 8192, &offset), ERR_NO_SPACE);
    CHECK(fault_disarm());
    CHECK_OK(volume_reserve(v, 8192, &offset)); /* it is not broken */
    CHECK_U64(offset, 8192);
    volume_release(v);
    volume_release(v);
    volume_free(v);
}

/* V4: the first flush makes the name durable; if that part fails, so does the flush, and for good (V3). */
TEST(the_first_flush_makes_the_name_durable_and_a_failed_one_is_final)
{
    bool has_struck = true;

    for (uint64_t n = 0; has_struck; n++) {
        const struct volume_place place = place_of(4 * MIB);
        struct volume *v;
        uint64_t offset;

        CHECK_OK(volume_create(&place, 1, false, &v));
        CHECK_OK(volume_reserve(v, 4096, &offset));
        CHECK_OK(volume_write(v, "x", 1, offset));
        fault_arm(FAULT_SYNC, n, EIO);
        const struct err e = volume_flush(v);
        if (n > 5) CHECK(!"too many syncs");
        has_struck = fault_disarm();
        CHECK(e.code == (has_struck ? ERR_IO : ERR_OK));
        CHECK(has_struck || n == 2); /* the file's, the directory's */
        if (has_struck) {
            CHECK_ERR(volume_flush(v), ERR_IO);
            CHECK_ERR(volume_reserve(v, 4096, &offset), ERR_BUSY);
        } else {
            CHECK_OK(volume_flush(v));
        }
        volume_release(v);
        volume_free(v);
    }
}

/* ---- the flusher ---- */

enum { REQUESTS = 50 };

struct sums {
    struct mutex lock; /* guards: answered, failed */
    struct cond changed;
    int answered, failed;
};

struct asked {
    struct flush_request request; /* first: finish gets its address */
    struct sums *sums;
};

static void answer(struct flush_request *r, struct err e)
{
    struct sums *sums = ((struct asked *)r)->sums;

    mutex_lock(&sums->lock);
    sums->answered++;
    sums->failed += e.code != ERR_OK;
    cond_signal(&sums->changed);
    mutex_unlock(&sums->lock);
}

TEST(every_request_is_answered_once_and_a_refused_one_with_its_own_error)
{
    const struct volume_place place = place_of(4 * MIB);
    struct volume *volumes[2];
    struct flusher *f;
    struct sums sums = { .lock = MUTEX_INIT(LOCK_LOG) };
    static struct asked asked[REQUESTS];

    cond_init(&sums.changed);
    CHECK_OK(flusher_start(0, &f));
    for (uint64_t i = 0; i < 2; i++) CHECK_OK(volume_create(&place, i + 1, false, &volumes[i]));
    for (int i = 0; i < REQUESTS; i++) {
        asked[i] = (struct asked){ { .volumes = volumes + i % 2, .count = 1, .finish = answer }, &sums };
        if (i % 10 == 3) asked[i].request.refused = FAIL(ERR_NO_SPACE, "said before");
        flusher_submit(f, &asked[i].request);
    }
    f = flusher_stop(f); /* answers what is queued */
    CHECK_U64(sums.answered, REQUESTS);
    CHECK_U64(sums.failed, REQUESTS / 10);
    for (int i = 0; i < 2; i++) volume_free(volumes[i]);
    cond_done(&sums.changed);
}
