/*
 * check.c - one image: does it open, is all there that was acknowledged, and can it be lived on?
 *
 * What was begun may be there or not, but for each slot it must be one or the other, whole; and what is seen after the first opening is seen after the second.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/store/check.h"
#include "storage/base/json.h"
#include "storage/base/limits.h"
#include "storage/base/log.h"
#include "storage/base/thread.h"
#include "storage/object/bucket.h"
#include "storage/object/multipart.h"
#include "storage/object/object_get.h"
#include "storage/object/object_list.h"
#include "tests/crash/power/world.h"

#define TIME_MAX_S 120 /* for an image; it takes a few milliseconds */

static bool say(char *why, size_t size, const char *what, struct err e)
{
    snprintf(why, size, "%s: %s (%s)", what, e.why ? e.why : "", err_name(e.code));
    return false;
}

/* ---- slots ---- */

/* An object's bytes, and the number in its metadata. *ret_body.data NULL: there is none. */
static struct err read_object(struct world *w, struct str key, struct arena *arena, uint64_t *ret_number,
                              struct str *ret_body)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct object_info info;

    *ret_body = STR_NONE;
    TRY(view_open(w->store.meta, &view));
    const struct err e = object_stat(view, BUCKET, key, arena, &info);
    if (e.code == ERR_NO_SUCH_KEY || e.code == ERR_NO_SUCH_BUCKET) return OK;
    TRY(e);
    TRY(object_info_keep(&info, arena));
    TRY(object_read_all(&w->store, BUCKET, key, 64 * MIB, arena, ret_body));
    if (ret_body->len != info.size) return FAIL(ERR_CORRUPT, "the object is not as long as it says");
    if (info.meta.user_count != 1) return FAIL(ERR_CORRUPT, "its metadata is not there");
    *ret_number = strtoull(info.meta.user[0].value.data, NULL, 10);
    if (!ret_body->data) *ret_body = STR("");
    return OK;
}

static bool read_plain(struct world *w, uint32_t slot, struct arena *arena, struct value *ret, char *why,
                       size_t size)
{
    char key[32];
    uint64_t content = 0;
    struct str body;

    const struct err e = read_object(w, slot_key(slot, key), arena, &content, &body);
    if (e.code) return say(why, size, key, e);
    if (!body.data) return true;
    if (!content_is(body.data, body.len, content))
        return say(why, size, key, FAIL(ERR_CORRUPT, "other bytes than were put"));
    *ret = (struct value){ { content, body.len } };
    return true;
}

static bool parts_of(struct str body, uint64_t generation, uint32_t mask)
{
    size_t at = 0;

    for (uint32_t number = 1; number <= PARTS; number++) {
        if (!(mask & 1u << (number - 1))) continue;
        const size_t len = part_size(generation, number);
        if (len > body.len - at || !content_is(body.data + at, len, part_content(generation, number)))
            return false;
        at += len;
    }
    return at == body.len;
}

static bool read_parts(struct world *w, uint32_t slot, struct arena *arena, struct value *ret, char *why,
                       size_t size)
{
    char key[32];
    struct part_page page;
    struct uid id;
    struct str owner;

    const struct err found = find_upload(w, slot, arena, &id, &owner);
    if (found.code == ERR_NOT_FOUND) return true;
    if (found.code) return say(why, size, slot_key(slot, key).data, found);
    ret->word[0] = strtoull(owner.data, NULL, 10);
    const struct err e = upload_list_parts(&w->store, BUCKET, slot_key(slot, key), id, 0, PARTS + 1, arena,
                                           &page);
    if (e.code) return say(why, size, key, e);
    for (size_t i = 0; i < page.count; i++) {
        const uint32_t number = page.parts[i].number;
        const size_t len = part_size(ret->word[0], number);
        char *bytes = content_make(part_content(ret->word[0], number), len);
        const struct digest_value md5 = digest_of(DIGEST_MD5, bytes, len);
        free(bytes);
        if (page.parts[i].size != len || memcmp(md5.bytes, page.parts[i].md5, 16) != 0)
            return say(why, size, key, FAIL(ERR_CORRUPT, "a part is not what was put"));
        ret->word[1] |= 1u << (number - 1);
    }
    return true;
}

static bool read_tables(struct world *w, uint32_t slot, struct arena *arena, struct value *ret, char *why,
                        size_t size)
{
    uint64_t numbers[2] = { 0 };

    for (int i = 0; i < 2; i++) {
        char name[32];
        struct table_ident t;
        struct table_info info;
        struct str number = STR_NONE;
        json_t *properties = NULL;
        slot_table(slot, i, &t, name);
        struct err e = table_load(&w->store, LAKE, &t, arena, &info);
        if (e.code == ERR_NO_SUCH_TABLE || e.code == ERR_NO_SUCH_NAMESPACE || e.code == ERR_NO_SUCH_WAREHOUSE)
            continue;
        CLEANUP(json_freep) json_t *metadata = NULL;
        if (!e.code) e = json_parse(info.metadata, &metadata);
        if (!e.code) e = json_want_object(metadata, "properties", &properties);
        if (!e.code && properties) e = json_want_str(properties, "n", &number);
        if (e.code) return say(why, size, name, e);
        if (number.len) numbers[i] = strtoull(number.data, NULL, 10);
    }
    if (numbers[0] != numbers[1]) {
        snprintf(why, size, "half a commit: one table is at %llu, the other at %llu",
                 (unsigned long long)numbers[0], (unsigned long long)numbers[1]);
        return false;
    }
    ret->word[0] = numbers[0];
    return true;
}

/* The object that was made of an upload: its metadata names the generation, its bytes which parts it was made of. */
static bool read_made(struct world *w, uint32_t slot, struct arena *arena, struct value *ret, char *why,
                      size_t size)
{
    char key[32];
    struct str body;

    const struct err e = read_object(w, slot_key(slot, key), arena, &ret->word[2], &body);
    if (e.code) return say(why, size, key, e);
    if (!body.data) return true;
    for (uint32_t mask = 1; mask < 1u << PARTS; mask++) {
        if (!parts_of(body, ret->word[2], mask)) continue;
        ret->word[3] = mask;
        return true;
    }
    return say(why, size, key, FAIL(ERR_CORRUPT, "other bytes than its parts had"));
}

bool world_read(struct world *w, uint32_t slot, struct value *ret, char *why, size_t size)
{
    struct arena *arena = arena_new(64 * MIB);
    struct value value = { 0 };
    bool is_good = true;

    switch (slot_kind(slot)) {
    case SLOT_OBJECT: is_good = read_plain(w, slot, arena, &value, why, size); break;
    case SLOT_UPLOAD:
        is_good = read_parts(w, slot, arena, &value, why, size)
            && read_made(w, slot, arena, &value, why, size);
        break;
    case SLOT_TABLES: is_good = read_tables(w, slot, arena, &value, why, size); break;
    default: break;
    }
    arena_free(arena);
    if (is_good) *ret = value;
    return is_good;
}

/* ---- the whole ---- */

struct names_seen {
    char *why;
    size_t size, count;
};

static void see(void *arg, const struct check_finding *f)
{
    struct names_seen *seen = arg;

    if (!seen->count++) snprintf(seen->why, seen->size, "the check finds: %s: %s", f->space, f->what);
}

/* A listing has what reads find: so many objects, and each of its names can be read. */
static bool listing_agrees(struct world *w, char *why, size_t size)
{
    struct arena *arena = arena_new(16 * MIB);
    struct list_page page = { 0 };
    size_t there = 0;
    const struct list_query q = { .bucket = BUCKET, .max = 1000 };
    const struct err e = object_list(&w->store, &q, arena, &page);
    bool is_good = !e.code || e.code == ERR_NO_SUCH_BUCKET || say(why, size, "the listing", e);

    for (uint32_t slot = 1; slot < SLOTS && is_good; slot++) {
        char key[32];
        uint64_t number;
        struct str body;
        const struct str name = slot_key(slot, key);
        if (slot_kind(slot) == SLOT_TABLES) continue;
        bool is_listed = false;
        for (size_t i = 0; i < page.count; i++) is_listed |= str_eq(page.entries[i].name, name);
        is_good = !read_object(w, name, arena, &number, &body).code && is_listed == (body.data != NULL);
        if (!is_good) snprintf(why, size, "%s is listed but not there, or there and not listed", key);
        there += is_listed;
    }
    if (is_good && there != page.count) {
        snprintf(why, size, "the listing has %zu names, and %zu objects are there", page.count, there);
        is_good = false;
    }
    arena_free(arena);
    return is_good;
}

bool world_is_sound(struct world *w, char *why, size_t size)
{
    struct names_seen seen = { .why = why, .size = size };
    struct check_result result;
    const struct check_options o = {
        .store = &w->store, .volumes_dir = w->volumes, .reads_bodies = true, .found = see, .arg = &seen
    };

    if (!listing_agrees(w, why, size)) return false;
    const struct err e = store_check(&o, &result);
    if (e.code) return say(why, size, "the check", e);
    return !seen.count;
}

bool world_completes(struct world *w, char *why, size_t size)
{
    bool is_good = true;

    for (uint32_t slot = 1; slot < SLOTS && is_good; slot++) {
        struct arena *arena = arena_new(16 * MIB);
        struct value before = { 0 }, after = { 0 };
        struct str owner;
        struct uid id;
        if (slot_kind(slot) == SLOT_UPLOAD && !find_upload(w, slot, arena, &id, &owner).code) {
            is_good = world_read(w, slot, &before, why, size);
            const struct err e = is_good && before.word[1] ? complete(w, slot, id, arena) : OK;
            if (e.code) is_good = say(why, size, "an upload cannot be completed", e);
            const struct value wanted = { { 0, 0, before.word[0], before.word[1] } };
            if (is_good && before.word[1]) {
                is_good = world_read(w, slot, &after, why, size);
                if (is_good && memcmp(&after, &wanted, sizeof(after)) != 0)
                    is_good = say(why, size, "a completed upload",
                                  FAIL(ERR_CORRUPT, "another object than its parts make"));
            }
        }
        arena_free(arena);
    }
    return is_good;
}

bool world_takes_writes(struct world *w, char *why, size_t size)
{
    struct str body;
    struct arena *arena = arena_new(16 * MIB);
    uint64_t bucket, number;
    CLEANUP(view_closep) struct rows *view = NULL;
    struct err e = view_open(w->store.meta, &view);
    const bool has_bucket = !e.code && !bucket_id_get(view, BUCKET, &bucket).code;

    for (uint64_t i = 0; i < 3 && has_bucket && !e.code; i++) {
        const size_t len = i == 1 ? 30000 : 100;
        e = put_object(w, STR("after"), 77 + i, len);
        if (!e.code) e = read_object(w, STR("after"), arena, &number, &body);
        if (!e.code && (body.len != len || !content_is(body.data, len, 77 + i)))
            e = FAIL(ERR_CORRUPT, "other bytes than were put");
    }
    arena_free(arena);
    return !e.code || say(why, size, "a write afterwards", e);
}

/* ---- one image ---- */

static bool is_same(const struct value *a, const struct value *b)
{
    return !memcmp(a, b, sizeof(*a));
}

static void describe(const struct value *v, char out[96])
{
    snprintf(out, 96, "%llx %llx %llx %llx", (unsigned long long)v->word[0], (unsigned long long)v->word[1],
             (unsigned long long)v->word[2], (unsigned long long)v->word[3]);
}

static bool slot_is(const struct expected *x, uint32_t slot, const struct value *found, char *why,
                    size_t size)
{
    char a[96], b[96], c[96];

    if (slot_kind(slot) == SLOT_SETUP || is_same(found, &x->sure)
        || (x->is_begun && is_same(found, &x->maybe)))
        return true;
    describe(&x->sure, a);
    describe(&x->maybe, b);
    describe(found, c);
    snprintf(why, size, "slot %u: acknowledged is %s%s%s, found is %s", slot, a,
             x->is_begun ? ", begun " : "", x->is_begun ? b : "", c);
    return false;
}

static void must(bool claim, const char *when, const char *why)
{
    if (claim) return;
    printf("%s: %s\n", when, why);
    fflush(NULL);
    _exit(1);
}

_Noreturn void check_image(const char *dir, const struct state *s)
{
    static struct value found[SLOTS];
    char why[1024] = "";

    log_set_level(LOG_LEVEL_ERROR);
    record_ignore_syncs();
    alarm(TIME_MAX_S);
    struct world *w = world_open(dir, why, sizeof(why));
    must(w != NULL, "opened", why);
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        must(world_read(w, slot, &found[slot], why, sizeof(why)), "read", why);
        must(slot_is(&s->slots[slot], slot, &found[slot], why, sizeof(why)), "read", why);
    }
    must(world_is_sound(w, why, sizeof(why)), "checked", why);
    must(world_takes_writes(w, why, sizeof(why)), "written to", why);
    world_close(w);

    w = world_open(dir, why, sizeof(why));
    must(w != NULL, "opened again", why);
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        const struct expected seen = { .sure = found[slot] };
        struct value again;
        must(world_read(w, slot, &again, why, sizeof(why)), "read again", why);
        must(slot_is(&seen, slot, &again, why, sizeof(why)), "read again", why);
    }
    must(world_completes(w, why, sizeof(why)), "completed", why);
    world_close(w);
    fflush(NULL);
    _exit(0);
}
