/*
 * world.c - an open store and what is put there. Sizes are small on purpose: 128 KiB of journal or a hundred rows make a checkpoint, segments die and are written over every few hundred operations.
 */
#include "tests/crash/power/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/base/limits.h"
#include "storage/base/sysio.h"
#include "storage/object/multipart.h"
#include "storage/object/object_put.h"

const struct actor somebody = { .principal = STR("root"), .request_id = STR("-"), .address = STR("-") };

struct world *world_open(const char *dir, char *why, size_t size)
{
    struct world *w = calloc(1, sizeof(*w));
    char rows[300];

    snprintf(w->dir, sizeof(w->dir), "%s", dir);
    snprintf(rows, sizeof(rows), "%s/rows", dir);
    snprintf(w->volumes, sizeof(w->volumes), "%s/volumes", dir);
    w->store = (struct store){ .part_bytes_min = 1, .small_body_max = 4096 };
    const struct meta_options m = { .dir = rows,
                                    .segment_bytes = 256 * KIB,
                                    .checkpoint_rows_bytes = 24 * KIB,
                                    .checkpoint_log_bytes = 128 * KIB,
                                    .disk_floor_bytes = MIB,
                                    .map_bytes = 64 * MIB };
    struct err e = meta_open(&m, &w->store.meta);
    const struct blob_options b = { .dir = w->volumes,
                                    .meta = w->store.meta,
                                    .volume_bytes = 4 * MIB,
                                    .disk_floor_bytes = MIB,
                                    .writers_open_max = 2 };
    if (!e.code) e = blob_open(&b, &w->store.blobs);
    if (!e.code) return w;
    snprintf(why, size, "it does not open: %s", e.why);
    return NULL;
}

void world_close(struct world *w)
{
    blob_close(w->store.blobs);
    meta_close(w->store.meta);
    free(w);
}

/* ---- names and bytes ---- */

struct str slot_key(uint32_t slot, char out[32])
{
    return str_of(
        out,
        (size_t)snprintf(out, 32, "%s/%03u", slot_kind(slot) == SLOT_UPLOAD ? "upload" : "object", slot));
}

void slot_table(uint32_t slot, int which, struct table_ident *ret, char out[32])
{
    const size_t len = (size_t)snprintf(out, 32, "t%03u_%d", slot, which);

    *ret = (struct table_ident){ .ns = { .levels = { STR("ns") }, .count = 1 }, .name = str_of(out, len) };
}

uint64_t part_content(uint64_t generation, uint32_t number)
{
    return generation * 16 + number;
}

size_t part_size(uint64_t generation, uint32_t number)
{
    uint64_t random = part_content(generation, number);

    return (size_t)(random_below(&random, 3) ? 1 + random_below(&random, 4000)
                                             : 5000 + random_below(&random, 60000));
}

char *content_make(uint64_t content, size_t len)
{
    char *bytes = malloc(len + 8);
    uint64_t random = content;

    if (!bytes) fatal("no memory");
    for (size_t at = 0; at < len; at += 8) {
        const uint64_t word = random_next(&random);
        memcpy(bytes + at, &word, 8);
    }
    return bytes;
}

bool content_is(const char *bytes, size_t len, uint64_t content)
{
    char *wanted = content_make(content, len);
    const bool is_it = !memcmp(bytes, wanted, len);

    free(wanted);
    return is_it;
}

/* ---- operations that checks make too ---- */

struct err put_object(struct world *w, struct str key, uint64_t content, size_t size)
{
    char *bytes = content_make(content, size), text[24];
    struct object_put put = { .store = &w->store, .bucket = BUCKET, .key = key };
    const struct pair user = {
        STR("content"), str_of(text, (size_t)snprintf(text, 24, "%llu", (unsigned long long)content))
    };

    put.meta = (struct object_meta){ .user = &user, .user_count = 1 };
    struct err e = body_writer_new(&w->store, (struct body_sums_wanted){ 0 }, 0, &put.body);
    if (!e.code) e = body_writer_write(put.body, str_of(bytes, size));
    if (!e.code) e = body_writer_finish_wait(put.body);
    if (!e.code) e = meta_run(w->store.meta, object_put_fn, &put);
    body_writer_free(put.body);
    free(bytes);
    return e;
}

struct err find_upload(struct world *w, uint32_t slot, struct arena *arena, struct uid *ret_id,
                       struct str *ret_owner)
{
    char key[32];
    struct upload_page page;
    const struct upload_query q = { .bucket = BUCKET, .prefix = slot_key(slot, key), .max = 10 };

    const struct err e = upload_list(&w->store, &q, arena, &page);
    if (e.code == ERR_NO_SUCH_BUCKET || (!e.code && !page.count)) return FAIL(ERR_NOT_FOUND, "no upload");
    TRY(e);
    if (page.count > 1) return FAIL(ERR_CORRUPT, "more than one open upload of one key");
    *ret_id = page.entries[0].info.id;
    *ret_owner = page.entries[0].info.owner;
    return OK;
}

struct err complete(struct world *w, uint32_t slot, struct uid id, struct arena *arena)
{
    char key[32], etags[PARTS][ETAG_SIZE];
    struct complete_part list[PARTS];
    struct part_page page;

    TRY(upload_list_parts(&w->store, BUCKET, slot_key(slot, key), id, 0, PARTS + 1, arena, &page));
    for (size_t i = 0; i < page.count && i < PARTS; i++) {
        struct object_info info = { 0 };
        memcpy(info.etag_md5, page.parts[i].md5, sizeof(info.etag_md5));
        object_etag(&info, etags[i]);
        list[i] = (struct complete_part){ .number = page.parts[i].number, .etag = str_from_z(etags[i]) };
    }
    struct upload_complete c = { .store = &w->store,
                                 .bucket = BUCKET,
                                 .key = slot_key(slot, key),
                                 .upload = id,
                                 .parts = list,
                                 .part_count = page.count };
    return upload_complete(&c, arena);
}
