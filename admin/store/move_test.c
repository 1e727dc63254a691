/* move_test.c - a store moves to PostgreSQL and back and is the same; what is cut off leaves the source as it was; what is not the right target is refused. */
#include "admin/store/move.h"

#include <errno.h>
#include <stdlib.h>

#include "admin/store/check.h"
#include "admin/store/move_mark.h"
#include "admin/store/offline.h"
#include "admin/store/shelf_test.h"
#include "storage/base/arena.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/log.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "storage/meta/pg.h"
#include "storage/object/garbage.h"
#include "storage/object/upload_row.h"
#include "storage/volume/volume_rows.h"
#include "tests/unit/body.h"
#include "tests/unit/postgresql.h"
#include "tests/unit/test.h"

/* ---- moving ---- */

struct road {
    char dir[300], schema[64];
};

static struct road road_to(const char *name, const char *schema)
{
    struct road r;

    (void)snprintf(r.dir, sizeof(r.dir), "%s", shelf_path(name));
    (void)snprintf(r.schema, sizeof(r.schema), "%s", schema);
    return r;
}

static struct err go(const struct road *r, bool is_to_postgresql, struct move_result *ret)
{
    const struct move_options o = {
        .place = { .dir = r->dir, .store = test_postgresql(), .schema = r->schema },
        .is_to_postgresql = is_to_postgresql,
        .segment_bytes = 4 * MIB,
        .disk_floor_bytes = 1 * MIB,
    };
    return store_move(&o, ret);
}

static struct err go_quietly(const struct road *r, bool is_to_postgresql)
{
    struct move_result *result = malloc(sizeof(*result));
    const struct err e = go(r, is_to_postgresql, result);

    free(result);
    return e;
}

static struct store_place place_at(const struct road *r, bool is_in_postgresql)
{
    return (struct store_place){ .dir = r->dir,
                                 .store = is_in_postgresql ? test_postgresql() : NULL,
                                 .schema = r->schema };
}

/* What an engine holds, whether a store opens there or not. */
static struct meta *rows_of(const struct road *r, bool is_in_postgresql)
{
    const struct store_place where = place_at(r, is_in_postgresql);
    char rows[320];
    struct meta *m;

    (void)snprintf(rows, sizeof(rows), "%s/rows", r->dir);
    const struct meta_options o = { .dir = rows,
                                    .store = where.store,
                                    .schema = where.schema,
                                    .segment_bytes = 4 * MIB,
                                    .disk_floor_bytes = 1 * MIB };
    CHECK_OK(offline_open_rows(&o, &m));
    return m;
}

static struct move_tally tally_of(const struct road *r, bool is_in_postgresql)
{
    struct meta *m = rows_of(r, is_in_postgresql);
    struct move_tally tally;

    CHECK_OK(move_pass(&(struct move_pass){ .from = m }, &tally));
    meta_close(m);
    return tally;
}

static void told(void *arg, const struct check_finding *f)
{
    (void)arg;
    test_fail(__FILE__, __LINE__, "%s: %s", f->space, f->what);
}

/* Every row and every byte of it is well, and it opens there. */
static void check_whole(const struct road *r, bool is_in_postgresql)
{
    const struct store_place where = place_at(r, is_in_postgresql);
    struct check_result result;
    struct offline o;

    CHECK_OK(offline_open(&where, &o));
    const struct check_options options = {
        .store = &o.store, .volumes_dir = o.volumes, .reads_bodies = true, .found = told
    };
    CHECK_OK(store_check(&options, &result));
    CHECK_U64(result.objects, SHELF_OBJECTS);
    offline_close(&o);
}

static bool opens(const struct road *r, bool is_in_postgresql)
{
    const struct store_place where = place_at(r, is_in_postgresql);
    struct offline o;
    const struct err e = offline_open(&where, &o);

    if (!e.code) offline_close(&o);
    else if (e.code != ERR_INVALID) CHECK_ERR(e, ERR_NOT_FOUND);
    return !e.code;
}

static void check_refused(const struct road *r, bool is_in_postgresql)
{
    CHECK(!opens(r, is_in_postgresql));
}

static struct road shelf_road_in(const char *name, const char *schema)
{
    struct shelf s;

    shelf_open(&s, name);
    shelf_close(&s);
    return road_to(name, schema);
}

static struct road shelf_road(const char *name)
{
    return shelf_road_in(name, test_schema());
}

TEST(a_store_moves_to_postgresql_and_back_and_only_one_engine_has_it)
{
    const struct road r = shelf_road("data");
    const struct move_tally before = tally_of(&r, false);
    struct move_result to, from;

    CHECK_OK(go(&r, true, &to));
    CHECK(!to.is_end_only && strstr(to.kept, "/rows.moved-"));
    CHECK_OK(move_compare(&before, &to.tally));
    check_whole(&r, true);
    check_refused(&r, false);

    CHECK_OK(go(&r, false, &from));
    CHECK_STR(str_from_z(from.kept), STR(""));
    check_whole(&r, false);
    check_refused(&r, true);
    const struct move_tally after = tally_of(&r, false);
    CHECK_OK(move_compare(&from.tally, &after));

    CHECK_OK(go(&r, true, &to)); /* over what is left of the first move */
    check_whole(&r, true);
    check_refused(&r, false);
    CHECK_OK(move_compare(&after, &to.tally));
}

TEST(a_move_that_has_ended_has_nothing_more_to_do)
{
    const struct road r = shelf_road("data");

    CHECK_OK(go_quietly(&r, true));
    CHECK_ERR(go_quietly(&r, true), ERR_INVALID);
    check_whole(&r, true);
    CHECK_OK(go_quietly(&r, false));
    CHECK_ERR(go_quietly(&r, false), ERR_INVALID);
    check_whole(&r, false);
}

/* ---- every space, the longest keys, bodies of every length ---- */

#define KEY_LONG 1032 /* bucket id and a key of LIMIT_KEY */

static const size_t body_sizes[] = { 1, 100, 32 * KIB, 64 * KIB + 1, LIMIT_JOURNAL_BODY };

#define BODY_SIZES (sizeof(body_sizes) / sizeof(body_sizes[0]))

struct full {
    struct arena *arena;
    size_t next; /* of the bodies */
};

static struct err put_object_of(struct txn *txn, struct full *f, struct str key)
{
    struct object_info info = { .mtime_ms = 1, .uid = ids_uid() };
    struct str body = test_body(f->arena, (uint32_t)f->next, body_sizes[f->next % BODY_SIZES]);
    struct buf row;

    info.size = body.len;
    info.body.kind = BODY_SMALL;
    TRY(txn_put_body(txn, SPACE_OBJECTS, key, body, &info.body.place));
    buf_init(&row, LIMIT_ROW_VALUE);
    object_encode(&info, &row);
    const struct err e = txn_put(txn, SPACE_OBJECTS, key, buf_view(&row));
    buf_done(&row);
    return e;
}

static struct err put_part_of(struct txn *txn, struct full *f, uint32_t number)
{
    struct part_row row = { .size = 1000, .body.kind = BODY_SMALL };
    const struct uid upload = { { 1 } };
    uint8_t key[PART_KEY_BYTES];

    TRY(txn_put_body(txn, SPACE_PARTS, part_row_key(upload, number, key), test_body(f->arena, number, 1000),
                     &row.body.place));
    return part_row_put(txn, upload, number, &row);
}

static struct err put_garbage_of(struct txn *txn, struct full *f)
{
    struct garbage map = { .kind = GARBAGE_PART_MAP, .uid = { { 2 } } },
                   none = { .kind = GARBAGE_UPLOAD, .uid = { { 3 } }, .kept = STR("bits") };
    uint8_t key[GARBAGE_KEY_BYTES];

    TRY(txn_put_body(txn, SPACE_GARBAGE, garbage_key(&map, key), test_body(f->arena, 9, 64), &map.map));
    TRY(garbage_put(txn, &map));
    return garbage_put(txn, &none);
}

static bool has_rows_of_its_own(enum space space)
{
    return space == SPACE_OBJECTS || space == SPACE_PARTS || space == SPACE_GARBAGE;
}

/* Rows that look like nothing, in all spaces whose rows are not decoded by a move: values that both column types take. */
static struct err put_plain(struct txn *txn)
{
    static const enum space spaces[] = {
#define SPACE(name, id, what) SPACE_##name,
#include "storage/meta/spaces.def"
#undef SPACE
    };
    char key[KEY_LONG];

    for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
        if (has_rows_of_its_own(spaces[i])) continue;
        memset(key, 0xff, sizeof(key));
        TRY(txn_put(txn, spaces[i], str_of(key, sizeof(key)), STR("{\"a\": \"\\u0000 z\",  \"a\":1}")));
        key[0] = 0;
        TRY(txn_put(txn, spaces[i], str_of(key, 1), STR("{}")));
    }
    return OK;
}

static struct err fill_fn(struct txn *txn, void *arg)
{
    struct full *f = arg;
    char key[KEY_LONG];

    f->next = 0;
    arena_reset(f->arena);
    memset(key, 'k', sizeof(key));
    for (size_t i = 0; i < BODY_SIZES; i++, f->next++) {
        key[KEY_LONG - 1] = (char)i;
        TRY(put_object_of(txn, f, str_of(key, i % 2 ? sizeof(key) : 9 + i)));
    }
    for (uint32_t n = 1; n <= 3; n++) TRY(put_part_of(txn, f, n));
    TRY(put_garbage_of(txn, f));
    return put_plain(txn);
}

static struct err many_fn(struct txn *txn, void *arg)
{
    const uint32_t *from = arg;
    char key[16];

    for (uint32_t i = 0; i < 700; i++) {
        (void)snprintf(key, sizeof(key), "many-%08u", *from + i);
        TRY(txn_put(txn, SPACE_LOCATIONS, str_from_z(key), STR("who")));
    }
    return OK;
}

/* The arena outlives the transaction: bodies are the caller's until done. */
static void fill(const struct road *r)
{
    struct full f = { .arena = arena_new(16 * MIB) };
    struct shelf s;

    shelf_start(&s, r->dir); /* its volumes/STORE, and an empty store */
    shelf_close(&s);
    struct meta *m = rows_of(r, false);
    CHECK_OK(meta_run(m, fill_fn, &f));
    for (uint32_t from = 0; from < 2100; from += 700) CHECK_OK(meta_run(m, many_fn, &from));
    meta_close(m);
    arena_free(f.arena);
}

TEST(every_space_and_every_length_of_body_moves_both_ways)
{
    const struct road r = road_to("data", test_schema());
    struct move_result to, from;

    log_set_level(LOG_LEVEL_ERROR);
    fill(&r);
    const struct move_tally before = tally_of(&r, false);
    for (size_t i = 0; i < MOVE_SPACE_COUNT; i++) CHECK(before.spaces[i].rows >= 2);
    CHECK_U64(before.spaces[MOVE_SPACE_OBJECTS].bodies, BODY_SIZES);
    CHECK_U64(before.spaces[MOVE_SPACE_PARTS].bodies, 3);
    CHECK_U64(before.spaces[MOVE_SPACE_GARBAGE].bodies, 1);
    CHECK_OK(go(&r, true, &to));
    CHECK_OK(move_compare(&before, &to.tally));
    CHECK_OK(go(&r, false, &from));
    const struct move_tally after = tally_of(&r, false);
    CHECK_OK(move_compare(&before, &after));
}

/* ---- numbers ---- */

static struct err number_fn(struct txn *txn, void *arg)
{
    *(uint64_t *)arg = txn_number(txn);
    return txn_put(txn, SPACE_EPOCHS, STR("number"), STR("x"));
}

static uint64_t number_at(const struct road *r, bool is_in_postgresql)
{
    const struct store_place where = place_at(r, is_in_postgresql);
    struct offline o;
    uint64_t number = 0;

    CHECK_OK(offline_open(&where, &o));
    CHECK_OK(meta_run(o.store.meta, number_fn, &number));
    offline_close(&o);
    return number;
}

TEST(numbers_of_transactions_go_on_growing_through_moves)
{
    const struct road r = shelf_road("data");
    uint64_t last = number_at(&r, false);

    for (int i = 0; i < 3; i++) {
        const bool is_in_postgresql = i % 2 == 0;
        CHECK_OK(go_quietly(&r, is_in_postgresql));
        const uint64_t now = number_at(&r, is_in_postgresql);
        CHECK(now > last);
        last = now;
    }
}

TEST(space_that_was_freed_before_a_move_is_given_back_after_it)
{
    for (int is_to_postgresql = 0; is_to_postgresql < 2; is_to_postgresql++) {
        const struct road r = shelf_road(is_to_postgresql ? "there" : "and-back");
        struct offline o;
        uint64_t bytes = 0;

        CHECK_OK(go_quietly(&r, true));
        if (!is_to_postgresql) CHECK_OK(go_quietly(&r, false));
        const struct store_place where = place_at(&r, is_to_postgresql);
        CHECK_OK(offline_open(&where, &o));
        CHECK_OK(meta_checkpoint(o.store.meta));
        CHECK_OK(blob_reclaim(o.store.blobs, &bytes));
        CHECK(bytes >= SHELF_BIG);
        offline_close(&o);
        check_whole(&r, is_to_postgresql);
    }
}

/* ---- what is refused ---- */

TEST(a_schema_that_holds_a_store_is_refused_and_left_as_it_is)
{
    const struct road a = shelf_road("a"), b = shelf_road_in("b", a.schema);

    CHECK_OK(go_quietly(&a, true));
    CHECK_ERR(go_quietly(&b, true), ERR_EXISTS);
    check_whole(&a, true);
    check_whole(&b, false);
    CHECK_ERR(go_quietly(&b, false), ERR_EXISTS); /* b has rows of its own */
    CHECK_OK(go_quietly(&a, false));
    CHECK_ERR(go_quietly(&b, true), ERR_EXISTS); /* what is left there is another store's */
    check_whole(&b, false);
}

TEST(rows_do_not_move_to_the_volumes_of_another_store)
{
    const struct road a = shelf_road("a"), b = shelf_road("b"), mixed = road_to("b", a.schema);

    CHECK_OK(go_quietly(&a, true));
    CHECK_OK(go_quietly(&b, true));
    CHECK_ERR(go_quietly(&mixed, false), ERR_INVALID);
    CHECK_OK(go_quietly(&a, false));
}

TEST(a_store_in_use_and_one_that_is_not_there_are_refused)
{
    const struct road r = road_to("data", test_schema());
    const struct road none = road_to("none", test_schema()), other = road_to("data", none.schema);
    struct shelf s;

    shelf_open(&s, "data");
    CHECK_ERR(go_quietly(&r, true), ERR_BUSY);
    CHECK_ERR(go_quietly(&none, true), ERR_NOT_FOUND);
    shelf_stop(&s);
    CHECK_ERR(go_quietly(&none, false), ERR_NOT_FOUND);
    CHECK_ERR(go_quietly(&other, false), ERR_NOT_FOUND);
    CHECK_OK(go_quietly(&r, true));
    shelf_close(&s);
}

TEST(a_body_that_is_damaged_is_not_moved)
{
    const struct road r = shelf_road("data");
    char sql[200], out[64];

    CHECK_OK(go_quietly(&r, true));
    (void)snprintf(sql, sizeof(sql), "update %s.small_bodies set bytes = 'rot'", r.schema);
    test_postgresql_sql(test_postgresql(), sql, out, sizeof(out));
    CHECK_ERR(go_quietly(&r, false), ERR_CORRUPT);
    check_refused(&r, false);
}

TEST(a_dry_run_counts_and_changes_nothing)
{
    const struct road r = shelf_road("data");
    const struct move_options o = {
        .place = { .dir = r.dir, .store = "postgresql://nobody@127.0.0.1:1/none", .schema = r.schema },
        .is_to_postgresql = true,
        .is_dry_run = true,
    };
    struct move_result result;
    const struct move_tally before = tally_of(&r, false);

    CHECK_OK(store_move(&o, &result));
    CHECK_OK(move_compare(&before, &result.tally));
    check_whole(&r, false);
}

/* ---- cut off ---- */

static void check_holds(const struct road *r, bool is_in_postgresql, const struct move_tally *want)
{
    const struct move_tally now = tally_of(r, is_in_postgresql);

    CHECK(opens(r, is_in_postgresql));
    CHECK_OK(move_compare(want, &now));
}

/* After a failure the source is whole, or it was retired, and the next try only ends what is left. If the last flush of all failed, that may be there all the same, and nothing is left. Both never open. */
static void check_after_failure(const struct road *r, bool is_to_postgresql, const struct move_tally *before)
{
    const bool has_source = opens(r, !is_to_postgresql);
    struct move_result result;

    if (opens(r, is_to_postgresql)) {
        CHECK(!has_source);
        CHECK_ERR(go(r, is_to_postgresql, &result), ERR_INVALID);
    } else {
        if (has_source) check_holds(r, !is_to_postgresql, before);
        CHECK_OK(go(r, is_to_postgresql, &result));
        CHECK(result.is_end_only == !has_source);
    }
    check_refused(r, !is_to_postgresql);
    check_holds(r, is_to_postgresql, before);
}

static void copy_tree(const char *from, const char *to)
{
    char command[1000];

    (void)snprintf(command, sizeof(command), "rm -rf '%s' && cp -a '%s' '%s'", to, from, to);
    CHECK(system(command) == 0); /* NOLINT(cert-env33-c): paths of the test's own */
}

typedef void arm_fn(uint64_t nth);
typedef bool disarm_fn(void);

static void arm_files(uint64_t nth)
{
    fault_arm(FAULT_WRITE | FAULT_SYNC | FAULT_SPACE | FAULT_NAME, nth, ENOSPC);
}

static void arm_stop(uint64_t nth)
{
    fault_arm_stop(nth);
}

static void arm_connection_before(uint64_t nth)
{
    pg_fault_arm(nth, PG_FAULT_BEFORE);
}

static void arm_connection_after(uint64_t nth)
{
    pg_fault_arm(nth, PG_FAULT_AFTER);
}

/* The schema as it was before a move out of it. */
static void unmark(const struct road *r)
{
    char sql[200], out[64];

    (void)snprintf(sql, sizeof(sql), "delete from %s.rows_system where key = 'store-move'", r->schema);
    test_postgresql_sql(test_postgresql(), sql, out, sizeof(out));
}

/* A move under each failure, `step` apart, until none strikes. A failure may be got over, as by a new connection: then the move is whole. */
static void sweep(bool is_to_postgresql, arm_fn *arm, disarm_fn *disarm, uint64_t step)
{
    const struct road r = shelf_road("source");
    bool struck = true;

    if (!is_to_postgresql) CHECK_OK(go_quietly(&r, true));
    const struct move_tally before = tally_of(&r, !is_to_postgresql);
    for (uint64_t n = 0; struck; n += step) {
        char schema[64];
        (void)snprintf(schema, sizeof(schema), "%.40s_%llu", r.schema, (unsigned long long)n);
        const struct road copy = road_to("copy", is_to_postgresql ? schema : r.schema);
        copy_tree(r.dir, copy.dir);
        arm(n);
        const struct err e = go_quietly(&copy, is_to_postgresql);
        struck = disarm();
        if (!struck) CHECK_OK(e);
        if (e.code) check_after_failure(&copy, is_to_postgresql, &before);
        else check_whole(&copy, is_to_postgresql);
        if (!is_to_postgresql) unmark(&r);
    }
}

TEST(a_move_to_postgresql_survives_failing_calls)
{
    sweep(true, arm_files, fault_disarm, 5);
}

TEST(a_move_to_postgresql_survives_stops)
{
    sweep(true, arm_stop, fault_disarm, 13);
}

TEST(a_move_to_postgresql_survives_lost_connections)
{
    sweep(true, arm_connection_before, pg_fault_disarm, 17);
}

TEST(a_move_to_postgresql_survives_lost_answers)
{
    sweep(true, arm_connection_after, pg_fault_disarm, 11);
}

TEST(a_move_to_a_directory_survives_failing_calls)
{
    sweep(false, arm_files, fault_disarm, 29);
}

TEST(a_move_to_a_directory_survives_stops)
{
    sweep(false, arm_stop, fault_disarm, 53);
}

TEST(a_move_to_a_directory_survives_lost_connections)
{
    sweep(false, arm_connection_before, pg_fault_disarm, 17);
}

TEST(a_move_to_a_directory_survives_lost_answers)
{
    sweep(false, arm_connection_after, pg_fault_disarm, 11);
}
