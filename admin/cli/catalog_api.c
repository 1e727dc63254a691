/*
 * catalog_api.c - requests to the Iceberg REST catalog: token, prefix, paging.
 */
#include "admin/cli/api.h"

#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"

#define BASE "/api/catalog"
#define MANAGEMENT "/api/management/v1"
#define LIMIT_PAGES 100000 /* of one listing: a server that never ends it is broken */
#define LIMIT_WALK 1000000 /* namespaces of one walk */

/* ---- one request ---- */

/* {"error": {"message": ...}} of the catalog, {"error": ..., "error_description": ...} of the token endpoint. */
static struct err refusal_of(struct cli *cli, const struct reply *reply)
{
    CLEANUP(json_freep) json_t *body = NULL;
    struct str said = STR_NONE;

    if (json_parse(reply->body, &body).code == ERR_OK) {
        said = json_str(json_object_get(json_object_get(body, "error"), "message"));
        if (said.len == 0) said = json_str(json_object_get(body, "error_description"));
        said = arena_str(cli->arena, said);
    }
    return api_refusal(reply->status, said);
}

static struct err send(struct cli *cli, struct request *request, struct str path, json_t **ret)
{
    struct reply reply;
    struct str base;

    TRY(api_endpoint(cli, API_CATALOG, &base));
    request->url = arena_join(cli->arena, base, path);
    if (!request->url.data) return no_memory();
    TRY(client_send(cli->client, request, cli->arena, &reply));
    if (reply.status < 200 || reply.status > 299) return refusal_of(cli, &reply);
    *ret = NULL;
    if (reply.body.len == 0) return OK;
    const struct err e = json_parse(reply.body, ret);
    if (e.code == ERR_OK) return OK;
    return err_fail(ERR_INTERNAL, "%.*s does not answer as a catalog does (%s); is the address right?",
                    STR_ARG(request->url), e.why);
}

/* ---- the token ---- */

static struct err token_form(struct cli *cli, struct str *ret)
{
    struct buf form;

    buf_init(&form, 64 * KIB);
    buf_z(&form, "grant_type=client_credentials&scope=PRINCIPAL_ROLE%3AALL&client_id=");
    percent_to(&form, cli->credential.user, "");
    buf_z(&form, "&client_secret=");
    percent_to(&form, cli->credential.password, "");
    *ret = arena_str(cli->arena, buf_view(&form));
    const struct err e = buf_err(&form);
    buf_done(&form);
    TRY(e);
    return ret->data ? OK : no_memory();
}

static struct err need_token(struct cli *cli)
{
    CLEANUP(json_freep) json_t *answer = NULL;
    struct request request = { .method = "POST", .type = "application/x-www-form-urlencoded" };
    struct str token;

    if (cli->token.len) return OK;
    TRY(api_credential(cli));
    TRY(token_form(cli, &request.body));
    TRY(send(cli, &request, STR(BASE "/v1/oauth/tokens"), &answer));
    TRY(json_need_str(answer, "access_token", &token));
    cli->token = arena_str(cli->arena, token);
    return cli->token.data ? OK : no_memory();
}

/* path: of the catalog's port itself. */
static struct err call(struct cli *cli, const char *method, struct str path, const json_t *body, json_t **ret)
{
    struct request request = { .method = method, .type = body ? "application/json" : NULL };
    struct buf text;

    TRY(need_token(cli));
    request.bearer = cli->token;
    buf_init(&text, LIMIT_JSON_BYTES);
    struct err e = body ? json_print(body, &text) : OK;
    request.body = buf_view(&text);
    if (e.code == ERR_OK) e = send(cli, &request, path, ret);
    buf_done(&text);
    return e;
}

struct err catalog_call(struct cli *cli, const char *method, struct str path, const json_t *body,
                        json_t **ret)
{
    return call(cli, method, arena_join(cli->arena, STR(BASE), path), body, ret);
}

struct err management_call(struct cli *cli, const char *method, struct str path, const json_t *body,
                           json_t **ret)
{
    return call(cli, method, arena_join(cli->arena, STR(MANAGEMENT), path), body, ret);
}

struct err catalog_load(struct cli *cli, struct str path, json_t **ret_loaded, json_t **ret_metadata)
{
    TRY(catalog_call(cli, "GET", path, NULL, ret_loaded));
    return json_need_object(*ret_loaded, "metadata", ret_metadata);
}

struct err catalog_get_own(struct cli *cli, const char *path, json_t **ret)
{
    struct request request = { .method = "GET" };

    TRY(need_token(cli));
    request.bearer = cli->token;
    return send(cli, &request, str_from_z(path), ret);
}

struct err catalog_post_path(struct cli *cli, const char *path, const json_t *body, json_t **ret)
{
    return call(cli, "POST", str_from_z(path), body, ret);
}

/* ---- paths ---- */

struct str api_path(struct cli *cli, struct str before, struct str piece)
{
    struct buf out;

    buf_init(&out, 64 * KIB);
    buf_str(&out, before);
    percent_to(&out, piece, "");
    const struct str text = buf_err(&out).code == ERR_OK ? arena_str(cli->arena, buf_view(&out)) : STR_NONE;
    buf_done(&out);
    return text;
}

/* The catalog's prefix is in its configuration. Without a name the server answers for the only one there is, or says that it wants one. */
static struct err need_prefix(struct cli *cli)
{
    CLEANUP(json_freep) json_t *config = NULL;
    const char *name = cli->catalog_word ? cli->catalog_word : connect_catalog(cli->options);
    struct str path = STR("/v1/config"), prefix = STR_NONE;

    if (cli->prefix.len) return OK;
    if (name) path = api_path(cli, STR("/v1/config?warehouse="), str_from_z(name));
    if (!path.data) return no_memory();
    const struct err e = catalog_call(cli, "GET", path, NULL, &config);
    if (e.code == ERR_INVALID && !name)
        return err_fail(ERR_INVALID_ARGUMENT, "which catalog? Give --catalog NAME (%s)", e.why);
    TRY(e);
    TRY(json_want_str(json_object_get(config, "defaults"), "prefix", &prefix));
    TRY(json_want_str(json_object_get(config, "overrides"), "prefix", &prefix));
    cli->prefix = prefix.len ? api_path(cli, STR("/"), prefix) : STR("/");
    return cli->prefix.data ? OK : no_memory();
}

struct err catalog_own_call(struct cli *cli, const char *method, const char *behind, const json_t *body,
                            json_t **ret)
{
    TRY(need_prefix(cli));
    const struct str path = arena_printf(cli->arena, "/api/firn/v1/catalogs%.*s%s", STR_ARG(cli->prefix),
                                         behind);
    return path.data ? call(cli, method, path, body, ret) : no_memory();
}

struct err catalog_name(struct cli *cli, struct str *ret)
{
    TRY(need_prefix(cli));
    if (cli->prefix.len < 2) return FAIL(ERR_INVALID_ARGUMENT, "which catalog? Give --catalog NAME");
    *ret = str_from(cli->prefix, 1);
    return OK;
}

struct err catalog_namespaces_path(struct cli *cli, struct str *ret)
{
    TRY(need_prefix(cli));
    *ret = arena_printf(cli->arena, "/v1%.*s/namespaces", cli->prefix.len > 1 ? (int)cli->prefix.len : 0,
                        cli->prefix.data);
    return ret->data ? OK : no_memory();
}

static struct err path_below(struct cli *cli, const struct ident *ns, const char *behind, struct str *ret)
{
    struct str base;

    TRY(catalog_namespaces_path(cli, &base));
    const struct str piece = ident_to_path(ns, cli->arena);
    *ret = arena_printf(cli->arena, "%.*s/%.*s%s", STR_ARG(base), STR_ARG(piece), behind);
    return ret->data && piece.data ? OK : no_memory();
}

struct err catalog_namespace_path(struct cli *cli, const char *word, struct str *ret)
{
    struct ident ns;

    TRY(ident_parse(str_from_z(word), cli->arena, &ns));
    return path_below(cli, &ns, "", ret);
}

struct err table_word(struct cli *cli, const char *word, struct ident *ret_ns, struct str *ret_table)
{
    TRY(ident_parse(str_from_z(word), cli->arena, ret_ns));
    if (ret_ns->count < 2) return err_fail(ERR_INVALID_ARGUMENT, "'%s' must be NAMESPACE.TABLE", word);
    *ret_table = ret_ns->levels[--ret_ns->count];
    return OK;
}

static struct err item_path(struct cli *cli, const char *word, const char *kind, struct str *ret)
{
    struct ident ns;
    struct str name, base;

    TRY(table_word(cli, word, &ns, &name));
    TRY(path_below(cli, &ns, kind, &base));
    *ret = api_path(cli, base, name);
    return ret->data ? OK : no_memory();
}

struct err catalog_table_path(struct cli *cli, const char *word, struct str *ret)
{
    return item_path(cli, word, "/tables/", ret);
}

struct err catalog_view_path(struct cli *cli, const char *word, struct str *ret)
{
    return item_path(cli, word, "/views/", ret);
}

/* ---- listings ---- */

static struct err page_take(const json_t *page, const char *member, json_t *ret_rows, struct str *ret_next)
{
    json_t *rows;

    TRY(json_need_array(page, member, &rows));
    if (json_array_extend(ret_rows, rows) != 0) return no_memory();
    *ret_next = json_str(json_object_get(page, "next-page-token"));
    return OK;
}

struct err catalog_pages(struct cli *cli, struct str path, const char *member, json_t *ret_rows)
{
    const char *mark = str_contains(path, STR("?")) ? "&" : "?";
    struct str token = STR("");

    for (int page = 0; page < LIMIT_PAGES; page++) {
        CLEANUP(json_freep) json_t *answer = NULL;
        struct str next;
        const struct str first = arena_printf(cli->arena, "%.*s%spageSize=1000&pageToken=", STR_ARG(path),
                                              mark);
        const struct str whole = api_path(cli, first, token);
        if (!first.data || !whole.data) return no_memory();
        TRY(catalog_call(cli, "GET", whole, NULL, &answer));
        TRY(page_take(answer, member, ret_rows, &next));
        if (next.len == 0) return OK;
        token = arena_str(cli->arena, next);
    }
    return FAIL(ERR_INTERNAL, "the server's listing does not end");
}

static struct err ident_of_levels(const json_t *levels, struct ident *ret)
{
    const json_t *level;
    size_t i;

    ret->count = 0;
    json_array_foreach((json_t *)levels, i, level)
    {
        if (ret->count == IDENT_LEVELS_MAX)
            return FAIL(ERR_INTERNAL, "the server names a namespace of too many levels");
        ret->levels[ret->count++] = json_str(level);
    }
    return OK;
}

static struct err children_of(struct cli *cli, const struct ident *parent, json_t *ret_rows)
{
    struct str path;

    TRY(catalog_namespaces_path(cli, &path));
    if (parent && parent->count)
        path = arena_printf(cli->arena, "%.*s?parent=%s", STR_ARG(path),
                            ident_to_path(parent, cli->arena).data);
    if (!path.data) return no_memory();
    return catalog_pages(cli, path, "namespaces", ret_rows);
}

/* The rows themselves are the list of what is still to be looked into: they grow behind while we go. */
struct err catalog_walk(struct cli *cli, const struct ident *parent, bool is_all, json_t *ret_rows)
{
    size_t next = json_array_size(ret_rows);

    TRY(children_of(cli, parent, ret_rows));
    for (; is_all && next < json_array_size(ret_rows); next++) {
        struct ident ident;
        if (next > LIMIT_WALK) return FAIL(ERR_TOO_LARGE, "there are more namespaces than are listed");
        TRY(ident_of_levels(json_array_get(ret_rows, next), &ident));
        TRY(children_of(cli, &ident, ret_rows));
    }
    return OK;
}
