/*
 * upload_sweep_test.c - uploads under faults and stops: fail the nth system call, or stop at it, until none is struck any more; then open again.
 *
 * What must hold after each: what was acknowledged is there (uploads, parts with their bytes, objects); an upload whose Complete was not answered can
 * be completed again, at once, whatever step the first one reached, with the same object; and when all of it is given up, nothing is left.
 */
#include "storage/object/multipart.h"

#include <errno.h>

#include "storage/base/sysio.h"
#include "storage/object/upload_fixture_test.h"
#include "storage/object/upload_row.h"
#include "tests/unit/test.h"

#define PARTS_MAX 40

/* How far a run got: what was acknowledged. */
struct run {
    struct fixture f;
    struct sent_part parts[PARTS_MAX];
    size_t count;
    struct uid id, aborted;
    size_t parts_put;
    bool is_begun, is_completed, is_aborted_begun, is_aborted;
};

struct sweep {
    const char *name;
    unsigned kinds; /* 0: stop */
    int errno_value;
};
static const struct sweep sweeps[] = {
    { "stop", 0, 0 },
    { "write", FAULT_WRITE, EIO },
    { "short write", FAULT_WRITE | FAULT_SHORT, ENOSPC },
    { "sync", FAULT_SYNC, EIO },
    { "other", FAULT_OPEN | FAULT_READ | FAULT_SPACE | FAULT_NAME, EIO },
};

static void arm(const struct sweep *s, uint64_t n)
{
    if (s->kinds) fault_arm(s->kinds, n, s->errno_value);
    else fault_arm_stop(n);
}

/* Closes under the fault too. True if it struck anywhere. */
static bool restart(struct run *r)
{
    fixture_stop(&r->f);
    const bool is_struck = fault_disarm();
    CHECK_OK(fixture_start(&r->f));
    return is_struck;
}

/* ---- what is done under faults ---- */

static struct err begin_and_put(struct run *r)
{
    TRY(upload_begin(&r->f, "key", &r->id));
    r->is_begun = true;
    for (; r->parts_put < r->count; r->parts_put++)
        TRY(upload_put(&r->f, "key", r->id, r->parts[r->parts_put].number, r->parts[r->parts_put].body));
    return OK;
}

static struct err finish_and_clear(struct run *r)
{
    bool is_more = true;

    TRY(upload_finish(&r->f, "key", r->id, r->parts, r->count, NULL));
    r->is_completed = true;
    while (is_more) TRY(multipart_clear(&r->f.store, &is_more));
    return OK;
}

static struct err begin_and_abort(struct run *r)
{
    bool is_more = true;

    TRY(upload_begin(&r->f, "given up", &r->aborted));
    r->is_aborted_begun = true;
    TRY(upload_put_all(&r->f, "given up", r->aborted, r->parts, r->count < 3 ? r->count : 3));
    TRY(upload_give_up(&r->f, "given up", r->aborted));
    r->is_aborted = true;
    while (is_more) TRY(multipart_clear(&r->f.store, &is_more));
    return OK;
}

/* ---- what must be so afterwards ---- */

static void check_parts(struct run *r)
{
    struct part_page page;

    CHECK_OK(upload_list_parts(&r->f.store, STR("bucket"), STR("key"), r->id, 0, 1000, r->f.arena, &page));
    CHECK(page.count >= r->parts_put && page.count <= r->count);
    for (size_t i = 0; i < r->parts_put; i++) {
        const struct digest_value md5 = digest_of(DIGEST_MD5, r->parts[i].body.data, r->parts[i].body.len);
        CHECK_U64(page.parts[i].number, r->parts[i].number);
        CHECK(memcmp(page.parts[i].md5, md5.bytes, 16) == 0);
    }
}

static void check_and_finish(struct run *r)
{
    if (!r->is_completed && r->parts_put < r->count) {
        check_parts(r);
        CHECK_OK(upload_put_all(&r->f, "key", r->id, r->parts + r->parts_put, r->count - r->parts_put));
    }
    CHECK_OK(upload_finish(&r->f, "key", r->id, r->parts, r->count, NULL));
    upload_check_object(&r->f, "key", r->parts, r->count);
    CHECK_OK(upload_finish(&r->f, "key", r->id, r->parts, r->count, NULL));
}

/* Uploads whose beginning was not answered may be there all the same. */
static void give_up_all(struct run *r)
{
    const struct upload_query q = { .bucket = STR("bucket"), .max = 100 };
    struct upload_page page;

    CHECK_OK(upload_list(&r->f.store, &q, r->f.arena, &page));
    for (size_t i = 0; i < page.count; i++) {
        CHECK(!r->is_aborted || !uid_eq(page.entries[i].info.id, r->aborted));
        CHECK_OK(upload_abort(&r->f.store, STR("bucket"), page.entries[i].key, page.entries[i].info.id));
    }
}

static void check_after(struct run *r)
{
    upload_check_references(&r->f);
    if (r->is_begun) check_and_finish(r);
    give_up_all(r);
    if (r->is_begun) {
        upload_clear(&r->f);
        upload_check_object(&r->f, "key", r->parts, r->count);
        CHECK_OK(fixture_delete(&r->f, "key"));
    }
    upload_check_empty(&r->f);
}

/* ---- sweeps ---- */

static void set_parts(struct run *r, const size_t *sizes, size_t count)
{
    r->count = count;
    for (uint32_t i = 0; i < count; i++)
        r->parts[i] = (struct sent_part){ i + 1, fixture_body(&r->f, i, sizes[i]) };
}

/* The whole life of an upload, under one kind of fault. */
static void sweep_life(const struct sweep *s, const size_t *sizes, size_t count)
{
    struct run r = { 0 };
    bool is_struck = true;

    fixture_open(&r.f);
    set_parts(&r, sizes, count);
    for (uint64_t n = 0; is_struck; n++) {
        r.is_begun = r.is_completed = r.is_aborted = r.is_aborted_begun = false;
        r.parts_put = 0;
        arm(s, n);
        struct err e = begin_and_put(&r);
        if (!e.code) e = finish_and_clear(&r);
        if (!e.code) e = begin_and_abort(&r);
        is_struck = restart(&r);
        CHECK(is_struck || !e.code);
        check_after(&r);
    }
    fixture_done(&r.f);
}

static const size_t tiny[] = { 40 };
static const size_t mixed[] = { FIXTURE_LARGE, FIXTURE_LARGE, 40 };

TEST(the_life_of_a_tiny_upload_survives_every_fault)
{
    for (size_t i = 0; i < sizeof(sweeps) / sizeof(sweeps[0]); i++) sweep_life(&sweeps[i], tiny, 1);
}

TEST(the_life_of_an_upload_of_large_parts_survives_every_fault)
{
    for (size_t i = 0; i < sizeof(sweeps) / sizeof(sweeps[0]); i++) sweep_life(&sweeps[i], mixed, 3);
}

/* Many parts, begun and put in peace: the mark, the moving of small parts, the publishing and the clearing are what is swept. */
static void sweep_many(const struct sweep *s)
{
    size_t sizes[PARTS_MAX];
    struct run r = { 0 };
    bool is_struck = true;

    fixture_open(&r.f);
    for (size_t i = 0; i < 34; i++) sizes[i] = i % 16 == 1 ? 50 : 65;
    set_parts(&r, sizes, 34);
    for (uint64_t n = 0; is_struck; n++) {
        r.is_completed = false;
        r.parts_put = 0;
        r.f.store.small_body_max = 64;
        CHECK_OK(begin_and_put(&r));
        CHECK_OK(upload_put(&r.f, "key", r.id, 100, r.parts[0].body)); /* not going to be listed */
        arm(s, n);
        const struct err e = finish_and_clear(&r);
        is_struck = restart(&r);
        CHECK(is_struck || !e.code);
        r.f.store.small_body_max = 64;
        check_after(&r);
    }
    fixture_done(&r.f);
}

TEST(completing_many_parts_survives_every_stop)
{
    sweep_many(&sweeps[0]);
}

TEST(completing_many_parts_survives_every_fault)
{
    for (size_t i = 1; i < sizeof(sweeps) / sizeof(sweeps[0]); i++) sweep_many(&sweeps[i]);
}
