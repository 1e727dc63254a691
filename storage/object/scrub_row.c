/*
 * scrub_row.c - rows of a scrub: JSON, with keys of rows in hex.
 */
#include "storage/object/scrub_row.h"

#include <string.h>

#include "storage/base/encode.h"
#include "storage/base/json.h"
#include "storage/base/thread.h"

#define STATE_KEY STR("scrub")
#define FOUND_PREFIX "damaged/"
#define FOUND_OBJECT FOUND_PREFIX "o"
#define FOUND_PART FOUND_PREFIX "p"
#define FOUND_PREFIX_BYTES (sizeof(FOUND_OBJECT) - 1)
#define CLEAR_SLICE 500 /* rows of one transaction, which may have LIMIT_TXN_ROWS */

_Static_assert(FOUND_PREFIX_BYTES + OBJECT_ROW_KEY_SIZE <= LIMIT_ROW_KEY,
               "a prefix and an object's key are a key");

static json_t *json_hex(const void *bytes, size_t len)
{
    char text[2 * LIMIT_ROW_KEY + 1];

    hex_z(bytes, len, text);
    return json_string(text);
}

static struct err put_json(struct txn *txn, struct str key, const json_t *json)
{
    struct buf text;

    if (!json) return no_memory();
    buf_init(&text, LIMIT_ROW_VALUE);
    struct err e = json_print(json, &text);
    if (!e.code) e = txn_put(txn, SPACE_SYSTEM, key, buf_view(&text));
    buf_done(&text);
    return e;
}

/* ---- the state ---- */

struct err scrub_state_put(struct txn *txn, const struct scrub_state *s)
{
    const struct scrub_place *p = &s->place;
    CLEANUP(json_freep)
    json_t *json = json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:b, s:o, s:o, s:I}", "running", s->is_running,
                             "pass", (json_int_t)s->pass, "began", (json_int_t)s->began_ms, "ended",
                             (json_int_t)s->ended_ms, "objects", (json_int_t)s->objects, "bytes",
                             (json_int_t)s->bytes, "in-parts", p->is_in_parts, "at",
                             json_hex(p->key, p->key_len), "uid",
                             json_hex(p->uid.bytes, sizeof(p->uid.bytes)), "offset", (json_int_t)p->offset);

    return put_json(txn, STATE_KEY, json);
}

static struct err need_u64(const json_t *json, const char *field, uint64_t *ret)
{
    int64_t n;

    TRY(json_need_i64(json, field, &n));
    *ret = (uint64_t)n;
    return n < 0 ? err_fail(ERR_INVALID, "field '%s' is negative", field) : OK;
}

static struct err place_parse(const json_t *json, struct scrub_place *ret)
{
    struct str at, uid;

    TRY(json_need_bool(json, "in-parts", &ret->is_in_parts));
    TRY(json_need_str(json, "at", &at));
    TRY(json_need_str(json, "uid", &uid));
    TRY(need_u64(json, "offset", &ret->offset));
    ret->key_len = at.len / 2;
    if (ret->key_len > sizeof(ret->key) || !hex_from(at, ret->key, ret->key_len)
        || !hex_from(uid, ret->uid.bytes, sizeof(ret->uid.bytes)))
        return FAIL(ERR_INVALID, "its place is none");
    return OK;
}

static struct err state_parse(const json_t *json, struct scrub_state *ret)
{
    TRY(json_need_bool(json, "running", &ret->is_running));
    TRY(need_u64(json, "pass", &ret->pass));
    TRY(json_need_i64(json, "began", &ret->began_ms));
    TRY(json_need_i64(json, "ended", &ret->ended_ms));
    TRY(need_u64(json, "objects", &ret->objects));
    TRY(need_u64(json, "bytes", &ret->bytes));
    return place_parse(json, &ret->place);
}

static struct err damaged_row(struct err e)
{
    return e.code == ERR_INVALID ? err_fail(ERR_CORRUPT, "a row of the scrub is damaged: %s", e.why) : e;
}

struct err scrub_state_get(struct rows *r, struct scrub_state *ret)
{
    CLEANUP(json_freep) json_t *json = NULL;
    struct str text;

    TRY(rows_get(r, SPACE_SYSTEM, STATE_KEY, &text));
    struct err e = json_parse(text, &json);
    if (!e.code) e = state_parse(json, ret);
    return damaged_row(e);
}

/* ---- what was found ---- */

static struct str found_key(const struct scrub_found *f, char out[LIMIT_ROW_KEY])
{
    memcpy(out, f->is_part ? FOUND_PART : FOUND_OBJECT, FOUND_PREFIX_BYTES);
    memcpy(out + FOUND_PREFIX_BYTES, f->row_key.data, f->row_key.len);
    return str_of(out, FOUND_PREFIX_BYTES + f->row_key.len);
}

static struct err found_parse(struct str key, const json_t *json, struct scrub_found *ret)
{
    struct str uid;

    ret->is_part = str_starts(key, STR(FOUND_PART));
    ret->row_key = str_from(key, FOUND_PREFIX_BYTES);
    TRY(json_need_str(json, "uid", &uid));
    TRY(need_u64(json, "pass", &ret->pass));
    TRY(json_need_i64(json, "found", &ret->found_ms));
    TRY(json_need_str(json, "what", &ret->what));
    return hex_from(uid, ret->uid.bytes, sizeof(ret->uid.bytes)) ? OK : FAIL(ERR_INVALID, "its uid is none");
}

/* When the same object was found first. */
static struct err found_since(struct rows *r, struct str key, const struct scrub_found *f, int64_t *ret)
{
    CLEANUP(json_freep) json_t *json = NULL;
    struct scrub_found before;
    struct str text;

    *ret = f->found_ms;
    const struct err e = rows_get(r, SPACE_SYSTEM, key, &text);
    if (e.code == ERR_NOT_FOUND) return OK;
    TRY(e);
    if (json_parse(text, &json).code || found_parse(key, json, &before).code)
        return OK; /* it is written anew */
    if (memcmp(before.uid.bytes, f->uid.bytes, sizeof(f->uid.bytes)) == 0) *ret = before.found_ms;
    return OK;
}

struct err scrub_found_put(struct txn *txn, const struct scrub_found *f)
{
    char out[LIMIT_ROW_KEY];
    const struct str key = found_key(f, out);
    int64_t since;

    TRY(found_since(txn_rows(txn), key, f, &since));
    CLEANUP(json_freep)
    json_t *json = json_pack("{s:o, s:I, s:I, s:o}", "uid", json_hex(f->uid.bytes, sizeof(f->uid.bytes)),
                             "pass", (json_int_t)f->pass, "found", (json_int_t)since, "what",
                             json_of_str(f->what));
    return put_json(txn, key, json);
}

struct clearing {
    struct txn *txn;
    uint64_t pass;
    size_t count;
    bool is_full;
};

static struct err clear_one(void *arg, const struct scrub_found *f)
{
    struct clearing *c = arg;
    char key[LIMIT_ROW_KEY];

    if (f->pass >= c->pass) return OK;
    c->is_full = c->count == CLEAR_SLICE;
    if (c->is_full) return FAIL(ERR_TOO_LARGE, "a slice is full");
    c->count++;
    return txn_del(c->txn, SPACE_SYSTEM, found_key(f, key));
}

struct err scrub_found_clear(struct txn *txn, uint64_t pass, bool *ret_more)
{
    struct clearing c = { .txn = txn, .pass = pass };
    const struct err e = scrub_found_each(txn_rows(txn), clear_one, &c);

    *ret_more = c.is_full;
    return c.is_full ? OK : e;
}

static struct err found_visit(struct str key, struct str value, scrub_found_fn *fn, void *arg)
{
    CLEANUP(json_freep) json_t *json = NULL;
    struct scrub_found f;
    struct err e = json_parse(value, &json);

    if (!e.code) e = found_parse(key, json, &f);
    TRY(damaged_row(e));
    return fn(arg, &f);
}

struct err scrub_found_each(struct rows *r, scrub_found_fn *fn, void *arg)
{
    struct rows_scan scan;
    struct str key, value;
    struct err e = OK;

    rows_scan_begin(&scan, r, SPACE_SYSTEM, STR(FOUND_PREFIX), false);
    while (!e.code && rows_scan_next(&scan, &key, &value) && str_starts(key, STR(FOUND_PREFIX)))
        e = found_visit(key, value, fn, arg);
    if (!e.code) e = scan.err;
    rows_scan_done(&scan);
    return e;
}
