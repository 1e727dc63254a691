/*
 * pg_body.c - small bodies: rows of the table small_bodies.
 *
 * A place holds the id in its offset (the transaction's number times 1,024, plus the body's place among those of its transaction), and segment id 1. A dropped body is marked with the number of the
 * transaction that dropped it, and deleted later by the writer (pg_sweep), when no view can see the row that referred to it and nobody has it pinned. The order matters, as for
 * volumes: first the views, then the pins, since a reader pins while its view is open.
 *
 * Pins are counted here, in chains by id: they are few, and they end with the process. Servers that share do not know each other's: to them a pin is like a view that stays open, and only the one that leads
 * clears away.
 */
#include <assert.h>
#include <stdlib.h>

#include "storage/base/digest.h"
#include "storage/base/encode.h"
#include "storage/meta/pg_engine.h"

#define SEGMENT_ID 1
#define BODIES_OF_TXN 1024 /* more than LIMIT_TXN_ROWS */
#define SWEEP_IDS 1000

_Static_assert(LIMIT_TXN_ROWS < BODIES_OF_TXN, "each body of a transaction has an id");

/* ---- in a transaction ---- */

static struct err body_note(struct pg_bodies *l, struct pg_body b)
{
    if (l->count == l->size) {
        const size_t size = l->size ? 2 * l->size : 64;
        struct pg_body *items = realloc(l->items, size * sizeof(*items));
        if (!items) return FAIL(ERR_NO_MEMORY, "no memory for a body");
        l->items = items;
        l->size = size;
    }
    l->items[l->count++] = b;
    l->bytes += b.bytes.len;
    return OK;
}

struct err pg_put_body(struct txn *txn, enum space space, struct str key, struct str body, struct place *ret)
{
    struct pg_txn *t = (struct pg_txn *)txn; /* its first member */
    struct pg_engine *m = t->engine;
    const struct place p = {
        .offset = txn->number * BODIES_OF_TXN + t->puts,
        .segment_id = SEGMENT_ID,
        .length = (uint32_t)body.len,
        .crc32c = m->reader.is_probing ? 0 : crc32c(0, body.data, body.len),
    };

    (void)space, (void)key; /* a row's key finds its body, never the other way round */
    t->puts++;
    if (!m->reader.is_probing)
        TRY(body_note(&m->bodies, (struct pg_body){ .id = p.offset, .bytes = body, .number = txn->number }));
    *ret = p;
    return OK;
}

struct err pg_drop_body(struct txn *txn, struct place p)
{
    struct pg_engine *m = ((struct pg_txn *)txn)->engine;

    if (m->reader.is_probing) return OK;
    return body_note(&m->bodies, (struct pg_body){ .id = p.offset, .is_drop = true, .number = txn->number });
}

/* ---- pins ---- */

static struct pg_pin **pin_find_locked(struct pg_engine *m, uint64_t id)
{
    struct pg_pin **at = &m->pins[id % PG_PIN_BUCKETS];

    assert(mutex_is_held(&m->views_lock));
    while (*at && (*at)->id != id) at = &(*at)->next;
    return at;
}

/* Without memory for the pin it would be unsafe to go on. */
void pg_pin(struct meta *meta, struct place p)
{
    struct pg_engine *m = pg_engine_of(meta);

    mutex_lock(&m->views_lock);
    struct pg_pin **at = pin_find_locked(m, p.offset);
    if (!*at) {
        struct pg_pin *pin = calloc(1, sizeof(*pin));
        if (!pin) abort();
        pin->id = p.offset;
        pin->number = m->view_oldest ? m->view_oldest->number : atomic_load(&m->published);
        *at = pin;
    }
    (*at)->count++;
    mutex_unlock(&m->views_lock);
}

void pg_unpin(struct meta *meta, struct place p)
{
    struct pg_engine *m = pg_engine_of(meta);

    mutex_lock(&m->views_lock);
    struct pg_pin **at = pin_find_locked(m, p.offset), *pin = *at;
    assert(pin);
    if (--pin->count == 0) {
        *at = pin->next;
        free(pin);
    }
    mutex_unlock(&m->views_lock);
}

static bool is_pinned(struct pg_engine *m, uint64_t id)
{
    mutex_lock(&m->views_lock);
    const bool is = *pin_find_locked(m, id) != NULL;
    mutex_unlock(&m->views_lock);
    return is;
}

uint64_t pg_pinned_since(struct pg_engine *m, uint64_t number)
{
    mutex_lock(&m->views_lock);
    for (size_t i = 0; i < PG_PIN_BUCKETS; i++) {
        for (const struct pg_pin *pin = m->pins[i]; pin; pin = pin->next) {
            if (pin->number < number) number = pin->number;
        }
    }
    mutex_unlock(&m->views_lock);
    return number;
}

void pg_pins_free(struct pg_engine *m)
{
    for (size_t i = 0; i < PG_PIN_BUCKETS; i++) {
        while (m->pins[i]) {
            struct pg_pin *pin = m->pins[i];
            m->pins[i] = pin->next;
            free(pin);
        }
    }
}

/* ---- clearing away ---- */

static struct err sweep(struct pg_engine *m, struct pg_array *ids, bool *ret_more)
{
    uint8_t safe[8];
    struct str param = str_of(safe, sizeof(safe));
    struct pg_answer *a;
    uint64_t others;

    put_be64(safe, pg_viewed_by_all(m));
    TRY(pg_run(m->session.pg,
               &(struct pg_query){
                   .number = PG_S_SWEEP,
                   .sql = "select id, dropped <= $1::bigint from small_bodies where dropped is not null "
                          "order by dropped limit 1000",
                   .params = &param,
                   .count = 1 },
               1, &a));
    const size_t rows = pg_answer_rows(a);
    for (size_t i = 0; i < rows; i++) {
        const uint64_t id = get_be64(pg_answer_str(a, i, 0).data);
        if (pg_answer_str(a, i, 1).data[0] && !is_pinned(m, id)) pg_array_add_u64(ids, id);
    }
    pg_answer_free(a);
    others = rows - ids->count;
    *ret_more = others || rows == SWEEP_IDS;
    if (!ids->count) return OK;
    param = pg_array_end(ids);
    TRY(buf_err(&ids->bytes));
    return pg_run(m->session.pg,
                  &(struct pg_query){ .number = PG_S_SWEPT,
                                      .sql = "delete from small_bodies where id = any($1::bigint[])",
                                      .params = &param,
                                      .count = 1 },
                  1, NULL);
}

struct err pg_sweep(struct pg_engine *m, bool *ret_more)
{
    struct pg_array ids;

    pg_array_init(&ids, PG_INT8);
    const struct err e = sweep(m, &ids, ret_more);
    pg_array_done(&ids);
    return e;
}
