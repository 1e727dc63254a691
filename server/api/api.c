/*
 * api.c - bodies in, JSON out.
 */
#include "server/api/api.h"

#include "storage/base/limits.h"

/* ---- the body ---- */

static void text_done(void *arg)
{
    buf_done(arg);
}

struct err api_body_begin(struct http_request *http, size_t bytes_max, struct buf **ret)
{
    struct buf *text;

    if (http_has_header(http, "content-encoding"))
        return FAIL(ERR_INVALID, "a Content-Encoding of the request is not supported");
    if (http->has_content_length && http->content_length > bytes_max)
        return FAIL(ERR_TOO_LARGE, "the request body is too large");
    text = arena_new_of(http->arena, struct buf);
    if (!text || !arena_defer(http->arena, text_done, text)) return no_memory();
    buf_init(text, bytes_max);
    *ret = text;
    return OK;
}

static void json_drop(void *arg)
{
    json_decref(arg);
}

struct err api_body_parse(struct http_request *http, const struct buf *text, json_t **ret)
{
    json_t *body;

    TRY(json_parse(buf_view(text), &body));
    if (!arena_defer(http->arena, json_drop, body)) {
        json_decref(body);
        return no_memory();
    }
    if (!json_is_object(body)) return FAIL(ERR_INVALID, "the request body must be a JSON object");
    *ret = body;
    return OK;
}

/* ---- answers ---- */

void api_answer_text(struct http_request *http, int status, struct str json)
{
    http_set(http, "Content-Type", STR("application/json"));
    http_answer(http, status, json);
}

void api_answer_json(struct http_request *http, int status, json_t *value)
{
    struct buf out;
    struct str text = STR_NONE;

    buf_init(&out, LIMIT_JSON_BYTES);
    if (value && json_print(value, &out).code == ERR_OK) text = arena_str(http->arena, buf_view(&out));
    buf_done(&out);
    json_decref(value);
    api_answer_text(http, text.data ? status : 503, text);
}

void api_answer_empty(struct http_request *http, int status)
{
    http_answer(http, status, STR(""));
}

const char *api_method_name(enum http_method method)
{
    static const char *const names[] = {
        "GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH", "OTHER"
    };
    return names[method];
}
