/*
 * status.c - the server's state as one JSON document.
 */
#include "server/manage/status.h"

#include <string.h>

#include "storage/base/clock.h"
#include "storage/base/json.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "storage/object/scrub.h"

static json_t *rows_status(const struct meta_status *m)
{
    char last[CLOCK_ISO_SIZE] = "";

    if (m->checkpoint_last_ms) clock_iso(m->checkpoint_last_ms, last);
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "engine", m->engine, "transactions",
                     (json_int_t)m->transactions, "batches", (json_int_t)m->batches, "in_memory",
                     (json_int_t)m->memtable_rows, "in_memory_bytes", (json_int_t)m->memtable_bytes,
                     "lmdb_bytes", (json_int_t)m->lmdb_bytes_used, "lmdb_map_bytes",
                     (json_int_t)m->lmdb_bytes_map, "damaged", (json_int_t)m->rows_damaged, "last_checkpoint",
                     last);
}

static json_t *time_json(int64_t ms)
{
    char text[CLOCK_ISO_SIZE] = "";

    if (ms) clock_iso(ms, text);
    return json_string(text);
}

static json_t *damages_json(const struct scrub_report *r)
{
    json_t *list = json_array();

    for (size_t i = 0; i < r->damage_count; i++) {
        const struct scrub_damage *d = &r->damages[i];
        json_array_append_new(list,
                              json_pack("{s:s, s:o, s:o, s:o, s:o}", "kind", d->is_part ? "part" : "object",
                                        "bucket", json_of_str(d->bucket), "key", json_of_str(d->key), "found",
                                        time_json(d->found_ms), "what", json_of_str(d->what)));
    }
    return list;
}

/* Of what a broken LMDB would be replaced by; null when the rows are in PostgreSQL. */
static json_t *copy_status(const struct meta_copy_status *c)
{
    if (!c->state) return json_null();
    return json_pack("{s:s, s:o, s:I, s:I, s:s}", "state", c->state, "made", time_json(c->made_ms), "bytes",
                     (json_int_t)c->bytes, "held_bytes", (json_int_t)c->held_bytes, "why_not", c->why_not);
}

/* null when its rows cannot be read now. */
static json_t *scrub_status(struct store *s, struct arena *arena)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct scrub_report *r = arena_alloc(arena, sizeof(*r));

    if (!r || view_open(s->meta, &view).code || scrub_report_read(view, arena, r).code) return json_null();
    return json_pack("{s:b, s:I, s:o, s:o, s:I, s:I, s:I, s:o}", "running", r->is_running, "pass",
                     (json_int_t)r->pass, "began", time_json(r->pass ? r->began_ms : 0), "ended",
                     time_json(r->ended_ms), "objects", (json_int_t)r->objects, "bytes", (json_int_t)r->bytes,
                     "damaged", (json_int_t)r->damaged, "damages", damages_json(r));
}

/* Of servers that share the store; null for one that has it alone. */
static json_t *shared_status(const struct meta_status *m)
{
    if (!m->is_shared) return json_null();
    return json_pack("{s:I, s:b, s:s}", "servers", (json_int_t)m->servers, "background_here", m->is_leader,
                     "background_on", m->leader);
}

/* Of the connections to PostgreSQL; null when the rows are here. */
static json_t *connections_status(const struct meta_status *m)
{
    if (strcmp(m->engine, "postgresql") != 0) return json_null();
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "lost", (json_int_t)m->connections_lost, "batches_retried",
                     (json_int_t)m->batches_retried, "readers", (json_int_t)m->readers, "readers_idle",
                     (json_int_t)m->readers_idle, "readers_waiting", (json_int_t)m->readers_waiting);
}

static json_t *document(struct store *s, struct str data_dir, struct arena *arena)
{
    struct meta_status m;
    struct blob_status b;

    meta_status(s->meta, &m);
    blob_status(s->blobs, &b);
    return json_pack(
        "{s:o, s:b, s:s, s:{s:I, s:I}, s:o, s:{s:I, s:I}, s:{s:b, s:I, s:I, s:I, s:I}, s:o, s:o, s:o, s:o}",
        "data", json_of_str(data_dir), "writable", m.is_writable, "why_not", m.is_writable ? "" : m.why_not,
        "disk", "free_bytes", (json_int_t)m.disk_free_bytes, "total_bytes", (json_int_t)m.disk_total_bytes,
        "rows", rows_status(&m), "journal", "segments", (json_int_t)m.journal_segments, "bytes",
        (json_int_t)m.journal_bytes, "volumes", "writable", b.is_writable, "count", (json_int_t)b.volumes,
        "live_bytes", (json_int_t)b.bytes_live, "disk_bytes", (json_int_t)b.bytes_on_disk, "waiting_bytes",
        (json_int_t)b.bytes_freed_waiting, "copy", copy_status(&m.copy), "scrub", scrub_status(s, arena),
        "shared", shared_status(&m), "postgresql", connections_status(&m));
}

struct err status_print(struct store *s, struct str data_dir, struct arena *arena, struct str *ret)
{
    CLEANUP(json_freep) json_t *json = document(s, data_dir, arena);
    struct buf out;

    if (!json) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    buf_init(&out, 64 * KIB);
    const struct err e = json_print(json, &out);
    const struct str text = e.code == ERR_OK ? arena_str(arena, buf_view(&out)) : STR_NONE;
    buf_done(&out);
    TRY(e);
    if (!text.data) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    *ret = text;
    return OK;
}
