/*
 * pg_batch.c - one batch: many of our transactions in one of PostgreSQL.
 *
 * Three kinds of round trip, however many transactions there are:
 *   first    BEGIN; raise the batch's number, which gives the xid and asserts the lease; and fetch what all transactions read first
 *   then     fetch what they read next, until they have all
 *   last     all rows, all bodies, COMMIT
 * What a transaction reads is found out by running it (pg_rows.h, probing); its writes are thrown away then. Once everything is known the transactions run in order, each
 * seeing those before it in the batch's overlay, and do not wait for the network at all, but for their scans.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/base/encode.h"
#include "storage/meta/pg_engine.h"

_Static_assert(LIMIT_BATCH_TXNS <= PG_NUMBERS_OF_BATCH, "each transaction of a batch has a number");

/* ---- one transaction ---- */

static struct err txn_run(struct pg_batch *b, const struct meta_work *w)
{
    struct pg_engine *m = b->m;
    struct pg_txn *t = &m->txn;
    const struct rows_sources from = { .active = memtable_working(m->overlay), .remote = &m->reader.rows };

    txn_begin(&t->txn, &from, b->number);
    t->puts = 0;
    const struct err e = w->fn(&t->txn, w->arg);
    return e.code ? e : t->txn.failed;
}

/* Run w for what it reads. True: there was something that is not known yet. */
static bool probe(struct pg_batch *b, const struct meta_work *w)
{
    struct pg_reader *r = &b->m->reader;

    r->has_missed = false;
    r->is_probing = true;
    err_ignore(txn_run(b, w));
    r->is_probing = false;
    return r->has_missed;
}

/* Decide w. An error is PostgreSQL's, or ours: then the batch is spoilt. A refusal is w's outcome. */
static struct err decide(struct pg_batch *b, struct meta_work *w)
{
    struct pg_engine *m = b->m;
    const size_t bodies = m->bodies.count;
    const uint64_t bytes = m->bodies.bytes;
    const struct err e = txn_run(b, w);

    TRY(m->reader.failed);
    if (e.code || txn_is_empty(&m->txn.txn)) {
        m->bodies.count = bodies;
        m->bodies.bytes = bytes;
    } else {
        TRY(memtable_put_all(m->overlay, memtable_working(m->txn.txn.overlay)));
        b->number++;
        b->txns++;
    }
    w->outcome = e.code ? err_keep(e, w->why, sizeof(w->why)) : OK;
    return OK;
}

/* ---- fetching ---- */

/* The batch's number, its mark, and its place among the batches of all: pg_session.c, pg_shared.c. */
static const char number_alone[] =
    "update lease set batch = batch + 1 where holder = $1::text returning batch, pg_current_xact_id()::text";
static const char number_shared[] =
    "with taken as (update lease set batch = batch + 1 where holder = '" PG_SHARED_HOLDER
    "' returning batch) "
    "update server set batch = taken.batch from taken where server.holder = $1::text "
    "returning server.batch, pg_current_xact_id()::text";

static struct err batch_begin(struct pg_batch *b)
{
    struct pg_engine *m = b->m;
    const struct str holder = str_from_z(m->session.holder);
    const struct pg_query before[] = {
        { .number = PG_S_BEGIN,
          .sql = m->is_shared ? "begin isolation level read committed"
                              : "begin isolation level serializable" },
        { .number = PG_S_LEASE,
          .sql = m->is_shared ? number_shared : number_alone,
          .params = &holder,
          .count = 1 },
    };
    struct pg_answer *answers[2];

    TRY(pg_reader_fetch_wanted(&m->reader, before, 2, answers));
    const bool is_ours = pg_answer_rows(answers[1]) == 1;
    if (is_ours) {
        b->batch = get_be64(pg_answer_str(answers[1], 0, 0).data);
        (void)snprintf(b->xid, sizeof(b->xid), "%.*s", STR_ARG(pg_answer_str(answers[1], 0, 1)));
    }
    pg_answer_free(answers[0]);
    pg_answer_free(answers[1]);
    b->number = b->batch * PG_NUMBERS_OF_BATCH;
    return is_ours ? OK : FAIL(ERR_CLOSED, "another server has the store in PostgreSQL now");
}

/* Begin, and know what the transactions read. */
static struct err batch_fetch(struct pg_batch *b)
{
    struct pg_reader *r = &b->m->reader;
    bool has_missed[PG_NUMBERS_OF_BATCH];

    memset(has_missed, true, sizeof(has_missed));
    for (int round = 0; round < LIMIT_PG_PROBES; round++) {
        size_t i = 0;
        for (const struct meta_work *w = b->works.first; w; w = w->next, i++) {
            if (has_missed[i]) has_missed[i] = probe(b, w);
        }
        TRY(r->failed);
        if (round && !memtable_rows(r->wanted)) return OK;
        TRY(round ? pg_reader_fetch_wanted(r, NULL, 0, NULL) : batch_begin(b));
    }
    return OK;
}

/* ---- writing ---- */

/* The rows of a batch as statements: for each space one that puts, one that deletes. */
struct write {
    struct pg_array keys, values;
    struct str params[2];
    char sql[256];
};

struct writes {
    struct write items[PG_RUN_MAX];
    struct pg_query queries[PG_RUN_MAX];
    size_t count;
};

static struct write *write_new(struct writes *ws, enum pg_type keys, enum pg_type values)
{
    assert(ws->count < PG_RUN_MAX - 1); /* and the COMMIT */
    struct write *w = &ws->items[ws->count++];
    pg_array_init(&w->keys, keys);
    pg_array_init(&w->values, values);
    return w;
}

static void write_end(struct writes *ws, struct write *w, unsigned number, size_t params)
{
    w->params[0] = pg_array_end(&w->keys);
    w->params[1] = pg_array_end(&w->values);
    ws->queries[w - ws->items] = (struct pg_query){
        .number = number, .sql = w->sql, .params = w->params, .count = params
    };
}

/* The rows of one space that are put, or those that are deleted. */
static void space_write(struct writes *ws, struct memtable_tree rows, enum space space, bool deletes)
{
    const bool is_json = pg_is_json(space);
    struct write *w = NULL;
    struct memtable_cursor c;
    struct memtable_row row;

    for (bool more = memtable_seek(&c, rows, (uint8_t)space, STR_NONE, false); more;
         more = memtable_next(&c)) {
        memtable_at(&c, &row);
        if (row.space != (uint8_t)space) break;
        if (row.is_deleted != deletes) continue;
        if (!w) w = write_new(ws, PG_BYTEA, is_json ? PG_JSON : PG_BYTEA);
        pg_array_add(&w->keys, row.key);
        if (!deletes) pg_array_add(&w->values, row.value);
    }
    if (!w) return;
    if (deletes) {
        (void)snprintf(w->sql, sizeof(w->sql), "delete from %s where key = any($1::bytea[])",
                       pg_table(space));
        write_end(ws, w, PG_NUMBER(PG_DELETE, space), 1);
        return;
    }
    (void)snprintf(w->sql, sizeof(w->sql),
                   "insert into %s (key, value) select * from unnest($1::bytea[], $2::%s[]) "
                   "on conflict (key) do update set value = excluded.value",
                   pg_table(space), is_json ? "json" : "bytea");
    write_end(ws, w, PG_NUMBER(PG_PUT, space), 2);
}

static void bodies_write(struct writes *ws, const struct pg_bodies *bodies, bool drops)
{
    struct write *w = NULL;

    for (size_t i = 0; i < bodies->count; i++) {
        const struct pg_body *body = &bodies->items[i];
        if (body->is_drop != drops) continue;
        if (!w) w = write_new(ws, PG_INT8, drops ? PG_INT8 : PG_BYTEA);
        pg_array_add_u64(&w->keys, body->id);
        if (drops) pg_array_add_u64(&w->values, body->number);
        else pg_array_add(&w->values, body->bytes);
    }
    if (!w) return;
    (void)snprintf(
        w->sql, sizeof(w->sql), "%s",
        drops ? "update small_bodies set dropped = d.number from unnest($1::bigint[], $2::bigint[]) "
                "as d (id, number) where small_bodies.id = d.id"
              : "insert into small_bodies (id, bytes) select * from unnest($1::bigint[], $2::bytea[])");
    write_end(ws, w, drops ? PG_S_DROP : PG_S_BODY, 2);
}

static void writes_make(struct pg_engine *m, struct writes *ws)
{
    const struct memtable_tree rows = memtable_working(m->overlay);
    struct memtable_cursor c;
    struct memtable_row row;

    ws->count = 0;
    for (unsigned space = 0; memtable_seek(&c, rows, (uint8_t)space, STR_NONE, false); space++) {
        memtable_at(&c, &row);
        space = row.space;
        space_write(ws, rows, space, false);
        space_write(ws, rows, space, true);
        if (space == LMDB_SPACE_MAX) break;
    }
    bodies_write(ws, &m->bodies, false);
    bodies_write(ws, &m->bodies, true);
}

static struct err writes_run(struct pg_engine *m, struct writes *ws)
{
    struct pg_answer *answers[PG_RUN_MAX];
    const size_t count = ws->count + 1;

    for (size_t i = 0; i < ws->count; i++) {
        TRY(buf_err(&ws->items[i].keys.bytes));
        TRY(buf_err(&ws->items[i].values.bytes));
    }
    ws->queries[ws->count] = (struct pg_query){ .number = PG_S_COMMIT, .sql = "commit" };
    TRY(pg_run(m->session.pg, ws->queries, count, answers));
    const bool is_committed = pg_answer_is(answers[count - 1], "COMMIT");
    for (size_t i = 0; i < count; i++) pg_answer_free(answers[i]);
    return is_committed ? OK : FAIL(ERR_IO, "PostgreSQL rolled a transaction back");
}

static struct err batch_write(struct pg_engine *m)
{
    struct writes *ws = malloc(sizeof(*ws));
    if (!ws) return FAIL(ERR_NO_MEMORY, "no memory to write a batch");

    writes_make(m, ws);
    const struct err e = writes_run(m, ws);
    for (size_t i = 0; i < ws->count; i++) {
        pg_array_done(&ws->items[i].keys);
        pg_array_done(&ws->items[i].values);
    }
    free(ws);
    return e;
}

/* ---- the whole ---- */

static bool is_full(const struct pg_engine *m)
{
    return memtable_bytes(m->overlay) + m->bodies.bytes >= LIMIT_BATCH_BYTES;
}

static struct err batch_decide(struct pg_batch *b)
{
    struct pg_engine *m = b->m;

    memtable_clear(m->overlay);
    m->bodies.count = 0;
    m->bodies.bytes = 0;
    b->decided = b->txns = 0;
    for (struct meta_work *w = b->works.first; w && !is_full(m); w = w->next) {
        TRY(decide(b, w));
        b->decided++;
    }
    return OK;
}

static enum pg_verdict verdict_of(const struct pg_engine *m, bool is_committing)
{
    if (pg_is_lost(m->session.pg)) return is_committing ? PG_IN_DOUBT : PG_LOST;
    pg_post(m->session.pg, "rollback");
    return pg_must_retry(m->session.pg) ? PG_CONFLICT : PG_FAILED;
}

enum pg_verdict pg_batch_try(struct pg_batch *b, struct err *ret_e)
{
    struct pg_engine *m = b->m;

    memtable_clear(m->overlay);
    pg_reader_begin(&m->reader, m->session.pg);
    struct err e = batch_fetch(b);
    if (!e.code) e = batch_decide(b);
    if (e.code || !b->txns) {
        *ret_e = e;
        if (e.code) return verdict_of(m, false);
        pg_post(m->session.pg, "rollback"); /* refusals, and those that wrote nothing */
        return PG_COMMITTED;
    }
    *ret_e = e = batch_write(m);
    return e.code ? verdict_of(m, true) : PG_COMMITTED;
}

/* ---- memory ---- */

static struct err pg_prefetch(struct txn *txn, enum space space, const struct str *keys, size_t count)
{
    struct pg_reader *r = &((struct pg_txn *)txn)->engine->reader;

    for (size_t i = 0; i < count; i++) TRY(pg_reader_want(r, space, keys[i]));
    if (!r->is_probing) return pg_reader_fetch_wanted(r, NULL, 0, NULL);
    r->has_missed |= memtable_rows(r->wanted) > 0;
    return OK;
}

struct err pg_batch_init(struct pg_engine *m)
{
    static const struct txn_ops ops = { .prefetch = pg_prefetch,
                                        .put_body = pg_put_body,
                                        .drop_body = pg_drop_body };

    m->txn.engine = m;
    m->overlay = memtable_new();
    if (!m->overlay) return FAIL(ERR_NO_MEMORY, "no memory to open the store");
    TRY(pg_reader_init(&m->reader));
    return txn_init(&m->txn.txn, &ops, LIMIT_JOURNAL_BODY);
}

void pg_batch_done(struct pg_engine *m)
{
    txn_done(&m->txn.txn);
    pg_reader_done(&m->reader);
    m->overlay = memtable_free(m->overlay);
    free(m->bodies.items);
}
