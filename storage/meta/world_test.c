/*
 * world_test.c - see world_test.h.
 */
#include "storage/meta/world_test.h"

#include <stdio.h>
#include <string.h>

#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "storage/meta/repair.h"
#include "tests/unit/test.h"

#define BODY_BYTES (30 * KIB)

struct meta_options world_options(const char *dir)
{
    return (struct meta_options){ .dir = dir,
                                  .segment_bytes = 256 * KIB,
                                  .disk_floor_bytes = MIB,
                                  .map_bytes = 64 * MIB,
                                  .copy_interval_ms = 86400000,
                                  .is_checkpoint_manual = true };
}

struct meta *world_open(const char *dir)
{
    const struct meta_options o = world_options(dir);
    struct meta *m;

    CHECK_OK(meta_open(&o, &m));
    return m;
}

/* ---- rows with bodies ---- */

static void fill_body(struct change c, uint8_t out[BODY_BYTES])
{
    memset(out, (int)(c.key * 31 + c.version), BODY_BYTES);
}

struct err world_change_fn(struct txn *txn, void *arg)
{
    static uint8_t body[BODY_BYTES];
    const struct change *c = arg;
    uint8_t key[4], value[4 + PLACE_BYTES];
    struct place p;
    struct str old;

    put_be32(key, c->key);
    const struct err e = rows_get(txn_rows(txn), SPACE_OBJECTS, str_of(key, 4), &old);
    if (e.code && e.code != ERR_NOT_FOUND) return e;
    if (!e.code) {
        place_decode((const uint8_t *)old.data + 4, &p);
        TRY(txn_drop_body(txn, p));
    }
    if (!c->version) return txn_del(txn, SPACE_OBJECTS, str_of(key, 4));
    fill_body(*c, body);
    TRY(txn_put_body(txn, SPACE_OBJECTS, str_of(key, 4), str_of(body, BODY_BYTES), &p));
    put_be32(value, c->version);
    place_encode(&p, value + 4);
    return txn_put(txn, SPACE_OBJECTS, str_of(key, 4), str_of(value, sizeof(value)));
}

/* Change n rows, one after the other; every fifth change deletes. What fails is not done. */
void world_change(struct world *w, int n)
{
    for (int i = 0; i < n; i++) {
        w->next++;
        struct change c = { .key = w->next * 7 % WORLD_KEYS, .version = w->next % 5 ? w->next : 0 };
        if (!meta_run(w->meta, world_change_fn, &c).code) w->version[c.key] = c.version;
    }
}

void world_check_rows(struct world *w)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    static uint8_t got[BODY_BYTES], want[BODY_BYTES];
    struct str value;
    struct place p;
    uint8_t key[4];

    CHECK_OK(view_open(w->meta, &view));
    for (uint32_t k = 0; k < WORLD_KEYS; k++) {
        put_be32(key, k);
        const struct err e = rows_get(view, SPACE_OBJECTS, str_of(key, 4), &value);
        if (e.code) CHECK_ERR(e, ERR_NOT_FOUND);
        CHECK_U64(e.code ? 0 : get_be32(value.data), w->version[k]);
        if (e.code) continue;
        place_decode((const uint8_t *)value.data + 4, &p);
        CHECK_OK(meta_read_body(w->meta, p, got));
        fill_body((struct change){ k, w->version[k] }, want);
        CHECK(!memcmp(got, want, BODY_BYTES));
    }
}

/* ---- breaking and repairing ---- */

const char *world_path(const struct world *w, const char *name, char out[600])
{
    (void)snprintf(out, 600, "%s/%s", w->dir, name);
    return out;
}

bool world_has_copy(const struct world *w)
{
    char path[600];
    struct stat st;
    return !sys_stat(world_path(w, "rows.copy", path), &st).code;
}

/* LMDB of a closed store becomes noise, from byte `from` on. */
void world_break_lmdb(struct world *w, uint64_t from)
{
    uint8_t noise[4096];
    char path[600];
    struct stat st;
    int fd;

    memset(noise, 0x5a, sizeof(noise));
    CHECK_OK(sys_open(world_path(w, "rows/data.mdb", path), O_RDWR, 0, &fd));
    CHECK_OK(sys_fstat(fd, &st));
    for (uint64_t at = from; at < (uint64_t)st.st_size; at += sizeof(noise))
        CHECK_OK(sys_pwrite_all(fd, noise, sizeof(noise), at));
    sys_close(fd);
}

/* Closed, broken, repaired, opened: the same rows. */
void world_check_repair(struct world *w)
{
    const struct meta_options o = world_options(w->dir);
    struct repaired r;

    w->meta = meta_close(w->meta);
    world_break_lmdb(w, 0);
    CHECK_ERR(meta_open(&o, &w->meta), ERR_CORRUPT);
    CHECK_ERR(meta_rows_check(w->dir), ERR_CORRUPT);
    CHECK_OK(meta_repair(&o, &r));
    CHECK(r.broken[0]);
    CHECK_OK(meta_rows_check(w->dir));
    w->meta = world_open(w->dir);
    world_check_rows(w);
}

struct meta_status world_status_of(struct meta *m)
{
    struct meta_status s;
    meta_status(m, &s);
    return s;
}

/* Written, deleted, checkpointed: dead, but for the copy. */
void world_die(struct world *w)
{
    world_change(w, 60);
    for (uint32_t k = 0; k < WORLD_KEYS; k++) {
        struct change c = { .key = k };
        CHECK_OK(meta_run(w->meta, world_change_fn, &c));
        w->version[k] = 0;
    }
    CHECK_OK(meta_checkpoint(w->meta));
}
