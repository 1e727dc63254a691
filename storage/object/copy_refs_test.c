/* copy_refs_test.c - copies of objects with more parts than one transaction takes: in peace, refused, stopped, and forgotten. */
#include "storage/object/copy_refs.h"

#include <errno.h>

#include "storage/base/clock.h"
#include "storage/base/sysio.h"
#include "storage/object/object_copy.h"
#include "storage/object/upload_fixture_test.h"
#include "storage/object/upload_row.h"
#include "tests/unit/test.h"

#define LONGER_THAN_A_LEASE_MS (10 * 60000)

/* Small ones, all in volumes. */
static struct str put_many(struct fixture *f, const char *key, uint32_t count)
{
    struct sent_part *parts = arena_array(f->arena, struct sent_part, count);
    struct str bytes;
    struct uid id;

    f->store.small_body_max = 16;
    CHECK_OK(upload_begin(f, key, &id));
    for (uint32_t i = 0; i < count; i++)
        parts[i] = (struct sent_part){ i + 1, fixture_body(f, i, 17 + i % 3) };
    CHECK_OK(upload_put_all(f, key, id, parts, count));
    CHECK_OK(upload_finish(f, key, id, parts, count, NULL));
    CHECK_OK(fixture_get(f, key, &bytes));
    upload_clear(f);
    return bytes;
}

static struct object_copy copy_of(struct fixture *f, const char *source, const char *key)
{
    return (struct object_copy){
        .store = &f->store,
        .source_bucket = STR("bucket"),
        .source_key = str_from_z(source),
        .bucket = STR("bucket"),
        .key = str_from_z(key),
    };
}

static void check_bytes(struct fixture *f, const char *key, struct str bytes)
{
    struct str got;

    CHECK_OK(fixture_get(f, key, &got));
    CHECK(str_eq(got, bytes));
}

TEST(a_copy_of_many_parts_takes_its_references_in_slices)
{
    const uint32_t count = 900;
    struct fixture f;

    fixture_open(&f);
    const struct str bytes = put_many(&f, "source", count);
    struct object_copy c = copy_of(&f, "source", "copy");
    CHECK_OK(object_copy(&c, f.arena));
    check_bytes(&f, "copy", bytes);
    CHECK_U64(fixture_count(&f, SPACE_GARBAGE), 0);
    CHECK_U64(fixture_count(&f, SPACE_BODY_REFS), 2 * count);
    upload_check_references(&f);

    CHECK_OK(fixture_delete(&f, "source"));
    upload_check_clean(&f);
    check_bytes(&f, "copy", bytes);

    /* One that is refused at the end gives everything back. */
    CHECK_OK(fixture_put(&f, "there", STR("x")));
    c = copy_of(&f, "copy", "there");
    c.conditions.if_none_match = STR("*");
    CHECK_ERR(object_copy(&c, f.arena), ERR_PRECONDITION);
    upload_check_clean(&f);
    CHECK_U64(fixture_count(&f, SPACE_BODY_REFS), count);

    /* Onto itself: the old references go, the new ones stay. */
    c = copy_of(&f, "copy", "copy");
    c.replace_meta = true;
    CHECK_OK(object_copy(&c, f.arena));
    upload_check_clean(&f);
    check_bytes(&f, "copy", bytes);
    CHECK_U64(fixture_count(&f, SPACE_BODY_REFS), count);
    CHECK_OK(fixture_delete(&f, "copy"));
    CHECK_OK(fixture_delete(&f, "there"));
    upload_check_empty(&f);
    fixture_done(&f);
}

/* The transaction that publishes, by itself. */
static struct err publish_refs_fn(struct txn *txn, void *arg)
{
    return copy_refs_publish(txn, arg);
}

TEST(references_of_a_copy_that_never_ends_are_given_back_when_its_time_is_over)
{
    struct copy_refs refs;
    struct part_map map;
    struct object_info source;
    struct fixture f;

    fixture_open(&f);
    put_many(&f, "source", 40);
    CHECK_OK(fixture_stat(&f, "source", &source));
    char *read = arena_alloc(f.arena, source.body.place.length);
    CHECK_OK(meta_read_body(f.store.meta, source.body.place, read));
    CHECK_OK(part_map_open(str_of(read, source.body.place.length), &map));

    CHECK_OK(copy_refs_begin(&refs, f.store.meta, &map, ids_uid()));
    CHECK_U64(fixture_count(&f, SPACE_GARBAGE), 1);
    upload_clear(&f);
    CHECK_U64(fixture_count(&f, SPACE_GARBAGE), 1); /* not yet due */
    upload_check_references(&f);

    fixture_reopen(&f);
    clock_set_offset_ms(LONGER_THAN_A_LEASE_MS);
    upload_check_clean(&f);
    CHECK_ERR(meta_run(f.store.meta, publish_refs_fn, &refs), ERR_CONFLICT);
    CHECK_OK(fixture_get(&f, "source", &(struct str){ 0 }));
    fixture_done(&f);
}

/* The source goes between two slices: the copy begins again, finds nothing, and gives back what it had. */
TEST(a_body_that_goes_while_references_are_taken_is_noticed)
{
    struct copy_refs refs;
    struct part_map map;
    struct object_info source;
    struct fixture f;

    fixture_open(&f);
    put_many(&f, "source", 40);
    CHECK_OK(fixture_stat(&f, "source", &source));
    char *read = arena_alloc(f.arena, source.body.place.length);
    CHECK_OK(meta_read_body(f.store.meta, source.body.place, read));
    CHECK_OK(part_map_open(str_of(read, source.body.place.length), &map));
    CHECK_OK(fixture_delete(&f, "source"));
    upload_clear(&f);

    CHECK_ERR(copy_refs_begin(&refs, f.store.meta, &map, ids_uid()), ERR_NOT_FOUND);
    copy_refs_undo(&refs, f.store.meta);
    upload_check_empty(&f);
    fixture_done(&f);
}

/* ---- faults and stops ---- */

static const struct sweep {
    unsigned kinds; /* 0: stop */
    int errno_value;
} sweeps[] = { { 0, 0 }, { FAULT_WRITE, EIO }, { FAULT_WRITE | FAULT_SHORT, ENOSPC }, { FAULT_SYNC, EIO } };

static void sweep(struct fixture *f, const struct sweep *s, struct str bytes, uint32_t count)
{
    bool is_struck = true;

    for (uint64_t n = 0; is_struck; n++) {
        struct object_copy c = copy_of(f, "source", "copy");
        struct str got;

        clock_set_offset_ms(0);
        if (s->kinds) fault_arm(s->kinds, n, s->errno_value);
        else fault_arm_stop(n);
        const struct err e = object_copy(&c, f->arena);
        fixture_stop(f);
        is_struck = fault_disarm();
        CHECK(is_struck || !e.code);
        CHECK_OK(fixture_start(f));

        upload_check_references(f);
        check_bytes(f, "source", bytes);
        const enum err_code there = fixture_get(f, "copy", &got).code;
        CHECK(there == ERR_OK || (there == ERR_NO_SUCH_KEY && e.code != ERR_OK));
        if (there == ERR_OK) {
            CHECK(str_eq(got, bytes));
            CHECK_OK(fixture_delete(f, "copy"));
        }
        clock_set_offset_ms(LONGER_THAN_A_LEASE_MS);
        upload_check_clean(f);
        CHECK_U64(fixture_count(f, SPACE_BODY_REFS), count);
    }
}

TEST(a_copy_of_many_parts_survives_every_fault)
{
    const uint32_t count = 850; /* three slices */
    struct fixture f;

    fixture_open(&f);
    const struct str bytes = put_many(&f, "source", count);
    for (size_t i = 0; i < sizeof(sweeps) / sizeof(sweeps[0]); i++) sweep(&f, &sweeps[i], bytes, count);
    CHECK_OK(fixture_delete(&f, "source"));
    upload_check_empty(&f);
    fixture_done(&f);
}
