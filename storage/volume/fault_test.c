/*
 * fault_test.c - whichever system call fails, and wherever the machine stops: what was acknowledged is whole, what was not is whole or absent,
 * now and after a restart, and no space is lost.
 *
 * The story: four bodies are there, one of them freed. Then one is uploaded (in two files), one is deleted, a copy is made, a checkpoint and
 * a pass of reclaim run. Each step's answer says what must be true afterwards.
 */
#include <errno.h>
#include <stdlib.h>

#include "storage/base/sysio.h"
#include "storage/volume/world_test.h"
#include "tests/unit/postgresql.h"
#include "tests/unit/test.h"

enum truth { IS_THERE, IS_GONE, IS_EITHER };

struct fact {
    struct uid body;
    size_t len;
    uint64_t seed;
    enum truth truth;
};

enum { KEPT, DELETED, FREED, COPIED, UPLOADED, FACTS };
static const size_t lengths[FACTS] = { 70000, 200000, 300000, 66000, 1500000 };

struct story {
    struct world w;
    struct fact facts[FACTS];
    struct uid copy;
};

static void story_begin(struct story *s)
{
    world_init(&s->w);
    s->w.blob_options.writers_open_max = 1;
    world_open(&s->w);
    for (int i = KEPT; i < UPLOADED; i++) {
        s->facts[i] = (struct fact){ world_put(&s->w, lengths[i], (uint64_t)i), lengths[i], (uint64_t)i,
                                     IS_THERE };
    }
    s->facts[UPLOADED] = (struct fact){ .len = lengths[UPLOADED], .seed = UPLOADED, .truth = IS_GONE };
    world_delete(&s->w, s->facts[FREED].body);
    s->facts[FREED].truth = IS_GONE;
    s->copy = ids_uid();
}

/* What is true of a change that was answered with e. */
static enum truth after(struct err e, enum truth before, enum truth then)
{
    if (!e.code) return then;
    return e.code == ERR_OUTCOME_UNKNOWN ? IS_EITHER : before;
}

static void story_act(struct story *s)
{
    struct blob_writer *writer = NULL;
    uint64_t bytes;
    struct err e = world_upload(&s->w, lengths[UPLOADED], UPLOADED, &writer);

    if (!e.code) {
        s->facts[UPLOADED].body = blob_writer_uid(writer);
        s->facts[UPLOADED].truth = after(world_publish(&s->w, writer, blob_writer_uid(writer)), IS_GONE,
                                         IS_THERE);
    }
    blob_write_close(writer);

    /* Copied, then the first reference is dropped: whatever of this happened, it is still there. */
    e = world_ref(&s->w, s->facts[COPIED].body, s->copy);
    if (!e.code) err_ignore(world_unref(&s->w, s->facts[COPIED].body, s->facts[COPIED].body));

    e = world_unref(&s->w, s->facts[DELETED].body, s->facts[DELETED].body);
    s->facts[DELETED].truth = after(e, IS_THERE, IS_GONE);
    err_ignore(meta_checkpoint(s->w.meta));
    err_ignore(blob_reclaim(s->w.b, &bytes));
}

/* Read the body if it is there: then it must be whole. */
static bool read_body(struct world *w, const struct fact *f)
{
    struct blob_reader *r = NULL;
    const struct err e = world_reader(w, f->body, &r);

    if (e.code == ERR_NOT_FOUND) return false;
    CHECK_OK(e);
    blob_reader_close(r);
    check_body(w, f->body, f->len, f->seed);
    return true;
}

/* *ret_live: bytes of extents of what is there. */
static void story_check(struct story *s, uint64_t *ret_live)
{
    *ret_live = 0;
    for (int i = 0; i < FACTS; i++) {
        struct fact *f = &s->facts[i];
        const bool is_there = read_body(&s->w, f);

        CHECK(f->truth != IS_THERE || is_there);
        CHECK(f->truth != IS_GONE || !is_there);
        if (is_there) *ret_live += f->len;
    }
}

/* After a restart nothing is unknown any more, and all that is not needed is given back. */
static void story_end(struct story *s)
{
    enum { SLACK = 16 * 4096 }; /* trailers, and blocks that the file system needs for its map */
    struct blob_status status;
    uint64_t live;

    world_reopen(&s->w);
    story_check(s, &live);
    world_settle(&s->w);
    CHECK_U64(world_rows(&s->w, SPACE_FREED), 0);
    story_check(s, &live);
    blob_status(s->w.b, &status);
    CHECK(status.bytes_live >= live && status.bytes_live <= live + SLACK);
    const struct uid next = world_put(&s->w, 50000, 99);
    check_body(&s->w, next, 50000, 99);
    world_delete(&s->w, next);
    world_settle(&s->w);
    world_close(&s->w);
    CHECK(world_disk_bytes(&s->w) <= live + SLACK);
}

static bool tell(unsigned kinds, uint64_t n, int errno_value)
{
    struct story s;
    uint64_t live;

    story_begin(&s);
    fault_arm(kinds, n, errno_value);
    story_act(&s);
    const bool has_struck = fault_disarm();
    story_check(&s, &live);
    story_end(&s);
    return has_struck;
}

#define SWEEP(name_, kinds_, errno_)                                                                         \
    TEST(name_)                                                                                              \
    {                                                                                                        \
        for (uint64_t n = 0; tell((kinds_), n, (errno_)); n++) CHECK(n < 200);                               \
    }

SWEEP(what_was_acknowledged_survives_a_failing_write, FAULT_WRITE, EIO)
SWEEP(what_was_acknowledged_survives_a_write_cut_short, FAULT_WRITE | FAULT_SHORT, ENOSPC)
SWEEP(what_was_acknowledged_survives_a_failing_flush, FAULT_SYNC, EIO)
SWEEP(what_was_acknowledged_survives_a_failing_allocation, FAULT_SPACE, ENOSPC)
SWEEP(what_was_acknowledged_survives_a_failing_name, FAULT_NAME, EIO)
SWEEP(what_was_acknowledged_survives_a_failing_open, FAULT_OPEN, EMFILE)
SWEEP(what_was_acknowledged_survives_a_failing_read, FAULT_READ, EIO)

/* The machine stops at the nth call. */
TEST(what_was_acknowledged_survives_a_stop_at_any_call)
{
    bool has_struck = true;

    for (uint64_t n = 0; has_struck; n++) {
        struct story s;
        CHECK(n < 500);
        story_begin(&s);
        fault_arm_stop(n);
        story_act(&s);
        world_close(&s.w);
        has_struck = fault_disarm();
        story_end(&s);
    }
}

/* A story that ended with a stop and left all sorts of things behind. It is made once, and copied for each start. */
static void story_leave(struct story *s)
{
    struct blob_writer *writer = NULL;

    story_begin(s);
    CHECK_OK(world_upload(&s->w, 400000, 50, &writer));
    story_act(s);
    fault_arm_stop(0);
    blob_write_close(writer);
    world_close(&s->w);
    fault_disarm();
}

static struct story story_copy(const struct story *s)
{
    struct story copy = *s;
    char command[4 * PATH_MAX];

    world_init(&copy.w);
    copy.w.blob_options.writers_open_max = 1;
    (void)snprintf(command, sizeof(command), "cp -a --sparse=always %s %s && cp -a --sparse=always %s %s",
                   s->w.meta_dir, copy.w.meta_dir, s->w.volume_dir, copy.w.volume_dir);
    CHECK(system(command) == 0);
    return copy;
}

/* It stops again while it starts. */
TEST(a_start_that_stops_anywhere_loses_nothing)
{
    struct story left;
    bool has_struck = true;

    if (test_store()) return; /* the rows are not in a directory that could be copied */
    story_leave(&left);
    for (uint64_t n = 0; has_struck; n++) {
        struct story s = story_copy(&left);

        CHECK(n < 500);
        fault_arm_stop(n);
        const struct err e = world_try_open(&s.w);
        if (!e.code) world_close(&s.w);
        has_struck = fault_disarm();
        story_end(&s);
    }
}

/* A start in which one call fails is refused, or goes well all the same; the next one goes well. */
TEST(a_start_in_which_a_call_fails_loses_nothing)
{
    struct story s;
    bool has_struck = true;
    uint64_t live;

    story_leave(&s);
    for (uint64_t n = 0; has_struck; n++) {
        CHECK(n < 500);
        fault_arm(FAULT_ALL, n, EIO);
        const struct err e = world_try_open(&s.w);
        has_struck = fault_disarm();
        if (e.code) continue;
        story_check(&s, &live);
        world_close(&s.w);
    }
    story_end(&s);
}
