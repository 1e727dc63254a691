/*
 * complete_race_test.c - Complete against others that change the same upload.
 *
 * Each race is run many times with threads that start together; what must hold does so whoever comes first. Two sizes: few parts, which are compared in
 * the publishing transaction, and many, which are under a mark (complete.c).
 */
#include "storage/object/multipart.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "storage/base/clock.h"
#include "storage/base/thread.h"
#include "storage/object/upload_fixture_test.h"
#include "storage/object/upload_row.h"
#include "tests/unit/test.h"

#define PARTS_MAX 40
#define RACERS_MAX 4

struct race {
    struct fixture f;
    struct uid id;
    struct sent_part parts[PARTS_MAX];
    size_t count;
};

struct racer {
    struct race *race; /* as race_go was given, if the test did not say another */
    pthread_barrier_t *start;
    void (*run)(struct racer *r);
    struct str body; /* of a part that is put */
    size_t from_end; /* which part that is; 0: the last */
    struct arena *arena;
    struct object_info info;
    struct err outcome;
};

static void run(void *arg)
{
    struct racer *r = arg;

    pthread_barrier_wait(r->start);
    r->run(r);
}

static void race_go(struct race *race, struct racer *racers, unsigned count)
{
    pthread_t threads[RACERS_MAX];
    pthread_barrier_t start;

    CHECK(count <= RACERS_MAX);
    pthread_barrier_init(&start, NULL, count);
    for (unsigned i = 0; i < count; i++) {
        if (!racers[i].race) racers[i].race = race;
        racers[i].start = &start;
        racers[i].arena = arena_new(1 << 20);
        CHECK_OK(thread_start("racer", run, &racers[i], &threads[i]));
    }
    for (unsigned i = 0; i < count; i++) {
        thread_join(threads[i]);
        racers[i].outcome.why = err_text(racers[i].outcome.code); /* the thread's text is gone with it */
    }
    pthread_barrier_destroy(&start);
}

static void racers_done(struct racer *racers, unsigned count)
{
    for (unsigned i = 0; i < count; i++) racers[i].arena = arena_free(racers[i].arena);
}

static void complete(struct racer *r)
{
    struct race *race = r->race;
    struct complete_part list[PARTS_MAX];
    char etags[PARTS_MAX][ETAG_SIZE];

    for (size_t i = 0; i < race->count; i++) {
        struct object_info part = { 0 };
        memcpy(part.etag_md5, digest_of(DIGEST_MD5, race->parts[i].body.data, race->parts[i].body.len).bytes,
               16);
        object_etag(&part, etags[i]);
        list[i] = (struct complete_part){ .number = race->parts[i].number, .etag = str_from_z(etags[i]) };
    }
    struct upload_complete c = {
        .store = &race->f.store,
        .bucket = STR("bucket"),
        .key = STR("key"),
        .upload = race->id,
        .parts = list,
        .part_count = race->count,
    };
    r->outcome = upload_complete(&c, r->arena);
    r->info = c.ret;
}

static struct sent_part *part_of(const struct racer *r)
{
    return &r->race->parts[r->race->count - 1 - r->from_end];
}

/* Replaces a part; a client that is told to wait tries again. */
static void put_part(struct racer *r)
{
    do {
        r->outcome = upload_put(&r->race->f, "key", r->race->id, part_of(r)->number, r->body);
    } while (r->outcome.code == ERR_BUSY);
}

static void give_up(struct racer *r)
{
    r->outcome = upload_give_up(&r->race->f, "key", r->race->id);
}

static void new_upload(struct race *race, size_t count, uint32_t seed)
{
    race->count = count;
    CHECK_OK(upload_begin(&race->f, "key", &race->id));
    for (uint32_t i = 0; i < count; i++)
        race->parts[i] = (struct sent_part){
            i + 1, fixture_body(&race->f, seed + i, i + 1 == count ? 30 : FIXTURE_SMALL + 9)
        };
    CHECK_OK(upload_put_all(&race->f, "key", race->id, race->parts, count));
}

static const size_t counts[] = { 1, 2, 40 };
static const int rounds[] = { 40, 40, 6 };

TEST(of_two_completes_at_once_one_publishes_and_both_answer_the_same)
{
    struct race race;

    fixture_open(&race.f);
    for (size_t c = 0; c < 3; c++) {
        for (int i = 0; i < rounds[c]; i++) {
            struct racer racers[3] = { { .run = complete }, { .run = complete }, { .run = complete } };
            new_upload(&race, counts[c], (uint32_t)(1000 * i));
            race_go(&race, racers, 3);
            for (int r = 0; r < 3; r++) {
                CHECK_OK(racers[r].outcome);
                CHECK(uid_eq(racers[r].info.uid, race.id));
                CHECK(memcmp(racers[r].info.etag_md5, racers[0].info.etag_md5, 16) == 0);
                CHECK_U64(racers[r].info.mtime_ms, racers[0].info.mtime_ms);
                CHECK_U64(racers[r].info.size, racers[0].info.size);
            }
            racers_done(racers, 3);
            upload_check_object(&race.f, "key", race.parts, race.count);
            upload_check_references(&race.f);
        }
        CHECK_OK(fixture_delete(&race.f, "key"));
        upload_check_empty(&race.f);
    }
    fixture_done(&race.f);
}

TEST(a_part_that_is_put_while_its_upload_completes_is_in_it_or_refused)
{
    struct race race;

    fixture_open(&race.f);
    for (size_t c = 0; c < 3; c++) {
        for (int i = 0; i < rounds[c]; i++) {
            struct racer racers[2] = { { .run = complete }, { .run = put_part } };
            new_upload(&race, counts[c], (uint32_t)(1000 * i));
            racers[1].body = fixture_body(&race.f, 77, i % 2 ? 31 : FIXTURE_LARGE);
            race_go(&race, racers, 2);
            if (racers[0].outcome.code == ERR_OK) {
                /* The part came too late, or was replaced in time to be read but not to be counted: then Complete saw the old one. */
                upload_check_object(&race.f, "key", race.parts, race.count);
                CHECK_ERR(racers[1].outcome, ERR_NO_SUCH_UPLOAD);
            } else {
                CHECK_ERR(racers[0].outcome, ERR_INVALID_PART);
                CHECK_OK(racers[1].outcome);
                race.parts[race.count - 1].body = racers[1].body;
                CHECK_OK(upload_finish(&race.f, "key", race.id, race.parts, race.count, NULL));
                upload_check_object(&race.f, "key", race.parts, race.count);
            }
            racers_done(racers, 2);
            upload_check_references(&race.f);
        }
        CHECK_OK(fixture_delete(&race.f, "key"));
        upload_check_empty(&race.f);
    }
    fixture_done(&race.f);
}

TEST(of_an_abort_and_a_complete_one_succeeds)
{
    struct object_info info;
    struct race race;

    fixture_open(&race.f);
    for (size_t c = 0; c < 3; c++) {
        for (int i = 0; i < rounds[c]; i++) {
            struct racer racers[2] = { { .run = complete }, { .run = give_up } };
            new_upload(&race, counts[c], (uint32_t)(1000 * i));
            race_go(&race, racers, 2);
            if (racers[0].outcome.code == ERR_OK) {
                CHECK_ERR(racers[1].outcome, ERR_NO_SUCH_UPLOAD);
                upload_check_object(&race.f, "key", race.parts, race.count);
                CHECK_OK(fixture_delete(&race.f, "key"));
            } else {
                CHECK_ERR(racers[0].outcome, ERR_NO_SUCH_UPLOAD);
                CHECK_OK(racers[1].outcome);
                CHECK_ERR(fixture_stat(&race.f, "key", &info), ERR_NO_SUCH_KEY);
            }
            racers_done(racers, 2);
            upload_check_references(&race.f);
        }
        upload_check_empty(&race.f);
    }
    fixture_done(&race.f);
}

/* The same for a Complete whose mark has run out, as if it had hung for a minute: what it has checked is not what is there any more. */
static void put_part_late(struct racer *r)
{
    struct upload_info upload = { 0 };
    struct err e = OK;

    while (!e.code && !upload.is_completing) {
        struct rows *view;
        CHECK_OK(view_open(r->race->f.store.meta, &view));
        e = upload_get(view, STR("bucket"), STR("key"), r->race->id, r->arena, &upload);
        view_close(view);
        arena_reset(r->arena);
    }
    clock_set_offset_ms(2 * UPLOAD_MARK_LEASE_MS);
    put_part(r);
    clock_set_offset_ms(0);
}

TEST(a_complete_whose_mark_was_taken_away_begins_again)
{
    struct race race;

    fixture_open(&race.f);
    for (int i = 0; i < 40; i++) {
        struct racer racers[2] = { { .run = complete }, { .run = put_part_late, .from_end = 1 } };
        new_upload(&race, 40, (uint32_t)(1000 * i));
        racers[1].body = fixture_body(&race.f, 77, FIXTURE_LARGE);
        race_go(&race, racers, 2);
        if (racers[0].outcome.code == ERR_OK) {
            CHECK_ERR(racers[1].outcome, ERR_NO_SUCH_UPLOAD);
        } else {
            CHECK_ERR(racers[0].outcome, ERR_INVALID_PART);
            CHECK_OK(racers[1].outcome);
            part_of(&racers[1])->body = racers[1].body;
            CHECK_OK(upload_finish(&race.f, "key", race.id, race.parts, race.count, NULL));
        }
        racers_done(racers, 2);
        upload_check_object(&race.f, "key", race.parts, race.count);
        upload_check_references(&race.f);
    }
    CHECK_OK(fixture_delete(&race.f, "key"));
    upload_check_empty(&race.f);
    fixture_done(&race.f);
}

/* A list that is wrong takes the mark of a right one away; that one begins again. */
TEST(a_wrong_complete_does_not_harm_a_right_one)
{
    struct race race, wrong;

    fixture_open(&race.f);
    for (int i = 0; i < 6; i++) {
        struct racer racers[2] = { { .run = complete }, { .run = complete, .race = &wrong } };
        new_upload(&race, 40, (uint32_t)(1000 * i));
        wrong = race;
        wrong.parts[39].number = 99;
        race_go(&race, racers, 2);
        CHECK_OK(racers[0].outcome);
        CHECK(racers[1].outcome.code == ERR_OK || racers[1].outcome.code == ERR_INVALID_PART);
        racers_done(racers, 2);
        upload_check_object(&race.f, "key", race.parts, race.count);
        upload_check_clean(&race.f);
    }
    fixture_done(&race.f);
}
