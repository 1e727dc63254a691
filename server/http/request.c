/*
 * request.c - reading the head of a request: the target, the query, and the rules that keep framing unambiguous.
 *
 * Two programs that read one head differently are how requests are smuggled past a proxy. So whatever HTTP/1.1 leaves open, or asks
 * us to repair, is refused here (reliability.md F): the edge sees only heads that have one reading.
 */
#include <string.h>

#include "server/http/call.h"
#include "storage/base/encode.h"

/* ---- characters ---- */

/* RFC 9110 5.6.2, upper case excepted: names have been lowered. */
static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        const unsigned char c = (unsigned char)s.data[i];
        if (c >= 'a' && c <= 'z') continue;
        if (c >= '0' && c <= '9') continue;
        if (!c || !strchr("!#$%&'*+-.^_`|~", c)) return false;
    }
    return s.len > 0;
}

/* No control characters but the tab. Bytes over 0x7f pass: S3 takes UTF-8 in user metadata. */
static bool is_field_value(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        const unsigned char c = (unsigned char)s.data[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) return false;
    }
    return true;
}

static bool is_host(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        const unsigned char c = (unsigned char)s.data[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) continue;
        if (!c || !strchr("-._~:[]%", c)) return false;
    }
    return s.len > 0;
}

static bool is_target(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        const unsigned char c = (unsigned char)s.data[i];
        if (c <= 0x20 || c == 0x7f) return false;
    }
    return s.len > 0;
}

/* ---- the target ---- */

static enum http_method method_from(struct str name)
{
    static const struct {
        struct str name;
        enum http_method method;
    } methods[] = {
        { { "GET", 3 }, HTTP_GET },     { { "PUT", 3 }, HTTP_PUT },       { { "HEAD", 4 }, HTTP_HEAD },
        { { "POST", 4 }, HTTP_POST },   { { "DELETE", 6 }, HTTP_DELETE }, { { "OPTIONS", 7 }, HTTP_OPTIONS },
        { { "PATCH", 5 }, HTTP_PATCH },
    };

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (str_eq(name, methods[i].name)) return methods[i].method;
    }
    return HTTP_OTHER;
}

static bool is_method_token(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        const char c = name.data[i];
        if ((c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_') return false;
    }
    return name.len > 0;
}

/* The authority of an absolute-form target, and what is behind it. False if it is not of that form. */
static bool cut_absolute(struct str target, struct str *ret_authority, struct str *ret_rest)
{
    static const struct str schemes[] = { { "http://", 7 }, { "https://", 8 } };

    for (size_t i = 0; i < 2; i++) {
        if (!str_eq_nocase(str_slice(target, 0, schemes[i].len), schemes[i])) continue;
        const struct str behind = str_from(target, schemes[i].len);
        size_t end = str_find_char(behind, '/');
        const size_t question = str_find_char(behind, '?');
        if (question < end) end = question;
        *ret_authority = str_slice(behind, 0, end);
        *ret_rest = str_from(behind, end);
        return true;
    }
    return false;
}

/* One decoded piece of the query; false: not well formed. Most have nothing to decode, and are not copied. */
static bool decode(struct arena *arena, struct str raw, bool plus_is_space, struct str *ret)
{
    if (!memchr(raw.data, '%', raw.len) && !(plus_is_space && memchr(raw.data, '+', raw.len))) {
        *ret = raw;
        return true;
    }
    const struct str decoded = percent_str(arena, raw, plus_is_space);
    if (!decoded.data) return false;
    *ret = decoded;
    return true;
}

static size_t count_pairs(struct str query)
{
    size_t count = query.len ? 1 : 0;

    for (size_t i = 0; i < query.len; i++) count += query.data[i] == '&';
    return count;
}

/* False: too many, or no memory. A pair that cannot be decoded marks the query as bad and stays as it came. */
static bool parse_query(struct http_request *req)
{
    const size_t count = count_pairs(req->raw_query);
    if (!count) return true;
    if (count > LIMIT_QUERY) return false;
    struct http_pair *pairs = arena_array(req->arena, struct http_pair, count);
    if (!pairs) return false;

    size_t filled = 0;
    struct str piece;
    for (struct str_split it = str_split_on(req->raw_query, '&'); str_split_next(&it, &piece);) {
        if (!piece.len) continue;
        struct http_pair *pair = &pairs[filled++];
        pair->raw_value = str_cut(piece, '=', &pair->raw_name);
        pair->has_equals = pair->raw_name.len < piece.len;
        if (!pair->has_equals) pair->raw_value = STR("");
        if (!decode(req->arena, pair->raw_name, true, &pair->name)
            || !decode(req->arena, pair->raw_value, true, &pair->value)) {
            req->is_query_bad = true;
            pair->name = pair->raw_name;
            pair->value = pair->raw_value;
        }
    }
    req->query = pairs;
    req->query_count = filled;
    return true;
}

const char *request_parse_target(struct http_request *req, int *ret_status)
{
    *ret_status = 400;
    if (!is_method_token(req->method_name) || str_is(req->method_name, "CONNECT")) return "bad method";
    req->method = method_from(req->method_name);
    if (!is_target(req->target)) return "bad request target";

    struct str rest = req->target, authority;
    if (cut_absolute(req->target, &authority, &rest)) {
        /* It would overrule Host; two names for one request are two readings of it. */
        if (!str_eq_nocase(authority, req->host)) return "the request target and Host differ";
    } else if (rest.data[0] != '/') {
        return "bad request target";
    }
    const size_t question = str_find_char(rest, '?');
    req->raw_path = question ? str_slice(rest, 0, question) : STR("/");
    req->raw_query = str_from(rest, question + 1);
    if (!decode(req->arena, req->raw_path, false, &req->path)) {
        req->is_path_bad = true;
        req->path = req->raw_path;
    }
    if (!parse_query(req)) {
        *ret_status = 414;
        return "too many query parameters";
    }
    return NULL;
}

/* ---- headers ---- */

/* Decimal digits alone: no sign, no list, no hexadecimal. */
static const char *take_length(struct http_request *req, struct str value)
{
    if (req->has_content_length) return "two Content-Length headers";
    if (!str_to_u64(value, &req->content_length)) return "bad Content-Length";
    req->has_content_length = true;
    return NULL;
}

/* libmicrohttpd compares without trimming, so neither may we: both must see the same body. */
static const char *take_encoding(struct http_request *req, struct str value)
{
    if (req->is_chunked) return "two Transfer-Encoding headers";
    if (!str_is_nocase(value, "chunked")) return "bad Transfer-Encoding";
    req->is_chunked = true;
    return NULL;
}

static const char *take_host(struct http_request *req, struct str value)
{
    if (req->host.data) return "two Host headers";
    if (!is_host(value)) return "bad Host";
    req->host = value;
    return NULL;
}

static const char *take_header(struct http_request *req, struct http_pair *h)
{
    const struct str as_it_came = h->value;
    const char *refusal = NULL;

    if (!is_token(h->name)) return "bad header name";
    if (!is_field_value(h->value)) return "bad header value";
    h->value = str_trim(h->value);
    if (str_is(h->name, "host")) refusal = take_host(req, h->value);
    if (str_is(h->name, "content-length")) refusal = take_length(req, as_it_came);
    if (str_is(h->name, "transfer-encoding")) refusal = take_encoding(req, as_it_came);
    return refusal;
}

const char *request_check_headers(struct http_request *req, struct http_pair *headers, bool is_1_0,
                                  int *ret_status)
{
    *ret_status = 400;
    for (size_t i = 0; i < req->header_count; i++) {
        const char *refusal = take_header(req, &headers[i]);
        if (refusal) return refusal;
    }
    if (!req->host.data) return "no Host header";
    if (req->is_chunked && req->has_content_length) return "Content-Length with Transfer-Encoding";
    if (req->is_chunked && is_1_0) return "Transfer-Encoding in HTTP/1.0";
    req->has_body = req->is_chunked || req->content_length > 0;
    req->headers = headers;
    return NULL;
}

/* ---- what edges ask ---- */

static const struct http_pair *find(const struct http_pair *pairs, size_t count, const char *name)
{
    const size_t len = strlen(name);

    for (size_t i = 0; i < count; i++) {
        if (pairs[i].name.len == len && !memcmp(pairs[i].name.data, name, len)) return &pairs[i];
    }
    return NULL;
}

struct str http_header(const struct http_request *req, const char *name)
{
    const struct http_pair *pair = find(req->headers, req->header_count, name);
    return pair ? pair->value : STR_NONE;
}

bool http_has_header(const struct http_request *req, const char *name)
{
    return find(req->headers, req->header_count, name) != NULL;
}

size_t http_header_repeats(const struct http_request *req, const char *name)
{
    size_t count = 0;

    for (size_t i = 0; i < req->header_count; i++) count += str_is(req->headers[i].name, name);
    return count;
}

struct str http_query(const struct http_request *req, const char *name)
{
    const struct http_pair *pair = find(req->query, req->query_count, name);
    return pair ? pair->value : STR_NONE;
}

bool http_has_query(const struct http_request *req, const char *name)
{
    return find(req->query, req->query_count, name) != NULL;
}

struct err http_split_path(struct http_request *req, struct http_path_parts *ret)
{
    struct http_path_parts parts = { 0 };
    struct str piece, rest = str_from(req->raw_path, 1);

    for (struct str_split it = str_split_on(rest, '/'); str_split_next(&it, &piece);) {
        const bool is_last = piece.data + piece.len == rest.data + rest.len;
        if (!piece.len && is_last) break;
        if (parts.count == LIMIT_PATH_PARTS) return FAIL(ERR_INVALID_URI, "the path has too many parts");
        if (!decode(req->arena, piece, false, &parts.parts[parts.count++])) {
            return FAIL(ERR_INVALID_URI, "the path is not well encoded");
        }
    }
    *ret = parts;
    return OK;
}
