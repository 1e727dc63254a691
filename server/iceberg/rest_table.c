/*
 * rest_table.c - the operations on tables, but for commits.
 *
 * LoadTable splices the stored bytes of the metadata file into its answer; they are parsed only for snapshots=refs.
 */
#include "server/iceberg/rest.h"

#include <string.h>

#include "catalog/commit/apply.h"
#include "server/iceberg/rest_load.h"
#include "storage/base/clock.h"
#include "storage/base/digest.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"

static struct table_ident ident_of(const struct rest_request *req)
{
    return (struct table_ident){ .ns = req->ns, .name = req->table };
}

/* ---- the answer of load, create, register, update ---- */

struct err rest_splice(struct rest_request *req, const struct table_info *t, const json_t *config,
                       const json_t *storage, struct str *ret)
{
    struct buf out;

    buf_init(&out, LIMIT_JSON_BYTES + 1 * MIB);
    buf_char(&out, '{');
    if (t->metadata_location.len) {
        CLEANUP(json_freep) json_t *location = json_of_str(t->metadata_location);
        buf_z(&out, "\"metadata-location\":");
        if (location) err_ignore(json_print(location, &out));
        buf_char(&out, ',');
    }
    buf_z(&out, "\"metadata\":");
    buf_str(&out, t->metadata);
    buf_z(&out, ",\"config\":");
    struct err e = json_print(config, &out);
    if (storage && e.code == ERR_OK) {
        buf_z(&out, ",\"storage-credentials\":");
        e = json_print(storage, &out);
    }
    buf_char(&out, '}');
    if (e.code == ERR_OK) e = buf_err(&out);
    const struct str text = e.code == ERR_OK ? arena_str(req->arena, buf_view(&out)) : STR_NONE;
    buf_done(&out);
    TRY(e);
    if (!text.data) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    *ret = text;
    return OK;
}

struct err rest_answer_table(struct rest_request *req, int status, const struct table_info *t)
{
    CLEANUP(json_freep) json_t *config = NULL;
    CLEANUP(json_freep) json_t *storage = NULL;
    struct str text;

    TRY(rest_table_config(req, t, &config, &storage));
    TRY(rest_splice(req, t, config, storage, &text));
    rest_answer_text(req, status, text);
    return OK;
}

/* ---- ETag ---- */

/* W/"HASH.MODE.ISSUED": of the metadata file, of which snapshots were asked for, and of when keys were given with it (0: none were). A client that holds keys gets 304 only in the
 * first half of their life, so it never goes on with dead ones (reliability.md D15). */
static struct str etag_of(const struct rest_request *req, const struct table_info *t, bool is_refs,
                          int64_t issued_s)
{
    const struct digest_value hash = digest_of(DIGEST_SHA256, t->metadata_location.data,
                                               t->metadata_location.len);
    char hex[33];

    hex_z(hash.bytes, 16, hex);
    return arena_printf(req->arena, "W/\"%s.%s.%lld\"", hex, is_refs ? "refs" : "all", (long long)issued_s);
}

static bool is_unchanged(const struct rest_request *req, const struct table_info *t, bool is_refs,
                         bool has_keys)
{
    const struct str given = http_header(req->http, "if-none-match");
    const int64_t now_s = clock_now_ms() / 1000;
    int64_t issued_s = 0;
    struct str stem;

    if (!given.data || given.len < 4 || given.data[given.len - 1] != '"') return false;
    const size_t dot = str_rfind_char(given, '.');
    if (dot == given.len || !str_to_i64(str_slice(given, dot + 1, given.len - 1), &issued_s)) return false;
    const struct str now = etag_of(req, t, is_refs, issued_s);
    stem = str_starts(given, STR("W/")) ? now : str_from(now, 2);
    if (!str_eq(given, stem)) return false;
    return has_keys ? issued_s > 0 && now_s - issued_s < req->options->vended_ttl_s / 2 : true;
}

static void set_etag(struct rest_request *req, const struct table_info *t, bool is_refs)
{
    const bool has_keys = http_has_header(req->http, "x-iceberg-access-delegation");
    http_set(req->http, "ETag", etag_of(req, t, is_refs, has_keys ? clock_now_ms() / 1000 : 0));
}

/* The answer reads rows once more (for keys), which may fail, but the change is made: a client that is told "unavailable" takes it as refused and deletes the files that the table now names. */
struct err rest_answer_changed(struct rest_request *req, const struct table_info *t)
{
    set_etag(req, t, false);
    const struct err e = rest_answer_table(req, 200, t);
    if (e.code == ERR_OK) return OK;
    return err_fail(ERR_OUTCOME_UNKNOWN, "the change was made, but its answer could not be: %s", e.why);
}

/* ---- load ---- */

static struct err keep_refs_only(struct rest_request *req, struct table_info *t)
{
    CLEANUP(json_freep) json_t *metadata = NULL;
    CLEANUP(json_freep) json_t *refs = NULL;
    struct buf out;

    TRY(metadata_parse(METADATA_TABLE, t->metadata, &metadata));
    TRY(metadata_refs_only(metadata, &refs));
    buf_init(&out, LIMIT_JSON_BYTES);
    const struct err e = json_print(refs, &out);
    if (e.code == ERR_OK) t->metadata = arena_str(req->arena, buf_view(&out));
    buf_done(&out);
    TRY(e);
    return t->metadata.data ? OK : FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
}

struct err rest_load_table(struct rest_request *req)
{
    const struct table_ident t = ident_of(req);
    const struct str snapshots = http_query(req->http, "snapshots");
    const bool is_refs = str_is(snapshots, "refs");
    struct table_info info;

    if (snapshots.len && !is_refs && !str_is(snapshots, "all"))
        return FAIL(ERR_INVALID, "snapshots must be 'all' or 'refs'");
    if (http_has_header(req->http, "if-none-match")) {
        TRY(table_stat(req->options->store, req->prefix, &t, req->arena, &info));
        if (is_unchanged(req, &info, is_refs, http_has_header(req->http, "x-iceberg-access-delegation"))) {
            http_set(req->http, "ETag", http_header(req->http, "if-none-match"));
            rest_answer_empty(req, 304);
            return OK;
        }
    }
    TRY(table_load(req->options->store, req->prefix, &t, req->arena, &info));
    if (is_refs) TRY(keep_refs_only(req, &info));
    set_etag(req, &info, is_refs);
    return rest_answer_table(req, 200, &info);
}

struct err rest_table_exists(struct rest_request *req)
{
    const struct table_ident t = ident_of(req);
    struct table_info info;

    TRY(table_stat(req->options->store, req->prefix, &t, req->arena, &info));
    rest_answer_empty(req, 204);
    return OK;
}

struct err rest_load_credentials(struct rest_request *req)
{
    const struct table_ident t = ident_of(req);
    CLEANUP(json_freep) json_t *config = NULL;
    json_t *storage = NULL;
    struct table_info info;

    TRY(table_stat(req->options->store, req->prefix, &t, req->arena, &info));
    req->is_keys_wanted = true;
    TRY(rest_table_config(req, &info, &config, &storage));
    if (info.is_external) storage = json_array(); /* there are none, for anybody */
    if (!storage) return FAIL(ERR_DENIED, "the caller may not read the table's files");
    rest_answer_json(req, 200, json_pack("{s:o}", "storage-credentials", storage));
    return OK;
}

/* ---- list, create, register, rename, drop ---- */

struct err rest_answer_names(struct rest_request *req, enum metadata_kind kind)
{
    struct name_query q = { .ns = &req->ns, .kind = kind };
    struct name_page page;
    bool is_all;

    TRY(rest_paging(req, &q.token, &q.page_size));
    TRY(rest_seen_tables(req, kind, &is_all, &page));
    if (is_all) TRY(table_list(req->options->store, req->prefix, &q, req->arena, &page));
    else rest_page(&page, q.token, q.page_size);
    json_t *list = json_array(), *ns = rest_ns_to_json(&req->ns);
    for (size_t i = 0; i < page.count; i++)
        json_array_append_new(list,
                              json_pack("{s:O, s:o}", "namespace", ns, "name", json_of_str(page.names[i])));
    json_decref(ns);
    json_t *next = page.next.len ? json_of_str(page.next) : json_null();
    rest_answer_json(req, 200, json_pack("{s:o, s:o}", "next-page-token", next, "identifiers", list));
    return OK;
}

struct err rest_list_tables(struct rest_request *req)
{
    return rest_answer_names(req, METADATA_TABLE);
}

struct err rest_create_table(struct rest_request *req)
{
    struct table_info info;
    bool is_staged = false;

    TRY(json_want_bool(req->body, "stage-create", &is_staged));
    TRY(table_create(req->options->store, req->prefix, &req->ns, req->body, is_staged, &req->actor,
                     req->arena, &info));
    req->subject.name = json_str(json_object_get(req->body, "name"));
    req->is_act = is_staged; /* nothing is written, but keys may be given */
    if (is_staged) return rest_answer_table(req, 200, &info);
    return rest_answer_changed(req, &info);
}

struct err rest_register_table(struct rest_request *req)
{
    struct table_ident t = { .ns = req->ns };
    struct str location;
    struct table_info info;
    bool overwrite = false;

    TRY(json_need_str(req->body, "name", &t.name));
    TRY(json_need_str(req->body, "metadata-location", &location));
    TRY(json_want_bool(req->body, "overwrite", &overwrite));
    TRY(table_name_check(t.name));
    if (overwrite) TRY(rest_need(req, PRIV_TABLE_FULL_METADATA, &t, NULL));
    else TRY(rest_need(req, PRIV_TABLE_CREATE, &(struct table_ident){ .ns = req->ns }, NULL));
    req->subject.name = t.name;
    TRY(table_register(req->options->store, req->prefix, &t, location, overwrite, &req->actor, req->arena,
                       &info));
    return rest_answer_changed(req, &info);
}

struct err rest_rename_table(struct rest_request *req)
{
    struct table_ident from, to;

    TRY(rest_ident_from_json(json_object_get(req->body, "source"), "source", &from));
    TRY(rest_ident_from_json(json_object_get(req->body, "destination"), "destination", &to));
    const struct table_ident target = { .ns = to.ns };
    TRY(rest_need(req, PRIV_TABLE_DROP, &from, NULL));
    TRY(rest_need(req, PRIV_TABLE_LIST, &target, NULL));
    TRY(rest_need(req, PRIV_TABLE_CREATE, &target, NULL));
    TRY(table_rename(req->options->store, req->prefix, &from, &to, &req->actor));
    rest_answer_empty(req, 204);
    return OK;
}

struct err rest_drop_table(struct rest_request *req)
{
    const struct table_ident t = ident_of(req);
    const struct str purge = http_query(req->http, "purgeRequested");

    if (purge.len && !str_is_nocase(purge, "true") && !str_is_nocase(purge, "false"))
        return FAIL(ERR_INVALID, "purgeRequested must be true or false");
    if (str_is_nocase(purge, "true")) TRY(rest_need(req, PRIV_TABLE_WRITE_DATA, &t, NULL));
    TRY(table_drop(req->options->store, req->prefix, &t, str_is_nocase(purge, "true"), &req->actor));
    rest_answer_empty(req, 204);
    return OK;
}

/* Scan and commit reports: looked at so that a wrong one is told, and counted by the request's metric; they are not kept yet. */
struct err rest_report_metrics(struct rest_request *req)
{
    const struct table_ident t = ident_of(req);
    struct table_info info;
    struct str type;

    TRY(json_need_str(req->body, "report-type", &type));
    TRY(rest_need(req, str_is(type, "commit-report") ? PRIV_TABLE_WRITE_DATA : PRIV_TABLE_READ_DATA, &t,
                  NULL));
    TRY(table_stat(req->options->store, req->prefix, &t, req->arena, &info));
    rest_answer_empty(req, 204);
    return OK;
}
