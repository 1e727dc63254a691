/*
 * scrub_test.c - a pass reads everything and finds what is damaged; it goes on where it was; and what was damaged is forgotten when it is well again, or gone.
 */
#include "storage/object/scrub.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/sysio.h"
#include "storage/object/upload_fixture_test.h"
#include "storage/volume/volume.h"
#include "storage/volume/volume_rows.h"
#include "tests/unit/test.h"

#define INTERVAL_S 3600
#define LARGE (20 * MIB) /* three steps */

static struct scrub *scrub_of(struct fixture *f, uint64_t rate)
{
    const struct scrub_options o = { .store = &f->store, .interval_s = INTERVAL_S, .rate = rate };
    struct scrub *s = NULL;

    CHECK_OK(scrub_new(&o, &s));
    return s;
}

static struct scrub_report report_of(struct fixture *f)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct scrub_report report;

    CHECK_OK(view_open(f->store.meta, &view));
    CHECK_OK(scrub_report_read(view, f->arena, &report));
    return report;
}

static int passes_from_now; /* the clock is so many intervals ahead */

/* A whole pass, the next that is due. */
static struct scrub_report pass(struct fixture *f, struct scrub *s)
{
    bool more = false;

    CHECK_OK(scrub_step(s, &more)); /* the first of all: the store is known from now on */
    clock_set_offset_ms((int64_t)++passes_from_now * INTERVAL_S * 1000);
    do CHECK_OK(scrub_step(s, &more));
    while (more);
    return report_of(f);
}

/* Flip a byte of the body's first extent. */
static void damage(struct fixture *f, const char *key, uint64_t at)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct object_info info;
    struct body_row row;
    struct str value;
    char dir[PATH_MAX], path[PATH_MAX], byte;
    int fd;

    CHECK_OK(view_open(f->store.meta, &view));
    CHECK_OK(object_stat(view, STR("bucket"), str_from_z(key), NULL, &info));
    CHECK_U64(info.body.kind, BODY_BLOB);
    CHECK_OK(rows_get(view, SPACE_BODIES, key_body(&info.body.uid), &value));
    CHECK_OK(body_row_decode(value, &row));
    const struct extent x = body_row_extent(&row, 0);
    (void)snprintf(dir, sizeof(dir), "%s/volumes", f->dir);
    volume_path(dir, x.volume, path);
    CHECK_OK(sys_open(path, O_RDWR, 0, &fd));
    CHECK_OK(sys_pread_all(fd, &byte, 1, x.offset + at));
    byte ^= 1;
    CHECK_OK(sys_pwrite_all(fd, &byte, 1, x.offset + at));
    sys_close(fd);
}

static void put_all(struct fixture *f)
{
    static const size_t sizes[] = { 5000, 0, 6000 };
    struct uid upload;

    CHECK_OK(fixture_put(f, "empty", STR_NONE));
    CHECK_OK(fixture_put(f, "large", fixture_body(f, 1, 30000)));
    CHECK_OK(fixture_put(f, "small", fixture_body(f, 2, 300)));
    CHECK_OK(fixture_put_parts(f, "parts", fixture_body(f, 3, 11000), sizes, 3));
    CHECK_OK(upload_begin(f, "open", &upload));
    CHECK_OK(upload_put(f, "open", upload, 1, fixture_body(f, 4, FIXTURE_LARGE)));
    CHECK_OK(upload_put(f, "open", upload, 2, fixture_body(f, 5, 100)));
}

TEST(a_pass_reads_every_byte_of_objects_and_parts)
{
    struct fixture f;

    fixture_open(&f);
    put_all(&f);
    struct scrub *s = scrub_of(&f, GIB);
    const struct scrub_report r = pass(&f, s);
    CHECK(!r.is_running && r.pass == 1 && r.ended_ms >= r.began_ms);
    CHECK_U64(r.objects, 4 + 2);
    CHECK_U64(r.bytes, 30000 + 300 + 11000 + FIXTURE_LARGE + 100);
    CHECK_U64(r.damaged, 0);
    scrub_free(s);
    fixture_done(&f);
}

TEST(the_first_pass_begins_an_interval_after_the_store_is_known_and_restarts_do_not_move_it)
{
    struct fixture f;
    bool more = true;

    fixture_open(&f);
    put_all(&f);
    for (int restart = 0; restart < 3; restart++) {
        struct scrub *s = scrub_of(&f, GIB);
        clock_set_offset_ms(restart * (INTERVAL_S - 10) * 1000 / 2);
        CHECK_OK(scrub_step(s, &more));
        CHECK(!more && report_of(&f).pass == 0);
        scrub_free(s);
        fixture_reopen(&f);
    }
    struct scrub *s = scrub_of(&f, GIB);
    clock_set_offset_ms(INTERVAL_S * 1000);
    do CHECK_OK(scrub_step(s, &more));
    while (more);
    CHECK_U64(report_of(&f).pass, 1);
    scrub_free(s);
    fixture_done(&f);
}

TEST(damage_is_named_until_it_is_written_anew_or_read_well)
{
    struct fixture f;

    fixture_open(&f);
    put_all(&f);
    CHECK_OK(fixture_put(&f, "later", fixture_body(&f, 6, 40000)));
    struct scrub *s = scrub_of(&f, GIB);
    damage(&f, "large", 100);
    damage(&f, "later", 100);
    struct scrub_report r = pass(&f, s);
    CHECK_U64(r.objects, 5 + 2); /* it goes on behind them */
    CHECK_U64(r.damaged, 2);
    CHECK_STR(r.damages[0].bucket, STR("bucket"));
    CHECK_STR(r.damages[0].key, STR("large"));
    CHECK(str_contains(r.damages[0].what, STR("volume")) && r.damages[0].found_ms >= r.began_ms);
    const int64_t found_ms = r.damages[1].found_ms;

    CHECK_OK(fixture_put(&f, "large", fixture_body(&f, 7, 30000)));
    r = report_of(&f);
    CHECK_U64(r.damaged, 1); /* at once */
    r = pass(&f, s);
    CHECK_U64(r.damaged, 1);
    CHECK_STR(r.damages[0].key, STR("later"));
    CHECK(r.damages[0].found_ms == found_ms); /* first */
    damage(&f, "later", 100);                 /* as it was */
    r = pass(&f, s);
    CHECK_U64(r.damaged, 0);
    scrub_free(s);
    fixture_done(&f);
}

/* Nothing is read twice and nothing left out: the figures say so. */
TEST(a_pass_goes_on_after_a_restart_in_the_middle_of_an_object)
{
    struct fixture f;
    bool more = false;

    fixture_open(&f);
    put_all(&f);
    CHECK_OK(fixture_put(&f, "huge", fixture_body(&f, 8, LARGE)));
    struct scrub *s = scrub_of(&f, GIB);
    CHECK_OK(scrub_step(s, &more));
    clock_set_offset_ms(INTERVAL_S * 1000);
    int restarts = 0;
    do {
        CHECK_OK(scrub_step(s, &more));
        CHECK_OK(scrub_save(s));
        scrub_free(s);
        fixture_reopen(&f);
        s = scrub_of(&f, GIB);
        restarts++;
    } while (more);
    CHECK(restarts > 3);
    const struct scrub_report r = report_of(&f);
    CHECK(!r.is_running && r.damaged == 0);
    CHECK_U64(r.objects, 5 + 2);
    CHECK_U64(r.bytes, LARGE + 30000 + 300 + 11000 + FIXTURE_LARGE + 100);
    scrub_free(s);
    fixture_done(&f);
}

TEST(an_object_that_changes_under_the_pass_is_no_damage)
{
    struct fixture f;
    bool more = false;

    fixture_open(&f);
    CHECK_OK(fixture_put(&f, "huge", fixture_body(&f, 1, LARGE)));
    CHECK_OK(fixture_put(&f, "last", fixture_body(&f, 2, LARGE)));
    struct scrub *s = scrub_of(&f, GIB);
    CHECK_OK(scrub_step(s, &more));
    clock_set_offset_ms(INTERVAL_S * 1000);
    CHECK_OK(scrub_step(s, &more)); /* into huge */
    CHECK(more);
    CHECK_OK(fixture_put(&f, "huge", fixture_body(&f, 3, LARGE + 1)));
    CHECK_OK(fixture_delete(&f, "last"));
    fixture_settle(&f);
    do CHECK_OK(scrub_step(s, &more));
    while (more);
    const struct scrub_report r = report_of(&f);
    CHECK(!r.is_running && r.damaged == 0);
    CHECK_U64(r.objects, 1);
    CHECK_U64(r.bytes, 8 * MIB + LARGE + 1);
    scrub_free(s);
    fixture_done(&f);
}

/* A step may read more than a second's worth: then nothing is read until that is made up for. */
TEST(a_debt_is_paid_before_more_is_read)
{
    struct fixture f;
    bool more = false;

    fixture_open(&f);
    CHECK_OK(fixture_put(&f, "huge", fixture_body(&f, 1, LARGE)));
    struct scrub *s = scrub_of(&f, 1);
    CHECK_OK(scrub_step(s, &more));
    clock_set_offset_ms(INTERVAL_S * 1000);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(scrub_step(s, &more));
        CHECK(!more);
    }
    CHECK_OK(scrub_save(s));
    CHECK_U64(report_of(&f).bytes, 8 * MIB);
    scrub_free(s);
    fixture_done(&f);
}

/* ---- faults ---- */

/* One pass, tried again where it fails, as the background does. */
static void pass_through(struct scrub *s)
{
    bool more = true;

    for (int failures = 0; more && failures < 10;) {
        const struct err e = scrub_step(s, &more);
        if (e.code) more = true;
        failures += e.code != ERR_OK;
    }
}

static void sweep(unsigned kinds, int errno_value)
{
    bool has_struck = true;

    for (uint64_t n = 0; has_struck; n++) {
        struct fixture f;
        bool more;
        fixture_open(&f);
        put_all(&f);
        damage(&f, "large", 10);
        struct scrub *s = scrub_of(&f, GIB);
        CHECK_OK(scrub_step(s, &more));
        clock_set_offset_ms(INTERVAL_S * 1000);
        fault_arm(kinds, n, errno_value);
        pass_through(s);
        has_struck = fault_disarm();
        scrub_free(s);
        fixture_reopen(&f);
        s = scrub_of(&f, GIB);
        clock_set_offset_ms(2 * INTERVAL_S * 1000);
        pass_through(s); /* the rest of it, if it was not done */
        clock_set_offset_ms(4 * INTERVAL_S * 1000);
        pass_through(s);
        const struct scrub_report r = report_of(&f);
        CHECK(!r.is_running && r.objects == 4 + 2);
        CHECK_U64(r.damaged, 1); /* the one that is: what the fault made look so has been read well */
        CHECK_STR(r.damages[0].key, STR("large"));
        clock_set_offset_ms(0);
        scrub_free(s);
        fixture_done(&f);
    }
}

TEST(a_failed_read_is_told_and_forgotten_when_it_was_the_machines)
{
    sweep(FAULT_READ, EIO);
}

TEST(a_failed_write_loses_no_finding)
{
    sweep(FAULT_WRITE, ENOSPC);
}
