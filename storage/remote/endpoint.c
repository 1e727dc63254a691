/*
 * endpoint.c - taking addresses apart, strictly: what is signed must be what is meant.
 */
#include "storage/remote/endpoint.h"

#include <stdlib.h>
#include <string.h>

#include "storage/base/buf.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"

#define ENCODED_MAX (64 * KIB) /* three times a target */

static bool is_host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
        || (c && strchr("-._:[]", c));
}

static bool is_authority(struct str a)
{
    uint64_t port;
    const size_t colon = str_rfind_char(a, ':');
    const bool has_port = colon < a.len && !str_contains(str_from(a, colon), STR("]"));

    for (size_t i = 0; i < a.len; i++) {
        if (!is_host_char(a.data[i])) return false;
    }
    if (has_port && (!str_to_u64(str_from(a, colon + 1), &port) || port == 0 || port > 65535)) return false;
    return a.len > 0 && colon > 0 && a.len < 256;
}

static struct err bad(struct str url, const char *what)
{
    return err_fail(ERR_INVALID, "endpoint '%.*s': %s", STR_ARG(url), what);
}

struct err endpoint_parse(struct str url, struct endpoint *ret)
{
    static const struct {
        struct str prefix, scheme, port;
    } schemes[] = { { STR("http://"), STR("http"), STR(":80") },
                    { STR("https://"), STR("https"), STR(":443") } };

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (!str_eq_nocase(str_slice(url, 0, schemes[i].prefix.len), schemes[i].prefix)) continue;
        struct str authority = str_from(url, schemes[i].prefix.len);
        if (str_ends(authority, STR("/"))) authority.len--;
        if (!is_authority(authority))
            return bad(url, "it must be http(s)://HOST or http(s)://HOST:PORT, without a path");
        if (str_ends(authority, schemes[i].port)) authority.len -= schemes[i].port.len;
        *ret = (struct endpoint){ .scheme = schemes[i].scheme, .authority = authority };
        return OK;
    }
    return bad(url, "it must begin with http:// or https://");
}

bool endpoint_wants_path_style(const struct endpoint *e)
{
    struct str host;
    bool is_number = true;

    if (e->authority.data[0] == '[') return true;
    (void)str_cut(e->authority, ':', &host);
    for (size_t i = 0; i < host.len; i++) is_number &= !!strchr(".0123456789", host.data[i]);
    return is_number || !str_contains(host, STR("."));
}

/* ---- the parts of a URL ---- */

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.data[i] <= 0x20 || s.data[i] == 0x7f) return true;
    }
    return false;
}

bool endpoint_has_dot_segment(struct str key)
{
    struct str piece;

    for (struct str_split it = str_split_on(key, '/'); str_split_next(&it, &piece);) {
        if (str_is(piece, ".") || str_is(piece, "..")) return true;
    }
    return false;
}

static struct err encoded(struct str text, const char *keep, struct arena *arena, struct str *ret)
{
    struct buf b;

    buf_init(&b, ENCODED_MAX);
    percent_to(&b, text, keep);
    const struct err e = buf_err(&b);
    *ret = e.code == ERR_OK ? arena_str(arena, buf_view(&b)) : STR_NONE;
    buf_done(&b);
    TRY(e);
    return ret->data ? OK : no_memory();
}

static int by_name_and_value(const void *a, const void *b)
{
    const struct query_pair *x = a, *y = b;
    const int order = str_cmp(x->name, y->name);
    return order ? order : str_cmp(x->value, y->value);
}

/* Encoded names keep the order of decoded ones only among themselves, so they are sorted encoded, and decoded again. */
static struct err take_pair(struct str piece, struct arena *arena, struct query_pair *ret)
{
    struct str name;
    const struct str value = str_cut(piece, '=', &name);
    const struct str plain_name = percent_str(arena, name, false),
                     plain_value = percent_str(arena, value, false);

    if (!plain_name.data || !plain_value.data || name.len == 0)
        return FAIL(ERR_INVALID, "the URL's query is not well formed");
    TRY(encoded(plain_name, "", arena, &ret->name));
    return encoded(plain_value, "", arena, &ret->value);
}

static struct err canonical_query(struct endpoint_object *o, struct arena *arena)
{
    struct buf b;

    buf_init(&b, ENCODED_MAX);
    for (size_t i = 0; i < o->pair_count; i++) {
        struct query_pair *p = &o->pairs[i];
        if (i) buf_char(&b, '&');
        buf_str(&b, p->name);
        buf_char(&b, '=');
        buf_str(&b, p->value);
        p->name = percent_str(arena, p->name, false);
        p->value = percent_str(arena, p->value, false);
    }
    const struct err e = buf_err(&b);
    o->query = e.code == ERR_OK ? arena_str(arena, buf_view(&b)) : STR_NONE;
    buf_done(&b);
    TRY(e);
    return o->query.data ? OK : no_memory();
}

static struct err take_query(struct str query, struct arena *arena, struct endpoint_object *o)
{
    struct str piece;

    o->pairs = arena_array(arena, struct query_pair, ENDPOINT_QUERY_MAX);
    if (!o->pairs) return no_memory();
    for (struct str_split it = str_split_on(query, '&'); str_split_next(&it, &piece);) {
        if (piece.len == 0) continue;
        if (o->pair_count == ENDPOINT_QUERY_MAX)
            return FAIL(ERR_INVALID, "the URL has too many query parameters");
        TRY(take_pair(piece, arena, &o->pairs[o->pair_count++]));
    }
    qsort(o->pairs, o->pair_count, sizeof(*o->pairs), by_name_and_value);
    return canonical_query(o, arena);
}

static bool is_authority_of(const struct endpoint *e, struct str bucket, struct str authority,
                            bool *ret_is_path_style)
{
    const size_t prefix = authority.len - e->authority.len;

    *ret_is_path_style = str_eq_nocase(authority, e->authority);
    if (*ret_is_path_style) return true;
    return authority.len == bucket.len + 1 + e->authority.len
        && str_eq(str_slice(authority, 0, bucket.len), bucket) && authority.data[bucket.len] == '.'
        && str_eq_nocase(str_from(authority, prefix), e->authority);
}

static struct err take_path(struct str path, bool is_path_style, struct str bucket, struct arena *arena,
                            struct endpoint_object *o)
{
    const struct str plain = percent_str(arena, path.len ? path : STR("/"), false);
    struct str name = bucket, rest;

    if (!plain.data || plain.data[0] != '/') return FAIL(ERR_INVALID, "the URL's path is not well formed");
    rest = str_from(plain, 1);
    if (is_path_style) rest = str_cut(rest, '/', &name);
    if (endpoint_has_dot_segment(rest) || memchr(plain.data, '\0', plain.len))
        return FAIL(ERR_INVALID, "the URL's path has '.' or '..' segments, or a NUL");
    o->bucket = name;
    o->key = rest;
    return encoded(plain, "/", arena, &o->path);
}

struct err endpoint_take_apart(const struct endpoint *e, struct str bucket, struct str url,
                               struct arena *arena, struct endpoint_object *ret)
{
    struct endpoint_object o = { .pair_count = 0 };
    struct endpoint own;
    struct str target, path;
    bool is_path_style;

    if (has_control(url) || str_contains(url, STR("#")))
        return FAIL(ERR_INVALID, "the URL has blanks, control characters or a fragment");
    const size_t begin = str_find(url, STR("://")) + 3;
    const size_t slash = str_find_char(str_from(url, begin), '/');
    target = str_from(url, begin + slash);
    TRY(endpoint_parse(str_slice(url, 0, begin + slash), &own));
    if (!str_eq(own.scheme, e->scheme) || !is_authority_of(e, bucket, own.authority, &is_path_style))
        return FAIL(ERR_INVALID, "the URL is not at the catalog's endpoint");
    o.authority = own.authority;
    const struct str query = str_cut(target, '?', &path);
    TRY(take_path(path, is_path_style, bucket, arena, &o));
    TRY(take_query(query, arena, &o));
    *ret = o;
    return OK;
}
