/*
 * api.h - what the two JSON APIs, the Iceberg catalog and management, do alike: bodies are collected and parsed, answers and errors are JSON documents.
 *
 * What belongs to a request lives in its arena. Errors: {"error": {"message", "type", "code"}}, as Iceberg's REST specification and Polaris have it; one table from
 * our codes to type and status (api_error.c).
 */
#ifndef SERVER_API_API_H
#define SERVER_API_API_H

#include "server/http/http.h"
#include "storage/base/json.h"

/* ---- the body ---- */

/* In head: a buf for the body. ERR_INVALID: it is encoded. ERR_TOO_LARGE: it is announced with more than bytes_max. */
struct err api_body_begin(struct http_request *http, size_t bytes_max, struct buf **ret);
/* The body as a JSON object. ERR_INVALID with line and column. */
struct err api_body_parse(struct http_request *http, const struct buf *text, json_t **ret);

/* ---- answers: once per request ---- */

void api_answer_json(struct http_request *http, int status, json_t *value); /* takes value; NULL: 503 */
void api_answer_text(struct http_request *http, int status, struct str json); /* in the arena */
void api_answer_empty(struct http_request *http, int status);
/* The error's document. Clients get no texts of the machine's own failures, and of a refusal no more than that it is one. */
void api_answer_error(struct http_request *http, struct err e);
/* The same document with words of the caller's own. */
void api_answer_error_as(struct http_request *http, int status, const char *type, struct str said);

/* "GET" ...: for lists of operations. */
const char *api_method_name(enum http_method method);

#endif
