/*
 * doctor.c - firn doctor: what a person would look at first, in that order, with what to do about it.
 *
 * A check that fails does not stop the others, but those that need it are left out: without an address there is no credential to try. The exit code is that of the
 * first failure; a warning is none. The server's own settings are `firn config check`.
 */
#include "admin/cli/api.h"
#include "storage/base/clock.h"
#include "storage/base/thread.h"

#define SKEW_WARN_MS                                                                                         \
    60000 /* S3 refuses from 15 minutes on; a clock that is a minute off is on its way there */
#define FREE_WARN_PERCENT 10 /* of the disk */
#define NAMESPACES_MAX 20    /* to look for a table in */

enum state { STATE_OK, STATE_WARN, STATE_FAIL };

struct doctor {
    struct cli *cli;
    json_t *rows;
    struct err worst;
};

static void tell(struct doctor *d, enum state state, const char *check, const char *said)
{
    static const char *const names[] = { [STATE_OK] = "ok", [STATE_WARN] = "warn", [STATE_FAIL] = "FAIL" };

    json_array_append_new(
        d->rows,
        json_pack("{s:s, s:s, s:s}", "state", names[state], "check", check, "what", said ? said : ""));
}

/* A step's outcome as a line; ok is what is said when it went well. */
static bool judge(struct doctor *d, const char *check, struct err e, const char *ok)
{
    tell(d, e.code == ERR_OK ? STATE_OK : STATE_FAIL, check, e.code == ERR_OK ? ok : e.why);
    if (e.code != ERR_OK && d->worst.code == ERR_OK) d->worst = e;
    return e.code == ERR_OK;
}

/* ---- is it there ---- */

static bool is_loopback(struct str url)
{
    return str_starts(url, STR("http://127.")) || str_starts(url, STR("http://localhost"))
        || str_starts(url, STR("http://[::1]"));
}

static void check_clock(struct doctor *d, const char *check, struct str date)
{
    int64_t server_ms;
    const int64_t now = clock_now_ms();

    if (date.len == 0 || !clock_parse(date, &server_ms)) return;
    const int64_t off = now > server_ms ? now - server_ms : server_ms - now;
    if (off < SKEW_WARN_MS) return;
    const struct str said = arena_printf(
        d->cli->arena,
        "this clock and the server's are %lld s apart; from 900 s on S3 refuses: set the clocks by NTP",
        (long long)(off / 1000));
    tell(d, STATE_WARN, check, said.data);
}

static bool check_api(struct doctor *d, enum api api, const char *check)
{
    struct request request = { .method = "GET" };
    struct reply reply = { .status = 0 };
    struct str base;

    struct err e = api_endpoint(d->cli, api, &base);
    if (e.code != ERR_OK) return judge(d, check, e, "");
    request.url = arena_join(d->cli->arena, base, STR("/health/ready"));
    e = client_send(d->cli->client, &request, d->cli->arena, &reply);
    if (e.code == ERR_OK && reply.status != 200)
        e = err_fail(ERR_BUSY,
                     "%.*s is there but not ready (it answered %d): see firn status and the server's log",
                     STR_ARG(base), reply.status);
    if (!judge(d, check, e, arena_printf(d->cli->arena, "%.*s is ready", STR_ARG(base)).data)) return false;
    if (str_starts(base, STR("http://")) && !is_loopback(base))
        tell(d, STATE_WARN, check,
             "credentials and data travel in plain text: give the server a certificate, and use https://");
    check_clock(d, check, reply.date);
    return true;
}

/* ---- does it let us in, is it well ---- */

static void check_status(struct doctor *d)
{
    CLEANUP(json_freep) json_t *status = NULL;
    const struct err e = catalog_get_own(d->cli, "/api/firn/v1/status", &status);

    if (e.code == ERR_DENIED) {
        tell(d, STATE_WARN, "status", "only an administrator sees it");
        return;
    }
    if (!judge(d, "status", e, "the server tells how it is")) return;
    const json_t *disk = json_object_get(status, "disk");
    const json_int_t free_bytes = json_integer_value(json_object_get(disk, "free_bytes")),
                     total = json_integer_value(json_object_get(disk, "total_bytes"));
    if (!json_is_true(json_object_get(status, "writable")))
        (void)judge(d, "writes",
                    err_fail(ERR_NO_SPACE, "the server takes no writes: %.*s",
                             STR_ARG(json_str(json_object_get(status, "why_not")))),
                    "");
    else tell(d, STATE_OK, "writes", "are taken");
    if (total > 0 && free_bytes / (total / 100 + 1) < FREE_WARN_PERCENT)
        tell(d, STATE_WARN, "disk", "less than a tenth is free: delete, expire snapshots, or make it larger");
    else tell(d, STATE_OK, "disk", "has room");
}

static bool check_catalog(struct doctor *d)
{
    struct str name;
    const struct err e = catalog_name(d->cli, &name);

    if (e.code != ERR_INVALID_ARGUMENT)
        return judge(d, "catalog", e,
                     e.code == ERR_OK ? arena_printf(d->cli->arena, "%.*s", STR_ARG(name)).data : "");
    tell(d, STATE_WARN, "catalog", e.why); /* there are several */
    return false;
}

/* ---- would its clients find their files ---- */

static struct err get_below(struct cli *cli, struct str path, const char *behind, json_t **ret)
{
    const struct str whole = arena_join(cli->arena, path, str_from_z(behind));

    return whole.data ? catalog_call(cli, "GET", whole, NULL, ret)
                      : FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
}

static struct err first_of_namespace(struct cli *cli, const json_t *levels, struct str ns,
                                     struct str *ret_word)
{
    CLEANUP(json_freep) json_t *page = NULL;
    struct str path;

    TRY(catalog_namespace_path(cli, ns.data, &path));
    TRY(get_below(cli, path, "/tables?pageSize=1&pageToken=", &page));
    const json_t *ident = json_array_get(json_object_get(page, "identifiers"), 0);
    if (ident) *ret_word = ident_print(levels, json_str(json_object_get(ident, "name")), cli->arena);
    return OK;
}

/* Any table will do; it is looked for in so many namespaces, outer ones first. *ret_word is empty if none has one. */
static struct err first_table(struct cli *cli, struct str *ret_word)
{
    CLEANUP(json_freep) json_t *namespaces = json_array(); /* grows behind while we go */
    struct ident parent;

    *ret_word = STR_NONE;
    TRY(catalog_walk(cli, NULL, false, namespaces));
    for (size_t i = 0; i < json_array_size(namespaces) && i < NAMESPACES_MAX; i++) {
        const json_t *levels = json_array_get(namespaces, i);
        const struct str ns = ident_print(levels, STR_NONE, cli->arena);
        if (!ns.data) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
        TRY(first_of_namespace(cli, levels, ns, ret_word));
        if (ret_word->len) return OK;
        TRY(ident_parse(ns, cli->arena, &parent));
        TRY(catalog_walk(cli, &parent, false, namespaces));
    }
    return OK;
}

/* Where clients are told to find the files of a table, as the server tells those who reach it by our address. */
static struct err told_address(struct cli *cli, struct str word, struct str *ret)
{
    CLEANUP(json_freep) json_t *loaded = NULL;
    struct str path;

    TRY(catalog_table_path(cli, word.data, &path));
    TRY(get_below(cli, path, "?snapshots=refs", &loaded));
    *ret = arena_str(cli->arena, json_str(json_object_get(json_object_get(loaded, "config"), "s3.endpoint")));
    return OK;
}

static struct err try_address(struct cli *cli, struct str url)
{
    struct request request = { .method = "GET", .url = arena_join(cli->arena, url, STR("/health/ready")) };
    struct reply reply = { .status = 0 };
    const struct err e = client_send(cli->client, &request, cli->arena, &reply);

    if (e.code == ERR_OK && reply.status == 200) return OK;
    return err_fail(
        e.code == ERR_OK ? ERR_UNAVAILABLE : e.code,
        "the catalog tells clients that files are at %.*s, and %s: set s3-endpoint or s3-endpoint-map of the server",
        STR_ARG(url), e.code == ERR_OK ? "no Firn that is ready answers there" : e.why);
}

static void check_files(struct doctor *d)
{
    struct str word, url = STR_NONE;

    struct err e = first_table(d->cli, &word);
    if (e.code == ERR_OK && word.len) e = told_address(d->cli, word, &url);
    if (e.code == ERR_OK && url.len) e = try_address(d->cli, url);
    if (e.code == ERR_OK && !url.len)
        tell(d, STATE_OK, "files", "there is no table to ask for their address");
    else (void)judge(d, "files", e, arena_printf(d->cli->arena, "clients are told %.*s", STR_ARG(url)).data);
}

struct err verb_doctor(struct cli *cli)
{
    static const struct column columns[] = { { "state", "STATE", COLUMN_TEXT },
                                             { "check", "CHECK", COLUMN_TEXT },
                                             { "what", "WHAT", COLUMN_TEXT },
                                             { NULL, NULL, COLUMN_TEXT } };
    CLEANUP(json_freep) json_t *rows = json_array();
    struct doctor d = { .cli = cli, .rows = rows, .worst = OK };
    struct str body;

    const bool has_s3 = check_api(&d, API_S3, "s3"), has_catalog = check_api(&d, API_CATALOG, "catalog API");
    const bool has_credential = judge(&d, "credential", api_credential(cli), "found");
    if (has_s3 && has_credential)
        (void)judge(&d, "s3 credential", s3_call(cli, "GET", STR("/"), &body), "is accepted");
    if (has_catalog && has_credential) {
        check_status(&d);
        if (check_catalog(&d)) check_files(&d);
    }
    TRY(cli_print_rows(cli, columns, rows));
    return d.worst;
}
