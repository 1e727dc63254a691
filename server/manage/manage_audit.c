/*
 * manage_audit.c - GET /audit: the audit log by pages, newest first.
 *
 *   from, to       times (ISO 8601, or milliseconds since 1970): from <= time < to
 *   principal, operation, outcome, catalog   exactly; object: how it begins
 *   pageSize (1 to 1,000), pageToken
 */
#include "server/manage/manage_ops.h"
#include "storage/base/clock.h"
#include "storage/base/thread.h"

enum { PAGE_SIZE = 100, PAGE_SIZE_MAX = 1000 };

static struct err read_time(struct str name, struct str value, int64_t *ret)
{
    if (str_to_i64(value, ret) && *ret >= 0) return OK;
    if (clock_parse(value, ret) && *ret >= 0) return OK;
    return err_fail(ERR_INVALID,
                    "'%.*s' must be a time like 2026-11-21T09:30:00Z, or milliseconds since 1970",
                    STR_ARG(name));
}

static struct err read_size(struct str value, size_t *ret)
{
    uint64_t number;

    if (!str_to_u64(value, &number) || number == 0 || number > PAGE_SIZE_MAX)
        return err_fail(ERR_INVALID, "'pageSize' must be from 1 to %d", PAGE_SIZE_MAX);
    *ret = (size_t)number;
    return OK;
}

/* One parameter; what is not known is refused, since a filter that was mistyped would show everything. */
static struct err take(struct str name, struct str value, struct audit_query *q)
{
    const struct {
        const char *name;
        struct str *field;
    } texts[] = {
        { "principal", &q->principal }, { "operation", &q->operation }, { "object", &q->object },
        { "outcome", &q->outcome },     { "catalog", &q->catalog },     { "pageToken", &q->token }
    };

    if (str_is(name, "from")) return read_time(name, value, &q->from_ms);
    if (str_is(name, "to")) return read_time(name, value, &q->to_ms);
    if (str_is(name, "pageSize")) return read_size(value, &q->size);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (!str_is(name, texts[i].name)) continue;
        *texts[i].field = value;
        return OK;
    }
    return err_fail(ERR_INVALID, "there is no parameter '%.*s'", STR_ARG(str_slice(name, 0, 64)));
}

struct err manage_read_audit(struct manage_request *req)
{
    struct audit_query q = { .to_ms = INT64_MAX, .size = PAGE_SIZE };
    json_t *events = NULL;
    struct str token;

    for (size_t i = 0; i < req->http->query_count; i++)
        TRY(take(req->http->query[i].name, req->http->query[i].value, &q));
    TRY(audit_read(req->store, &q, req->arena, &events, &token));
    json_t *next = token.len ? json_of_str(token) : json_null();
    api_answer_json(req->http, 200, json_pack("{s:o, s:o}", "events", events, "next-page-token", next));
    return OK;
}
