/*
 * scrub_report.c - what a scrub's rows say, for people.
 */
#include <string.h>

#include "storage/base/encode.h"
#include "storage/base/thread.h"
#include "storage/object/bucket.h"
#include "storage/object/scrub_row.h"

struct reporting {
    struct rows *rows;
    struct arena *arena;
    struct scrub_report *report;
};

/* Empty: there is none of that id. Seldom asked, so no row leads from an id to its name. */
static struct err bucket_name_of(struct rows *r, uint64_t id, struct arena *arena, struct str *ret)
{
    struct bucket_iter it;
    struct bucket_info info;
    struct str name;

    *ret = STR_NONE;
    bucket_iter_begin(&it, r, STR_NONE, STR_NONE, NULL);
    while (!ret->len && bucket_iter_next(&it, &name, &info)) {
        if (info.id == id) *ret = arena_str(arena, name);
    }
    const struct err e = it.err;
    bucket_iter_done(&it);
    return e;
}

/* Is what was damaged still there? A row that cannot be decoded is, as it was. */
static struct err is_still_there(struct rows *r, const struct scrub_found *f, bool *ret)
{
    struct object_info info;
    struct str value;
    const struct err e = rows_get(r, f->is_part ? SPACE_PARTS : SPACE_OBJECTS, f->row_key, &value);

    *ret = false;
    if (e.code == ERR_NOT_FOUND) return OK;
    TRY(e);
    *ret = f->is_part || object_decode(value, NULL, &info).code
        || memcmp(info.uid.bytes, f->uid.bytes, sizeof(f->uid.bytes)) == 0;
    return OK;
}

static struct err name_it(const struct reporting *w, const struct scrub_found *f, struct scrub_damage *ret)
{
    *ret = (struct scrub_damage){ .is_part = f->is_part,
                                  .found_ms = f->found_ms,
                                  .what = arena_str(w->arena, f->what) };
    if (f->is_part || f->row_key.len < OBJECT_BUCKET_ID_BYTES) return OK;
    ret->key = arena_str(w->arena, str_from(f->row_key, OBJECT_BUCKET_ID_BYTES));
    return bucket_name_of(w->rows, get_be64(f->row_key.data), w->arena, &ret->bucket);
}

static struct err report_one(void *arg, const struct scrub_found *f)
{
    const struct reporting *w = arg;
    struct scrub_report *r = w->report;
    bool is_there;

    TRY(is_still_there(w->rows, f, &is_there));
    if (!is_there) return OK;
    r->damaged++;
    return r->damage_count < LIMIT_SCRUB_DAMAGES ? name_it(w, f, &r->damages[r->damage_count++]) : OK;
}

struct err scrub_report_read(struct rows *r, struct arena *arena, struct scrub_report *ret)
{
    struct reporting w = { .rows = r, .arena = arena, .report = ret };
    struct scrub_state state = { .is_running = false };
    const struct err e = scrub_state_get(r, &state);

    if (e.code != ERR_NOT_FOUND) TRY(e);
    *ret = (struct scrub_report){ .is_running = state.is_running,
                                  .pass = state.pass,
                                  .began_ms = state.began_ms,
                                  .ended_ms = state.ended_ms,
                                  .objects = state.objects,
                                  .bytes = state.bytes };
    return scrub_found_each(r, report_one, &w);
}
