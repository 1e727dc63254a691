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

static void check_catalog(struct doctor *d)
{
    struct str name;
    const struct err e = catalog_name(d->cli, &name);

    if (e.code == ERR_INVALID_ARGUMENT) tell(d, STATE_WARN, "catalog", e.why); /* there are several */
    else
        (void)judge(d, "catalog", e,
                    e.code == ERR_OK ? arena_printf(d->cli->arena, "%.*s", STR_ARG(name)).data : "");
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
        check_catalog(&d);
    }
    TRY(cli_print_rows(cli, columns, rows));
    return d.worst;
}
