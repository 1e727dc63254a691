/*
 * move.c - the order of a move (move.h), and how one that was cut off ends.
 *
 * What is on disk says how far one got:
 *
 *   to PostgreSQL      DIR/rows      mark in the schema        the same command
 *                      there         none, COPYING or WHOLE    begins again
 *                      gone          WHOLE, and its text names the directory that has the old rows      takes the mark away
 *   to the directory   DIR/rows      mark in the schema
 *                      none          none                      begins again
 *                      none          MOVED, and rows.moving is WHOLE by the same move                   renames, takes the mark away
 *                      there         MOVED, and rows is WHOLE by the same move                          takes the mark away
 *
 * Why a target that is half full is begun again and not continued: the source may have been written to since, and to find out what has changed is to read all of both.
 */
#include "admin/store/move.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/store/move_mark.h"
#include "admin/store/offline.h"
#include "storage/base/clock.h"
#include "storage/base/encode.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "storage/volume/volume_rows.h"

struct move {
    const struct move_options *options;
    struct meta *from, *to;
    struct move_mark mark; /* ours */
    uint64_t number;       /* the source's last transaction */
    bool is_begun;         /* the target was written to */
    const char *doing;
    struct move_result result;
};

static const char *path_in(const struct move *m, const char *name, char out[PATH_MAX])
{
    (void)snprintf(out, PATH_MAX, "%s/%s", m->options->place.dir, name);
    return out;
}

static struct err is_there(const struct move *m, const char *name, bool *ret)
{
    return store_place_has(m->options->place.dir, name, ret);
}

static struct err rename_in(const struct move *m, const char *from, const char *to)
{
    char a[PATH_MAX], b[PATH_MAX];

    TRY(sys_rename(path_in(m, from, a), path_in(m, to, b)));
    return sys_sync_dir(m->options->place.dir);
}

/* ---- opening ---- */

/* rows/: nothing but a mark is going to be written there. */
static struct err open_rows(const struct move *m, struct meta **ret)
{
    char path[PATH_MAX];
    const struct meta_options o = { .dir = path_in(m, "rows", path),
                                    .segment_bytes = OFFLINE_SEGMENT_BYTES,
                                    .disk_floor_bytes = OFFLINE_FLOOR_BYTES };

    return offline_open_rows(&o, ret);
}

static struct err open_moving(const struct move *m, uint64_t number_after, struct meta **ret)
{
    char path[PATH_MAX];
    const struct meta_options o = { .dir = path_in(m, "rows.moving", path),
                                    .segment_bytes = m->options->segment_bytes,
                                    .disk_floor_bytes = m->options->disk_floor_bytes,
                                    .number_after = number_after };

    return offline_open_rows(&o, ret);
}

static struct err open_postgresql(const struct move *m, bool must_exist, uint64_t number_after,
                                  struct meta **ret)
{
    const struct meta_options o = {
        .store = m->options->place.store,
        .schema = m->options->place.schema,
        .is_offline = must_exist,
        .number_after = number_after,
    };

    return offline_open_rows(&o, ret);
}

static struct err open_target(struct move *m)
{
    return m->options->is_to_postgresql ? open_postgresql(m, false, m->number, &m->to)
                                        : open_moving(m, m->number, &m->to);
}

/* The id of the store that the volumes belong to. */
static struct err volumes_id(const struct move *m, struct uid *ret)
{
    char path[PATH_MAX], *text = NULL;
    size_t len;

    const struct err e = sys_read_file(path_in(m, "volumes/STORE", path), 64, &text, &len);
    if (e.code == ERR_NOT_FOUND)
        return err_fail(ERR_NOT_FOUND, "there is no store in %s: it has no volumes/STORE",
                        m->options->place.dir);
    TRY(e);
    const bool is_id = hex_from(str_trim(str_of(text, len)), ret->bytes, sizeof(ret->bytes));
    free(text);
    return is_id ? OK : err_fail(ERR_CORRUPT, "%s is damaged", path);
}

static struct err rows_id(struct meta *meta, struct uid *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct str value;

    TRY(view_open(meta, &view));
    const struct err e = rows_get(view, SPACE_SYSTEM, ROW_STORE_KEY, &value);
    if (e.code == ERR_NOT_FOUND) return FAIL(ERR_NOT_FOUND, "there is no store in the rows to be moved");
    TRY(e);
    if (value.len != sizeof(ret->bytes)) return FAIL(ERR_CORRUPT, "the row of the store id is damaged");
    memcpy(ret->bytes, value.data, sizeof(ret->bytes));
    return OK;
}

/* Rows and volumes belong together. */
static struct err check_ids(struct move *m)
{
    struct uid volumes;

    TRY(rows_id(m->from, &m->mark.store));
    TRY(volumes_id(m, &volumes));
    if (memcmp(volumes.bytes, m->mark.store.bytes, sizeof(volumes.bytes)) == 0) return OK;
    return err_fail(ERR_INVALID, "%s is the data directory of another store than these rows'",
                    m->options->place.dir);
}

/* ---- the target ---- */

static struct err check_target(struct move *m)
{
    struct move_mark found;
    bool is_empty;

    TRY(move_mark_read(m->to, &found));
    TRY(move_is_empty(m->to, &is_empty));
    if (found.state == MOVE_NONE && is_empty) return OK;
    if (found.state != MOVE_NONE
        && memcmp(found.store.bytes, m->mark.store.bytes, sizeof(found.store.bytes)) == 0)
        return OK;
    return FAIL(
        ERR_EXISTS,
        found.state == MOVE_NONE
            ? "the schema holds a store already: name another one (--store-schema), or drop it"
            : "the schema holds what is left of the move of another store: name another one (--store-schema), or drop it");
}

static struct err mark_target(struct move *m, enum move_state state)
{
    m->mark.state = state;
    return move_mark_put(m->to, &m->mark);
}

static struct err take_target(struct move *m)
{
    TRY(open_target(m));
    TRY(check_target(m));
    m->is_begun = true;
    TRY(mark_target(m, MOVE_COPYING));
    return move_clear(m->to);
}

/* ---- copying ---- */

static void on_progress(void *arg, uint64_t rows, uint64_t bodies)
{
    const struct move *m = arg;

    if (m->options->progress) m->options->progress(m->options->arg, m->doing, rows, bodies);
}

static struct err pass(struct move *m, const char *doing, struct meta *from, struct meta *to,
                       struct move_tally *ret)
{
    const struct move_pass p = { .from = from, .to = to, .progress = on_progress, .arg = m };

    m->doing = doing;
    return move_pass(&p, ret);
}

/* From a target that was closed and opened again: what is read back was durable, and is read as a start reads it. */
static struct err read_back(struct move *m)
{
    struct move_tally again;

    m->to = meta_close(m->to);
    TRY(open_target(m));
    TRY(pass(m, "read back", m->to, NULL, &again));
    return move_compare(&m->result.tally, &again);
}

/* ---- the switch ---- */

static struct err retire_source(struct move *m)
{
    if (m->options->is_to_postgresql) {
        m->from = meta_close(m->from);
        return rename_in(m, "rows", m->mark.text);
    }
    struct move_mark moved = m->mark;
    moved.state = MOVE_MOVED;
    (void)snprintf(moved.text, sizeof(moved.text), "%s", m->options->place.dir);
    return move_mark_put(m->from, &moved);
}

/* rows.moving is whole, and its source retired. */
static struct err enable_directory(struct move *m)
{
    m->to = meta_close(m->to);
    TRY(rename_in(m, "rows.moving", "rows"));
    TRY(open_rows(m, &m->to));
    return move_mark_del(m->to);
}

static struct err enable_target(struct move *m)
{
    if (!m->options->is_to_postgresql) return enable_directory(m);
    TRY(move_mark_del(m->to));
    (void)snprintf(m->result.kept, sizeof(m->result.kept), "%s/%s", m->options->place.dir, m->mark.text);
    return OK;
}

/* A name that nothing has. */
static struct err name_old_rows(struct move *m)
{
    char now[CLOCK_AMZ_SIZE];
    bool is_taken = m->options->is_to_postgresql;

    m->mark.text[0] = 0;
    clock_amz(clock_now_ms(), now);
    for (int n = 1; is_taken; n++) {
        (void)snprintf(m->mark.text, sizeof(m->mark.text), n == 1 ? "rows.moved-%s" : "rows.moved-%s-%d", now,
                       n);
        TRY(is_there(m, m->mark.text, &is_taken));
    }
    return OK;
}

/* From the beginning, with the source open. */
static struct err run(struct move *m)
{
    m->mark.move = ids_uid();
    TRY(check_ids(m));
    m->number = meta_positions(m->from).published;
    if (m->options->is_dry_run) return pass(m, "read", m->from, NULL, &m->result.tally);
    TRY(take_target(m));
    TRY(pass(m, "moved", m->from, m->to, &m->result.tally));
    TRY(read_back(m));
    TRY(name_old_rows(m));
    TRY(mark_target(m, MOVE_WHOLE));
    TRY(retire_source(m));
    return enable_target(m);
}

/* ---- one that was cut off at its last steps ---- */

static bool is_same_move(const struct move_mark *a, const struct move_mark *b)
{
    return memcmp(a->move.bytes, b->move.bytes, sizeof(a->move.bytes)) == 0;
}

static struct err nothing_to_move(const struct move *m)
{
    return err_fail(ERR_INVALID, "nothing to move: the store of %s has its rows there already",
                    m->options->place.dir);
}

static struct err refuse_end(const struct move *m)
{
    if (!m->options->is_dry_run) return OK;
    return FAIL(ERR_INVALID, "a move was cut off when all was moved: run the command without --dry-run");
}

/* DIR/rows is gone. */
static struct err end_in_postgresql(struct move *m)
{
    struct uid volumes;
    bool is_kept = false;

    TRY(volumes_id(m, &volumes));
    TRY(open_postgresql(m, true, 0, &m->to));
    TRY(move_mark_read(m->to, &m->mark));
    if (m->mark.state == MOVE_NONE) {
        TRY(rows_id(m->to, &m->mark.store));
        if (memcmp(m->mark.store.bytes, volumes.bytes, sizeof(volumes.bytes)) == 0) return nothing_to_move(m);
    }
    if (m->mark.state == MOVE_WHOLE) TRY(is_there(m, m->mark.text, &is_kept));
    if (!is_kept || memcmp(m->mark.store.bytes, volumes.bytes, sizeof(volumes.bytes)) != 0)
        return err_fail(ERR_NOT_FOUND, "there are no rows in %s to be moved", m->options->place.dir);
    TRY(refuse_end(m));
    m->result.is_end_only = true;
    return enable_target(m);
}

/* The source is marked as moved. name: where its rows are then, "rows" or "rows.moving". */
static struct err end_in_directory(struct move *m, const char *name)
{
    const bool is_renamed = strcmp(name, "rows") == 0;
    struct move_mark found;

    TRY(is_renamed ? open_rows(m, &m->to) : open_moving(m, 0, &m->to));
    TRY(move_mark_read(m->to, &found));
    if (is_renamed && found.state == MOVE_NONE) return nothing_to_move(m);
    if (found.state != MOVE_WHOLE || !is_same_move(&found, &m->mark))
        return err_fail(ERR_INVALID, "the rows were moved to %s, and are not in %s/%s", m->mark.text,
                        m->options->place.dir, name);
    TRY(refuse_end(m));
    m->result.is_end_only = true;
    return is_renamed ? move_mark_del(m->to) : enable_directory(m);
}

/* ---- the whole ---- */

static struct err to_postgresql(struct move *m)
{
    bool has_rows;

    TRY(is_there(m, "rows/rows/data.mdb", &has_rows));
    if (!has_rows) return end_in_postgresql(m);
    TRY(store_place_check(&(struct store_place){ .dir = m->options->place.dir }));
    TRY(open_rows(m, &m->from));
    TRY(move_mark_refuse(m->from));
    return run(m);
}

static struct err to_directory(struct move *m)
{
    bool has_rows, has_moving;

    TRY(is_there(m, "rows", &has_rows));
    TRY(is_there(m, "rows.moving/rows/data.mdb", &has_moving));
    TRY(open_postgresql(m, true, 0, &m->from));
    TRY(move_mark_read(m->from, &m->mark));
    if (m->mark.state == MOVE_MOVED && (has_rows || has_moving))
        return end_in_directory(m, has_rows ? "rows" : "rows.moving");
    if (has_rows)
        return err_fail(ERR_EXISTS, "%s has rows of its own, in %s/rows", m->options->place.dir,
                        m->options->place.dir);
    TRY(move_mark_refuse(m->from));
    TRY(store_place_check(&m->options->place));
    return run(m);
}

/* The lock of the volumes, which every server and verb takes: nobody opens the store while its rows change places, though their own locks come and go. */
static struct err lock_store(const struct move *m, int *ret)
{
    char path[PATH_MAX];
    struct uid id;

    TRY(volumes_id(m, &id));
    TRY(sys_open(path_in(m, "volumes/LOCK", path), O_RDWR | O_CREAT, 0600, ret));
    const struct err e = sys_lock(*ret);
    if (e.code != ERR_BUSY) return e;
    return err_fail(ERR_BUSY, "%s is in use: stop the server first", m->options->place.dir);
}

struct err store_move(const struct move_options *options, struct move_result *ret)
{
    struct move m = { .options = options };
    char why[512];
    int lock = -1;

    if (strlen(options->place.dir) > STORE_PATH_MAX)
        return FAIL(ERR_INVALID, "the path of the directory is too long");
    struct err e = lock_store(&m, &lock);
    if (!e.code) e = options->is_to_postgresql ? to_postgresql(&m) : to_directory(&m);
    const struct err kept = e.code ? err_keep(e, why, sizeof(why)) : OK; /* closing may use up the ring */
    meta_close(m.to);
    meta_close(m.from);
    sys_close(lock);
    if (kept.code)
        return err_fail(kept.code,
                        m.is_begun ? "%s. The move is not done: the same command does it again" : "%s", why);
    *ret = m.result;
    return OK;
}
