/*
 * sigv4_canonical.c - the canonical request: the one text that client and server must both arrive at.
 *
 *   METHOD \n path \n query \n name:value \n (for each signed header) \n names \n payload hash
 *
 * S3's rules differ from those of other AWS services: the path is encoded once, and "//", "." and ".." stay what they are (s3.md 1). Query
 * values are decoded before they are encoded, since clients differ in what they escape ('/', ';', '~').
 */
#include "server/auth/sigv4.h"

#include <stdlib.h>

#include "storage/base/buf.h"
#include "storage/base/encode.h"

/* What was appended to the buf, moved to the arena. */
static struct err settle(struct buf *b, struct arena *arena, struct str *ret)
{
    struct err e = buf_err(b);

    if (e.code == ERR_OK) {
        const struct str text = arena_str(arena, buf_view(b));
        if (text.data) *ret = text;
        else e = no_memory();
    }
    buf_done(b);
    return e;
}

/* ---- path and query ---- */

struct err sigv4_canonical_path(const struct http_request *req, struct str *ret)
{
    struct buf b;

    buf_init(&b, LIMIT_CANONICAL_BYTES);
    percent_to(&b, req->path, "/");
    return settle(&b, req->arena, ret);
}

/* name and value, encoded. */
struct encoded_pair {
    struct str name, value;
};

static int by_name_and_value(const void *a, const void *b)
{
    const struct encoded_pair *x = a, *y = b;
    const int order = str_cmp(x->name, y->name);
    return order ? order : str_cmp(x->value, y->value);
}

static struct err encode(struct str text, struct arena *arena, struct str *ret)
{
    struct buf b;

    buf_init(&b, LIMIT_CANONICAL_BYTES);
    percent_to(&b, text, "");
    return settle(&b, arena, ret);
}

struct err sigv4_canonical_query(const struct http_request *req, bool is_presigned, struct str *ret)
{
    struct encoded_pair *pairs = arena_array(req->arena, struct encoded_pair, req->query_count + 1);
    size_t count = 0;
    struct buf b;

    if (!pairs) return no_memory();
    for (size_t i = 0; i < req->query_count; i++) {
        const struct http_pair *p = &req->query[i];
        if (is_presigned && str_is(p->name, "X-Amz-Signature")) continue;
        TRY(encode(p->name, req->arena, &pairs[count].name));
        TRY(encode(p->value, req->arena, &pairs[count].value));
        count++;
    }
    qsort(pairs, count, sizeof(*pairs), by_name_and_value);
    buf_init(&b, LIMIT_CANONICAL_BYTES);
    for (size_t i = 0; i < count; i++) {
        if (i) buf_char(&b, '&');
        buf_str(&b, pairs[i].name);
        buf_char(&b, '=');
        buf_str(&b, pairs[i].value);
    }
    return settle(&b, req->arena, ret);
}

/* ---- headers ---- */

/* Trimmed already; runs of blanks inside become one. */
static void put_folded(struct buf *out, struct str value)
{
    bool was_blank = false;

    for (size_t i = 0; i < value.len; i++) {
        const char c = value.data[i];
        const bool is_blank = c == ' ' || c == '\t';
        if (!is_blank) buf_char(out, c);
        else if (!was_blank) buf_char(out, ' ');
        was_blank = is_blank;
    }
}

/* All headers of that name, joined. One that is signed and not there is an empty one: the signature decides. */
static void put_header(const struct http_request *req, struct str name, struct buf *out)
{
    bool is_first = true;

    for (size_t i = 0; i < req->header_count; i++) {
        if (!str_eq(req->headers[i].name, name)) continue;
        if (!is_first) buf_char(out, ',');
        put_folded(out, req->headers[i].value);
        is_first = false;
    }
}

static bool is_listed(struct str names, struct str name)
{
    struct str piece;

    for (struct str_split it = str_split_on(names, ';'); str_split_next(&it, &piece);) {
        if (str_eq(piece, name)) return true;
    }
    return false;
}

/* Ascending, as the specification has it: so none is there twice. */
static bool is_ascending(struct str names)
{
    struct str previous = STR_NONE, piece;
    size_t count = 0;

    for (struct str_split it = str_split_on(names, ';'); str_split_next(&it, &piece); count++) {
        if (str_cmp(previous, piece) >= 0) return false;
        previous = piece;
    }
    return count <= LIMIT_SIGNED_HEADERS;
}

struct err sigv4_check_signed_headers(const struct http_request *req, const struct sigv4_claim *claim)
{
    if (!is_ascending(claim->signed_headers))
        return FAIL(claim->is_query ? ERR_AUTH_QUERY_INVALID : ERR_AUTH_HEADER_MALFORMED,
                    "SignedHeaders must be sorted, each once");
    if (!is_listed(claim->signed_headers, STR("host")))
        return FAIL(ERR_DENIED, "the Host header is not signed");
    for (size_t i = 0; i < req->header_count; i++) {
        const struct str name = req->headers[i].name;
        if (str_starts(name, STR("x-amz-")) && !is_listed(claim->signed_headers, name))
            return err_fail(ERR_DENIED, "the header %.*s is not signed", STR_ARG(str_slice(name, 0, 128)));
    }
    return OK;
}

/* ---- the whole ---- */

void sigv4_canonical_request(const struct http_request *req, const struct sigv4_claim *claim,
                             const struct sigv4_variant *v, struct str payload, struct buf *out)
{
    struct str name;

    buf_str(out, req->method_name);
    buf_char(out, '\n');
    buf_str(out, v->path);
    buf_char(out, '\n');
    buf_str(out, v->query);
    buf_char(out, '\n');
    for (struct str_split it = str_split_on(claim->signed_headers, ';'); str_split_next(&it, &name);) {
        buf_str(out, name);
        buf_char(out, ':');
        if (str_is(name, "host")) put_folded(out, v->host);
        else put_header(req, name, out);
        buf_char(out, '\n');
    }
    buf_char(out, '\n');
    buf_str(out, claim->signed_headers);
    buf_char(out, '\n');
    buf_str(out, payload);
}
