/*
 * audit_read.c - pages of the audit log, newest first, and what goes when it is old or too much.
 */
#include <string.h>

#include "admin/iam/audit_log.h"
#include "catalog/commit/entity.h"
#include "storage/base/clock.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/metrics.h"
#include "storage/base/thread.h"

enum { KEY_BYTES = 24 };

/* ---- pages ---- */

/* A scan goes back from here: the token is the key of the last row that the page before visited. */
static struct err start_of(const struct audit_query *q, uint8_t out[KEY_BYTES], struct str *ret)
{
    if (q->token.len) {
        if (q->token.len != 2 * KEY_BYTES || !hex_from(q->token, out, KEY_BYTES))
            return FAIL(ERR_INVALID, "pageToken is none that was given");
        *ret = str_of(out, KEY_BYTES);
        return OK;
    }
    memset(out, 0, KEY_BYTES);
    put_be64(out, (uint64_t)q->to_ms);
    *ret = str_of(out, KEY_BYTES);
    return OK;
}

static bool is_wanted(const struct audit_query *q, const json_t *row)
{
    const struct {
        const char *field;
        struct str wanted;
    } exact[] = { { "principal", q->principal },
                  { "operation", q->operation },
                  { "outcome", q->outcome },
                  { "catalog", q->catalog } };

    for (size_t i = 0; i < sizeof(exact) / sizeof(exact[0]); i++) {
        if (exact[i].wanted.len && !str_eq(json_str(json_object_get(row, exact[i].field)), exact[i].wanted))
            return false;
    }
    return str_starts(json_str(json_object_get(row, "object")), q->object);
}

static struct err take(const struct audit_query *q, struct str value, json_t *events)
{
    CLEANUP(json_freep) json_t *row = NULL;

    TRY(entity_parse(value, &row));
    if (!is_wanted(q, row)) return OK;
    return json_array_append(events, row) == 0 ? OK : no_memory();
}

/* The last key that was visited stays in `last`; *ret_end: there is nothing before it. */
static struct err scan_back(struct rows *view, const struct audit_query *q, struct str from, json_t *events,
                            uint8_t last[KEY_BYTES], bool *ret_end)
{
    struct rows_scan scan;
    struct str key, value;
    struct err e = OK;
    size_t visited = 0;

    *ret_end = false;
    rows_scan_begin(&scan, view, SPACE_AUDIT, from, true);
    while (e.code == ERR_OK && visited++ < LIMIT_SCAN_ROWS && json_array_size(events) < q->size) {
        *ret_end = !rows_scan_next(&scan, &key, &value) || key.len != KEY_BYTES
            || get_be64(key.data) < (uint64_t)q->from_ms;
        if (*ret_end) break;
        memcpy(last, key.data, KEY_BYTES);
        e = take(q, value, events);
    }
    if (e.code == ERR_OK) e = scan.err;
    rows_scan_done(&scan);
    return e;
}

struct err audit_read(struct store *s, const struct audit_query *q, struct arena *arena, json_t **ret_events,
                      struct str *ret_token)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    CLEANUP(json_freep) json_t *events = json_array();
    uint8_t first[KEY_BYTES], last[KEY_BYTES] = { 0 };
    char *token = arena_alloc(arena, 2 * KEY_BYTES + 1);
    struct str from;
    bool is_end;

    if (!events || !token) return no_memory();
    TRY(start_of(q, first, &from));
    TRY(view_open(s->meta, &view));
    TRY(scan_back(view, q, from, events, last, &is_end));
    hex_z(last, KEY_BYTES, token);
    *ret_token = is_end ? STR("") : str_of(token, 2 * KEY_BYTES);
    *ret_events = json_incref(events);
    return OK;
}

/* ---- retention ---- */

enum { SWEEP_ROWS = 500 };

/* Some more rows of all, added up. */
static struct err count_some(struct store *s, struct audit_sweep *sweep)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct rows_scan scan;
    struct str key, value;
    size_t visited = 0;

    TRY(view_open(s->meta, &view));
    const struct str from = sweep->has_key ? str_of(sweep->key, KEY_BYTES) : STR_NONE;
    rows_scan_begin(&scan, view, SPACE_AUDIT, from, false);
    sweep->is_counted = true;
    while (rows_scan_next(&scan, &key, &value)) {
        if (key.len != KEY_BYTES || (sweep->has_key && memcmp(key.data, sweep->key, KEY_BYTES) == 0))
            continue;
        sweep->is_counted = visited++ < LIMIT_SCAN_ROWS;
        if (!sweep->is_counted) break;
        memcpy(sweep->key, key.data, KEY_BYTES);
        sweep->has_key = true;
        sweep->bytes += key.len + value.len;
    }
    const struct err e = scan.err;
    rows_scan_done(&scan);
    return e;
}

struct deletion {
    const struct audit_retention *rule;
    int64_t oldest_ms; /* rows before go */
    uint64_t bytes;    /* of all rows */
    uint8_t keys[SWEEP_ROWS][KEY_BYTES];
    size_t count;
    uint64_t freed; /* out */
};

/* The oldest first, as many as are too old or too much. */
static struct err delete_fn(struct txn *txn, void *arg)
{
    struct deletion *d = arg;
    struct rows_scan scan;
    struct str key, value;

    d->count = 0;
    d->freed = 0;
    rows_scan_begin(&scan, txn_rows(txn), SPACE_AUDIT, STR_NONE, false);
    while (d->count < SWEEP_ROWS && rows_scan_next(&scan, &key, &value) && key.len == KEY_BYTES) {
        const bool is_old = (int64_t)get_be64(key.data) < d->oldest_ms;
        const bool is_much = d->rule->bytes_max && d->bytes > d->freed
            && d->bytes - d->freed > d->rule->bytes_max;
        if (!is_old && !is_much) break;
        memcpy(d->keys[d->count++], key.data, KEY_BYTES);
        d->freed += key.len + value.len;
    }
    const struct err e = scan.err;
    rows_scan_done(&scan);
    TRY(e);
    for (size_t i = 0; i < d->count; i++) TRY(txn_del(txn, SPACE_AUDIT, str_of(d->keys[i], KEY_BYTES)));
    return OK;
}

struct err audit_sweep_step(struct store *s, struct audit_sweep *sweep, const struct audit_retention *r,
                            bool *ret_more)
{
    struct deletion d = { .rule = r, .oldest_ms = r->age_ms ? clock_now_ms() - r->age_ms : INT64_MIN };

    *ret_more = true;
    if (!sweep->is_counted) return count_some(s, sweep);
    d.bytes = sweep->bytes;
    TRY(meta_run_freeing(s->meta, delete_fn, &d));
    sweep->bytes -= d.freed < sweep->bytes ? d.freed : sweep->bytes;
    METRIC_ADD(audit_rows_deleted, d.count);
    *ret_more = d.count == SWEEP_ROWS;
    if (!*ret_more) *sweep = (struct audit_sweep){ .bytes = 0 };
    return OK;
}
