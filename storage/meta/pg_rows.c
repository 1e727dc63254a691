/*
 * pg_rows.c - reading rows from PostgreSQL, see pg_rows.h.
 *
 * What is known lies in a memtable, absent rows as tombstones: it has the order, the lifetime of strings (until it is cleared) and the look-up that are
 * needed.
 *
 * A scan asks for "key >= from order by key limit n", and goes on at the last key with a zero byte behind it, which is the next key that there can be. Keys are bytea, which PostgreSQL
 * orders as we do: by byte, shorter first. Backward from the very end is backward from a key that is above all.
 */
#include "storage/meta/pg_rows.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/base/encode.h"
#include "storage/base/limits.h"

#define CHUNK_FIRST 4
#define SQL_SIZE 256
#define ARRAY_BYTES_MAX (64 * MIB) /* more than a batch of the largest transactions */
#define ARRAY_HEADER 20

const char *pg_table(enum space space)
{
    static const char *const names[256] = {
#define SPACE(name, id, what) [id] = "rows_" #name,
#include "storage/meta/spaces.def"
#undef SPACE
    };
    return names[space & 0xff];
}

bool pg_is_json(enum space space)
{
    static const enum space json[] = { SPACE_CATALOGS, SPACE_NAMESPACES, SPACE_TABLES,
                                       SPACE_VIEWS,    SPACE_AUDIT,      SPACE_PURGES };

    for (size_t i = 0; i < sizeof(json) / sizeof(json[0]); i++) {
        if (json[i] == space) return true;
    }
    return false;
}

/* ---- a reader ---- */

static const struct rows_ops pg_rows_ops;

struct err pg_reader_init(struct pg_reader *r)
{
    *r = (struct pg_reader){ .rows.ops = &pg_rows_ops, .known = memtable_new(), .wanted = memtable_new() };
    if (r->known && r->wanted) return OK;
    pg_reader_done(r);
    return FAIL(ERR_NO_MEMORY, "no memory for a view");
}

void pg_reader_done(struct pg_reader *r)
{
    r->known = memtable_free(r->known);
    r->wanted = memtable_free(r->wanted);
}

void pg_reader_begin(struct pg_reader *r, struct pg *pg)
{
    r->pg = pg;
    r->failed = OK;
    r->is_probing = r->has_missed = false;
    memtable_clear(r->known);
    memtable_clear(r->wanted);
}

static struct pg_reader *reader_of(struct rows *rows)
{
    return (struct pg_reader *)rows; /* its first member */
}

static struct err noted(struct pg_reader *r, struct err e)
{
    if (e.code && !r->failed.code) r->failed = e;
    return e;
}

/* ---- one row ---- */

static bool is_known(const struct pg_reader *r, enum space space, struct str key, struct memtable_row *ret)
{
    return memtable_find(memtable_working(r->known), (uint8_t)space, key, ret);
}

static struct err learn(struct pg_reader *r, enum space space, struct str key, const struct pg_answer *a)
{
    if (!pg_answer_rows(a)) return memtable_del(r->known, (uint8_t)space, key);
    return memtable_put(r->known, (uint8_t)space, key, pg_answer_str(a, 0, 0));
}

static struct err fetch(struct pg_reader *r, enum space space, struct str key)
{
    char sql[SQL_SIZE];
    struct pg_answer *a;
    const struct pg_query q = { .number = PG_NUMBER(PG_GET, space), .sql = sql, .params = &key, .count = 1 };

    (void)snprintf(sql, sizeof(sql), "select value from %s where key = $1", pg_table(space));
    TRY(pg_run(r->pg, &q, 1, &a));
    const struct err e = learn(r, space, key, a);
    pg_answer_free(a);
    return e;
}

struct err pg_reader_want(struct pg_reader *r, enum space space, struct str key)
{
    struct memtable_row row;

    if (!pg_table(space) || !key.len || key.len > LIMIT_ROW_KEY || is_known(r, space, key, &row)) return OK;
    return memtable_put(r->wanted, (uint8_t)space, key, STR_NONE);
}

static struct err pg_rows_get(struct rows *rows, enum space space, struct str key, struct str *ret)
{
    struct pg_reader *r = reader_of(rows);
    struct memtable_row row;

    if (!pg_table(space)) return FAIL(ERR_NOT_FOUND, "there is no such row");
    if (!is_known(r, space, key, &row)) {
        if (r->is_probing) {
            r->has_missed = true;
            TRY(noted(r, pg_reader_want(r, space, key)));
            return FAIL(ERR_UNAVAILABLE, "the row was not fetched yet");
        }
        TRY(noted(r, fetch(r, space, key)));
        if (!is_known(r, space, key, &row)) return FAIL(ERR_INTERNAL, "a row that was fetched is not there");
    }
    if (row.is_deleted) return FAIL(ERR_NOT_FOUND, "there is no such row");
    *ret = row.value;
    return OK;
}

/* ---- many rows ---- */

/* One space of what is wanted. */
struct want {
    uint8_t space;
    struct pg_array keys;
    struct str param;
    char sql[SQL_SIZE];
};

static struct err want_end(struct want *w, struct pg_query *ret)
{
    (void)snprintf(w->sql, sizeof(w->sql), "select key, value from %s where key = any($1::bytea[])",
                   pg_table(w->space));
    w->param = pg_array_end(&w->keys);
    *ret = (struct pg_query){
        .number = PG_NUMBER(PG_GET_MANY, w->space), .sql = w->sql, .params = &w->param, .count = 1
    };
    return buf_err(&w->keys.bytes);
}

/* Sort what is wanted by space. What is wanted and not found is known to be absent. */
static struct err wants_make(struct pg_reader *r, struct want *wants, size_t room, size_t *ret_count)
{
    struct memtable_cursor c;
    struct memtable_row row;
    size_t count = 0;

    *ret_count = 0;
    for (bool more = memtable_seek(&c, memtable_working(r->wanted), 0, STR_NONE, false); more;
         more = memtable_next(&c)) {
        memtable_at(&c, &row);
        if (!count || wants[count - 1].space != row.space) {
            if (count == room) break; /* the rest is fetched when it is read */
            wants[count].space = row.space;
            pg_array_init(&wants[count].keys, PG_BYTEA);
            *ret_count = ++count;
        }
        pg_array_add(&wants[count - 1].keys, row.key);
        TRY(memtable_del(r->known, row.space, row.key));
    }
    return OK;
}

static struct err wants_learn(struct pg_reader *r, const struct want *w, const struct pg_answer *a)
{
    for (size_t i = 0; i < pg_answer_rows(a); i++)
        TRY(memtable_put(r->known, w->space, pg_answer_str(a, i, 0), pg_answer_str(a, i, 1)));
    return OK;
}

enum { WANTS_MAX = 32, BEFORE_MAX = 4 };

static struct err wants_run(struct pg_reader *r, struct want *wants, size_t count,
                            const struct pg_query *before, size_t before_count, struct pg_answer **ret_before)
{
    struct pg_query queries[BEFORE_MAX + WANTS_MAX];
    struct pg_answer *answers[BEFORE_MAX + WANTS_MAX];
    struct err e = OK;

    assert(before_count <= BEFORE_MAX);
    for (size_t i = 0; i < before_count; i++) queries[i] = before[i];
    for (size_t i = 0; i < count; i++) TRY(want_end(&wants[i], &queries[before_count + i]));
    TRY(pg_run(r->pg, queries, before_count + count, answers));
    for (size_t i = 0; i < count; i++) {
        if (!e.code) e = wants_learn(r, &wants[i], answers[before_count + i]);
        pg_answer_free(answers[before_count + i]);
    }
    for (size_t i = 0; i < before_count; i++) {
        if (!e.code && ret_before) ret_before[i] = answers[i];
        else pg_answer_free(answers[i]);
    }
    return e;
}

struct err pg_reader_fetch_wanted(struct pg_reader *r, const struct pg_query *before, size_t count,
                                  struct pg_answer **ret_before)
{
    struct want *wants = malloc(WANTS_MAX * sizeof(*wants));
    size_t wanted = 0;

    if (!wants) return FAIL(ERR_NO_MEMORY, "no memory for a transaction");
    struct err e = wants_make(r, wants, WANTS_MAX, &wanted);
    if (!e.code && (wanted || count)) e = wants_run(r, wants, wanted, before, count, ret_before);
    for (size_t i = 0; i < wanted; i++) pg_array_done(&wants[i].keys);
    free(wants);
    memtable_clear(r->wanted);
    return noted(r, e);
}

/* ---- scans ---- */

struct pg_scan {
    struct rows_scan_state state;
    struct pg_reader *reader;
    enum space space;
    bool is_backward;
    bool is_last; /* this chunk is */
    struct pg_answer *chunk;
    size_t row, rows; /* of the chunk: the next, all */
    size_t limit;     /* of the next chunk */
    size_t from_len;
    char from[LIMIT_ROW_KEY + 1];
};

static void from_set(struct pg_scan *s, struct str from)
{
    s->from_len = from.len < sizeof(s->from) ? from.len : sizeof(s->from);
    if (s->from_len) memcpy(s->from, from.data, s->from_len);
}

/* Where the next chunk begins: behind the last row of this one. */
static void from_behind(struct pg_scan *s)
{
    from_set(s, pg_answer_str(s->chunk, s->rows - 1, 0));
    if (!s->is_backward && s->from_len < sizeof(s->from)) s->from[s->from_len++] = 0;
}

static struct err chunk_fetch(struct pg_scan *s)
{
    static const char forward[] = "select key, value from %s where key >= $1 order by key limit $2::bigint";
    static const char backward[] =
        "select key, value from %s where key < $1 order by key desc limit $2::bigint";
    char sql[SQL_SIZE];
    uint8_t limit[8];
    const struct str params[] = { str_of(s->from, s->from_len), str_of(limit, sizeof(limit)) };
    const struct pg_query q = { .number = PG_NUMBER(s->is_backward ? PG_BACKWARD : PG_FORWARD, s->space),
                                .sql = sql,
                                .params = params,
                                .count = 2 };

    (void)snprintf(sql, sizeof(sql), s->is_backward ? backward : forward, pg_table(s->space));
    put_be64(limit, s->limit);
    s->chunk = pg_answer_free(s->chunk);
    s->row = s->rows = 0;
    TRY(pg_run(s->reader->pg, &q, 1, &s->chunk));
    s->rows = pg_answer_rows(s->chunk);
    s->is_last = s->rows < s->limit;
    s->limit = s->limit * 4 < LIMIT_PG_CHUNK ? s->limit * 4 : LIMIT_PG_CHUNK;
    return OK;
}

static void pg_scan_done(struct rows_scan *scan)
{
    struct pg_scan *s = scan->state;

    pg_answer_free(s->chunk);
    free(s);
}

static void pg_scan_begin(struct rows_scan *scan, struct rows *rows, enum space space, struct str from,
                          bool is_backward)
{
    struct pg_reader *r = reader_of(rows);
    struct pg_scan *s = calloc(1, sizeof(*s));

    if (r->is_probing) r->has_missed = true;
    if (!s) scan->err = FAIL(ERR_NO_MEMORY, "no memory for a scan");
    else if (!pg_table(space)) scan->err = FAIL(ERR_INVALID, "there is no such space of rows");
    else if (r->is_probing) scan->err = FAIL(ERR_UNAVAILABLE, "the rows were not fetched yet");
    if (scan->err.code) {
        free(s);
        return;
    }
    s->state.ops = &pg_rows_ops;
    s->reader = r;
    s->space = space;
    s->is_backward = is_backward;
    s->limit = CHUNK_FIRST;
    from_set(s, from);
    if (is_backward && !from.len) {
        memset(s->from, 0xff, sizeof(s->from));
        s->from_len = sizeof(s->from);
    }
    scan->state = s;
}

static bool pg_scan_next(struct rows_scan *scan, struct str *ret_key, struct str *ret_value)
{
    struct pg_scan *s = scan->state;

    if (s->row == s->rows) {
        if (s->is_last) return false;
        if (s->chunk && s->rows) from_behind(s);
        scan->err = noted(s->reader, chunk_fetch(s));
        if (scan->err.code || !s->rows) return false;
    }
    *ret_key = pg_answer_str(s->chunk, s->row, 0);
    *ret_value = pg_answer_str(s->chunk, s->row, 1);
    s->row++;
    return true;
}

/* Within the chunk if it reaches that far, else another. */
static void pg_scan_seek(struct rows_scan *scan, struct str from)
{
    struct pg_scan *s = scan->state;

    if (!s->is_backward && s->row && str_cmp(from, pg_answer_str(s->chunk, s->row - 1, 0)) > 0) {
        while (s->row < s->rows && str_cmp(pg_answer_str(s->chunk, s->row, 0), from) < 0) s->row++;
        if (s->row < s->rows || s->is_last) return;
    }
    s->chunk = pg_answer_free(s->chunk);
    s->row = s->rows = 0;
    s->is_last = false;
    from_set(s, from);
}

static const struct rows_ops pg_rows_ops = {
    .get = pg_rows_get,
    .scan_begin = pg_scan_begin,
    .scan_next = pg_scan_next,
    .scan_seek = pg_scan_seek,
    .scan_done = pg_scan_done,
};

/* ---- arrays ---- */

void pg_array_init(struct pg_array *a, enum pg_type type)
{
    static const uint8_t header[ARRAY_HEADER];

    *a = (struct pg_array){ .type = type };
    buf_init(&a->bytes, ARRAY_BYTES_MAX);
    buf_append(&a->bytes, header, sizeof(header));
}

void pg_array_add(struct pg_array *a, struct str element)
{
    uint8_t len[4];

    put_be32(len, (uint32_t)element.len);
    buf_append(&a->bytes, len, sizeof(len));
    buf_str(&a->bytes, element);
    a->count++;
}

void pg_array_add_u64(struct pg_array *a, uint64_t element)
{
    uint8_t bytes[8];

    put_be64(bytes, element);
    pg_array_add(a, str_of(bytes, sizeof(bytes)));
}

/* dimensions 4 (1), has nulls 4 (0), type 4, length 4, lower bound 4 (1) */
struct str pg_array_end(struct pg_array *a)
{
    if (buf_err(&a->bytes).code) return STR_NONE;
    put_be32(a->bytes.data, 1);
    put_be32(a->bytes.data + 4, 0);
    put_be32(a->bytes.data + 8, (uint32_t)a->type);
    put_be32(a->bytes.data + 12, a->count);
    put_be32(a->bytes.data + 16, 1);
    return buf_view(&a->bytes);
}

void pg_array_done(struct pg_array *a)
{
    buf_done(&a->bytes);
}
