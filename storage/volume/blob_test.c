/* blob_test.c - what blob.h promises of bodies and references, one test for each thing that must never happen. */
#include "storage/volume/blob.h"

#include <stdlib.h>
#include <string.h>

#include "storage/volume/world_test.h"
#include "tests/unit/postgresql.h"
#include "tests/unit/test.h"

TEST(a_body_comes_back_as_it_was_before_and_after_a_restart)
{
    static const size_t lengths[] = { 1,      4095,    4096,    65535,   65536,  65537,
                                      300000, 1048576, 1048577, 3 << 20, 9500000 };
    enum { COUNT = sizeof(lengths) / sizeof(*lengths) };
    struct world w;
    struct uid body[COUNT];

    world_init(&w);
    world_open(&w);
    for (size_t i = 0; i < COUNT; i++) body[i] = world_put(&w, lengths[i], i);
    for (size_t i = 0; i < COUNT; i++) check_body(&w, body[i], lengths[i], i);
    world_reopen(&w);
    for (size_t i = 0; i < COUNT; i++) check_body(&w, body[i], lengths[i], i);
    world_close(&w);
}

TEST(an_empty_body_is_a_body)
{
    struct world w;

    world_init(&w);
    world_open(&w);
    const struct uid body = world_put(&w, 0, 0);
    check_body(&w, body, 0, 0);
    world_delete(&w, body);
    check_gone(&w, body);
    CHECK_U64(world_rows(&w, SPACE_BODIES), 0);
    world_close(&w);
}

TEST(nothing_is_published_before_its_flush)
{
    struct world w;
    struct blob_writer *writer;

    world_init(&w);
    world_open(&w);
    CHECK_OK(blob_write_begin(w.b, 0, &writer));
    CHECK_OK(world_write(writer, 100000, 1, 4096));
    CHECK_ERR(world_publish(&w, writer, ids_uid()), ERR_INVALID);
    CHECK_OK(blob_write_flush_wait(writer));
    CHECK_ERR(blob_write(writer, "x", 1), ERR_INVALID);
    CHECK_OK(world_publish(&w, writer, ids_uid()));
    blob_write_close(writer);
    world_close(&w);
}

TEST(a_body_lives_until_its_last_reference_goes)
{
    struct world w;
    const struct uid copy = ids_uid();

    world_init(&w);
    world_open(&w);
    const struct uid body = world_put(&w, 70000, 3);
    CHECK_OK(world_ref(&w, body, copy));
    CHECK_OK(world_ref(&w, body, copy));
    world_delete(&w, body);
    CHECK_OK(world_unref(&w, body, body)); /* it is not there any more: no matter */
    CHECK_U64(world_settle(&w), 0);
    check_body(&w, body, 70000, 3);
    CHECK_OK(world_unref(&w, body, copy));
    check_gone(&w, body);
    CHECK_U64(world_settle(&w), record_bytes(70000));
    CHECK_U64(world_rows(&w, SPACE_BODY_REFS), 0);
    CHECK_U64(world_rows(&w, SPACE_FREED), 0);
    world_close(&w);
}

/* Not by a copy, and not by its own writer either, whether the space was given back already or not. */
TEST(a_body_is_never_referenced_again_after_its_last_reference_went)
{
    struct world w;
    struct blob_writer *writer;

    world_init(&w);
    world_open(&w);
    CHECK_OK(world_upload(&w, 70000, 3, &writer));
    const struct uid body = blob_writer_uid(writer);
    CHECK_OK(world_publish(&w, writer, body));
    world_delete(&w, body);
    CHECK_ERR(world_ref(&w, body, ids_uid()), ERR_NOT_FOUND);
    CHECK_ERR(world_publish(&w, writer, body), ERR_NOT_FOUND);
    CHECK_U64(world_settle(&w), 0); /* the open writer is a pin */
    CHECK_ERR(world_publish(&w, writer, body), ERR_NOT_FOUND);
    blob_write_close(writer);
    CHECK_U64(world_settle(&w), record_bytes(70000));
    CHECK_ERR(world_ref(&w, body, ids_uid()), ERR_NOT_FOUND);
    world_close(&w);
}

TEST(space_of_a_pinned_body_is_not_given_back)
{
    struct world w;
    struct blob_reader *r = NULL;
    uint8_t data[1000];

    world_init(&w);
    world_open(&w);
    const struct uid body = world_put(&w, 300000, 4);
    CHECK_OK(world_reader(&w, body, &r));
    world_delete(&w, body);
    CHECK_U64(world_settle(&w), 0);
    CHECK_OK(blob_read(r, 200000, data, sizeof(data)));
    CHECK(pattern_is(data, sizeof(data), 4, 200000));
    blob_reader_close(r);
    CHECK_U64(world_reclaim(&w), record_bytes(300000));
    world_close(&w);
}

TEST(space_of_a_body_that_an_open_view_may_find_is_not_given_back)
{
    struct world w;
    struct rows *view = NULL;
    struct blob_reader *r = NULL;
    uint8_t data[1000];

    world_init(&w);
    world_open(&w);
    const struct uid body = world_put(&w, 300000, 4);
    CHECK_OK(view_open(w.meta, &view));
    world_delete(&w, body);
    CHECK_U64(world_settle(&w), 0);
    CHECK_OK(blob_reader_open(w.b, view, body, &r));
    view_close(view);
    CHECK_U64(world_reclaim(&w), 0);
    CHECK_OK(blob_read(r, 0, data, sizeof(data)));
    CHECK(pattern_is(data, sizeof(data), 4, 0));
    blob_reader_close(r);
    CHECK_U64(world_reclaim(&w), record_bytes(300000));
    world_close(&w);
}

TEST(nothing_is_given_back_before_the_checkpoint)
{
    struct world w;
    struct blob_status status;

    if (test_store()) return; /* PostgreSQL needs no checkpoint */
    world_init(&w);
    world_open(&w);
    const struct uid body = world_put(&w, 300000, 4);
    world_delete(&w, body);
    CHECK_U64(world_reclaim(&w), 0);
    blob_status(w.b, &status);
    CHECK_U64(status.bytes_freed_waiting, record_bytes(300000));
    CHECK_U64(status.bytes_live, 0);
    CHECK_U64(world_settle(&w), record_bytes(300000));
    blob_status(w.b, &status);
    CHECK_U64(status.bytes_freed_waiting, 0);
    world_close(&w);
}

TEST(an_unpublished_body_leaves_nothing)
{
    struct world w;
    struct blob_writer *writer, *flushed;

    world_init(&w);
    world_open(&w);
    CHECK_OK(blob_write_begin(w.b, 0, &writer));
    CHECK_OK(world_write(writer, 3 << 20, 1, 65536));
    CHECK_OK(world_upload(&w, 200000, 2, &flushed));
    blob_write_close(writer);
    blob_write_close(flushed);
    CHECK(world_reclaim(&w) > 3 << 20);
    CHECK_U64(world_rows(&w, SPACE_VOLUMES), 0);
    world_close(&w);
    CHECK_U64(world_disk_bytes(&w), 0);

    world_open(&w);
    CHECK_U64(world_files(&w), 0);
    world_close(&w);
}

/* The transaction refused: the writer is closed with a body that was flushed and never published. Its neighbours stay. */
static struct err refuse_fn(struct txn *txn, void *arg)
{
    const struct err e = blob_publish(txn, arg, ids_uid());

    return e.code ? e : FAIL(ERR_PRECONDITION, "refused");
}

TEST(a_refused_body_leaves_nothing_and_its_neighbours_stay)
{
    struct world w;
    struct blob_writer *writer;

    world_init(&w);
    world_open(&w);
    const struct uid before = world_put(&w, 100000, 1);
    CHECK_OK(world_upload(&w, 200000, 2, &writer));
    const struct uid refused = blob_writer_uid(writer);
    CHECK_ERR(meta_run(w.meta, refuse_fn, writer), ERR_PRECONDITION);
    const struct uid after = world_put(&w, 100000, 3);
    blob_write_close(writer);
    CHECK_U64(world_reclaim(&w), record_bytes(200000));
    check_gone(&w, refused);
    check_body(&w, before, 100000, 1);
    check_body(&w, after, 100000, 3);
    world_reopen(&w);
    check_body(&w, before, 100000, 1);
    check_body(&w, after, 100000, 3);
    world_close(&w);
}

TEST(a_gap_is_not_punched_while_its_reservation_is_open)
{
    struct world w;
    struct blob_writer *writer;

    world_init(&w);
    w.blob_options.writers_open_max = 1; /* all in one volume */
    world_open(&w);
    CHECK_OK(blob_write_begin(w.b, 0, &writer));
    CHECK_OK(world_write(writer, 300000, 9, 65536));
    const struct uid other = world_put(&w, 100000, 1); /* its rows are there, the writer's are not */
    for (int i = 0; i < 40; i++) world_delete(&w, world_put(&w, 200000, 2));
    world_settle(&w);
    CHECK_OK(world_write(writer, 300000, 9, 65536));
    CHECK_OK(blob_write_flush_wait(writer));
    world_settle(&w);
    CHECK_OK(world_publish(&w, writer, blob_writer_uid(writer)));
    const struct uid body = blob_writer_uid(writer);
    blob_write_close(writer);
    world_settle(&w);
    check_body(&w, body, 600000, 9);
    check_body(&w, other, 100000, 1);
    world_reopen(&w);
    check_body(&w, body, 600000, 9);
    check_body(&w, other, 100000, 1);
    world_close(&w);
}

/* Servers that share their rows keep none. */
TEST(without_volumes_no_body_is_taken_and_a_store_with_bodies_is_refused)
{
    struct world w;
    struct blob_writer *writer = NULL;
    struct blobs *none = NULL;
    struct blob_status status;
    uint64_t bytes = 1;

    world_init(&w);
    world_open(&w);
    const struct blob_options o = { .meta = w.meta };
    CHECK_OK(blob_open(&o, &none));
    const struct err e = blob_write_begin(none, 0, &writer);
    CHECK_U64(e.code, ERR_UNSUPPORTED);
    CHECK(strstr(e.why, "store-shared") && !writer);
    blob_status(none, &status);
    CHECK(status.is_writable && status.volumes == 0 && status.bytes_on_disk == 0);
    CHECK_OK(blob_reclaim(none, &bytes));
    CHECK_U64(bytes, 0);
    none = blob_close(none);
    const struct uid body = world_put(&w, 100000, 1);
    const struct err refused = blob_open(&o, &none);
    CHECK_U64(refused.code, ERR_INVALID);
    CHECK(strstr(refused.why, "store-shared") && !none);
    world_delete(&w, body);
    CHECK_OK(blob_open(&o, &none));
    blob_close(none);
    world_close(&w);
}
