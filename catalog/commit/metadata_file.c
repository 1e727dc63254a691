/*
 * metadata_file.c - names and bytes of metadata files (catalog.md 2.7).
 *
 * <location>/metadata/<5-digit version>-<uuid>.metadata.json, below write.metadata.path if that is set. The version is one more than the one in the previous file's
 * name; a name that has none counts as -1, as in the reference.
 */
#include "catalog/commit/metadata_file.h"

#include "catalog/commit/catalog.h"
#include "storage/base/ids.h"
#include "storage/base/limits.h"
#include "storage/base/log.h"
#include "storage/base/thread.h"

static uint64_t next_version(struct str previous)
{
    uint64_t version;
    struct str name = previous;

    if (previous.len == 0) return 0;
    const size_t slash = str_rfind_char(previous, '/');
    if (slash < previous.len) name = str_from(previous, slash + 1);
    const size_t dash = str_find_char(name, '-');
    if (dash == name.len || !str_to_u64(str_slice(name, 0, dash), &version)) return 0;
    return version + 1;
}

static struct str directory(const json_t *metadata, struct arena *arena)
{
    const struct str set = json_str(
        json_object_get(json_object_get(metadata, "properties"), "write.metadata.path"));
    struct str location = json_str(json_object_get(metadata, "location"));

    if (set.len) location = set;
    while (location.len && location.data[location.len - 1] == '/') location.len--;
    return set.len ? location : arena_join(arena, location, STR("/metadata"));
}

static struct err print(const json_t *metadata, struct arena *arena, struct str *ret)
{
    struct buf out;

    buf_init(&out, LIMIT_JSON_BYTES);
    struct err e = json_print(metadata, &out);
    if (e.code == ERR_OK) e = buf_err(&out);
    const struct str text = e.code == ERR_OK ? arena_str(arena, buf_view(&out)) : STR_NONE;
    buf_done(&out);
    TRY(e);
    if (!text.data) return no_memory();
    *ret = text;
    return OK;
}

static struct err prepare_large(struct store *s, struct metadata_file *f, struct str bucket, struct str key)
{
    const struct body_sums_wanted wanted = { .checksum = DIGEST_NONE };

    TRY(body_writer_new(s, wanted, f->bytes.len, &f->body));
    struct err e = body_writer_write(f->body, f->bytes);
    if (e.code == ERR_OK) e = body_writer_finish_wait(f->body);
    if (e.code != ERR_OK) {
        e = err_fail(e.code, "%s", e.why); /* its text was the writer's */
        f->body = body_writer_free(f->body);
    }
    f->large = (struct object_put){ .store = s, .bucket = bucket, .key = key, .body = f->body };
    f->large.meta.headers[OBJECT_CONTENT_TYPE] = STR("application/json");
    return e;
}

static struct err prepare_external(struct metadata_file *f, struct arena *arena)
{
    char why[512];
    const struct err e = warehouse_write(&f->warehouse, f->location, f->bytes, arena);
    const struct err kept = err_keep(e, why, sizeof(why));

    f->is_to_go = true;
    if (kept.code == ERR_OK) return OK;
    metadata_file_done(f); /* it may lie there all the same */
    return err_fail(kept.code, "%s", kept.why);
}

struct err metadata_file_prepare(const struct warehouse *w, const json_t *metadata, struct str previous,
                                 struct arena *arena, struct metadata_file *ret)
{
    char uuid[UUID_TEXT_SIZE];
    struct metadata_file f = { .warehouse = *w };
    struct str bucket, key;

    ids_uuid(uuid);
    const struct str dir = directory(metadata, arena);
    f.location = arena_printf(arena, "%.*s/%05llu-%s.metadata.json", STR_ARG(dir),
                              (unsigned long long)next_version(previous), uuid);
    if (!dir.data || !f.location.data) return no_memory();
    TRY(location_parse(f.location, arena, &bucket, &key));
    TRY(object_key_check(key));
    TRY(print(metadata, arena, &f.bytes));
    if (w->is_external) {
        TRY(prepare_external(&f, arena));
    } else if (f.bytes.len > LIMIT_JOURNAL_BODY) {
        TRY(prepare_large(w->store, &f, bucket, key));
    } else {
        f.small = (struct object_bytes){
            .bucket = bucket, .key = key, .bytes = f.bytes, .content_type = STR("application/json")
        };
        object_bytes_prepare(&f.small);
    }
    *ret = f;
    return OK;
}

struct err metadata_file_fn(struct txn *txn, struct metadata_file *f, struct arena *arena)
{
    if (f->warehouse.is_external) return OK;
    return f->body ? object_put_fn(txn, &f->large) : object_bytes_fn(txn, &f->small, arena);
}

void metadata_file_settle(struct metadata_file *f, struct err outcome)
{
    if (outcome.code == ERR_OK || outcome.code == ERR_OUTCOME_UNKNOWN) f->is_to_go = false;
}

/* Best effort: a file that stays is named by nothing, and costs its bytes. */
static void take_away(const struct metadata_file *f)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_REQUEST_ARENA);
    const struct err e = arena ? warehouse_delete(&f->warehouse, f->location, arena) : no_memory();

    if (e.code != ERR_OK)
        LOG_WARN("a metadata file that no table names could not be deleted", STRV("file", f->location),
                 ERRF(e));
}

void metadata_file_done(struct metadata_file *f)
{
    if (f->is_to_go) take_away(f);
    f->is_to_go = false;
    f->body = body_writer_free(f->body);
}
