/*
 * s3_headers.c - the table of headers that a write may carry, and the headers that an answer about an object has.
 *
 * Sources: AWS "PutObject", "Object metadata", s3.md 10, 18, 19, 22, 23. One pass over the request's headers, each looked up in the table by length and
 * bytes: that is the hot path of a small PUT.
 */
#include "server/s3/s3_headers.h"

#include <string.h>

#include "server/s3/s3_body.h"
#include "server/s3/s3_tags.h"
#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "storage/object/bucket.h"

#define META_PREFIX "x-amz-meta-"
#define VERSION_ID_LENGTH 32 /* of AWS' version ids */

/* What reading a write's headers works on. */
struct reading {
    struct s3_request *req;
    struct object_meta *meta; /* NULL: only refusals */
    struct pair *user;
    size_t user_bytes;
};

typedef struct err header_fn(struct reading *r, int which, struct str value);

static struct err keep(struct reading *r, int which, struct str value)
{
    r->meta->headers[which] = value;
    return OK;
}

/* "aws-chunked" is how the body travelled, not what it is (s3.md 10): "aws-chunked,gzip" is stored as "gzip". */
static struct err keep_encoding(struct reading *r, int which, struct str value)
{
    struct str piece, kept = STR_NONE;

    if (!str_contains(value, STR("aws-chunked"))) return keep(r, which, value);
    for (struct str_split it = str_split_on(value, ','); str_split_next(&it, &piece);) {
        piece = str_trim(piece);
        if (piece.len == 0 || str_is_nocase(piece, "aws-chunked")) continue;
        kept = kept.data ? arena_printf(r->req->arena, "%.*s,%.*s", STR_ARG(kept), STR_ARG(piece)) : piece;
        if (!kept.data) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    }
    return kept.data ? keep(r, which, kept) : OK;
}

/* Classes that are read as quickly as any other are kept as labels; one from which objects must be restored first would be a lie. */
static struct err keep_class(struct reading *r, int which, struct str value)
{
    static const char *const labels[] = { "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA",
                                          "INTELLIGENT_TIERING", "GLACIER_IR" };

    if (str_is(value, "STANDARD")) return OK;
    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
        if (str_is(value, labels[i])) return keep(r, which, value);
    }
    r->req->error_code = "InvalidStorageClass";
    return FAIL(ERR_INVALID_ARGUMENT, "The storage class you specified is not valid");
}

static struct err keep_tags(struct reading *r, int which, struct str value)
{
    (void)which;
    return s3_tags_from_header(r->req->arena, value, &r->meta->tags, &r->meta->tag_count);
}

static struct err check_acl(struct reading *r, int which, struct str value)
{
    (void)r, (void)which;
    if (str_is(value, "private") || str_is(value, "bucket-owner-full-control")) return OK;
    return FAIL(ERR_ACL_NOT_SUPPORTED, err_text(ERR_ACL_NOT_SUPPORTED));
}

static struct err refuse_grant(struct reading *r, int which, struct str value)
{
    (void)r, (void)which, (void)value;
    return FAIL(ERR_ACL_NOT_SUPPORTED, err_text(ERR_ACL_NOT_SUPPORTED));
}

static struct err refuse_encryption(struct reading *r, int which, struct str value)
{
    (void)r, (void)which, (void)value;
    return FAIL(ERR_UNSUPPORTED, "Server-side encryption is not implemented; the object was not stored.");
}

static struct err refuse_lock(struct reading *r, int which, struct str value)
{
    (void)r, (void)which, (void)value;
    return FAIL(ERR_UNSUPPORTED, "Object lock is not implemented; the object was not stored.");
}

static struct err refuse_append(struct reading *r, int which, struct str value)
{
    (void)r, (void)which, (void)value;
    return FAIL(ERR_UNSUPPORTED, "Appending with x-amz-write-offset-bytes is not implemented.");
}

static const struct header_row {
    struct str name;
    header_fn *take;
    int which;
    bool is_prefix, is_meta; /* is_meta: speaks of the object to be, so only where there is one */
} header_rows[] = {
    { STR("content-type"), keep, OBJECT_CONTENT_TYPE, false, true },
    { STR("cache-control"), keep, OBJECT_CACHE_CONTROL, false, true },
    { STR("content-disposition"), keep, OBJECT_CONTENT_DISPOSITION, false, true },
    { STR("content-encoding"), keep_encoding, OBJECT_CONTENT_ENCODING, false, true },
    { STR("content-language"), keep, OBJECT_CONTENT_LANGUAGE, false, true },
    { STR("expires"), keep, OBJECT_EXPIRES, false, true },
    { STR("x-amz-website-redirect-location"), keep, OBJECT_WEBSITE_REDIRECT, false, true },
    { STR("x-amz-storage-class"), keep_class, OBJECT_STORAGE_CLASS, false, true },
    { STR("x-amz-tagging"), keep_tags, 0, false, true },
    { STR("x-amz-acl"), check_acl, 0, false, false },
    { STR("x-amz-grant-"), refuse_grant, 0, true, false },
    { STR("x-amz-server-side-encryption"), refuse_encryption, 0, true, false },
    { STR("x-amz-copy-source-server-side-encryption"), refuse_encryption, 0, true, false },
    { STR("x-amz-object-lock-"), refuse_lock, 0, true, false },
    { STR("x-amz-write-offset-bytes"), refuse_append, 0, false, false },
};
#define ROW_COUNT (sizeof(header_rows) / sizeof(header_rows[0]))

static const struct header_row *row_of(struct str name)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const struct header_row *row = &header_rows[i];
        if (row->is_prefix ? str_starts(name, row->name) : str_eq(name, row->name)) return row;
    }
    return NULL;
}

/* Repeated headers of one name are one value with commas, as everywhere in HTTP (RFC 9110 5.2). */
static struct err take_user(struct reading *r, struct str name, struct str value)
{
    struct object_meta *meta = r->meta;

    r->user_bytes += name.len + value.len;
    if (r->user_bytes > LIMIT_USER_METADATA)
        return FAIL(ERR_METADATA_TOO_LARGE, err_text(ERR_METADATA_TOO_LARGE));
    if (!r->user) r->user = arena_array(r->req->arena, struct pair, r->req->http->header_count);
    if (!r->user) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    meta->user = r->user;
    for (size_t i = 0; i < meta->user_count; i++) {
        if (!str_eq(r->user[i].name, name)) continue;
        r->user[i].value = arena_printf(r->req->arena, "%.*s,%.*s", STR_ARG(r->user[i].value),
                                        STR_ARG(value));
        return r->user[i].value.data ? OK : FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    }
    r->user[meta->user_count++] = (struct pair){ name, value };
    return OK;
}

static struct err read_headers(struct reading *r)
{
    const struct http_request *http = r->req->http;

    for (size_t i = 0; i < http->header_count; i++) {
        const struct http_pair *h = &http->headers[i];
        const struct header_row *row = row_of(h->name);
        if (row && (r->meta || !row->is_meta)) TRY(row->take(r, row->which, h->value));
        if (row || !r->meta || !str_starts(h->name, STR(META_PREFIX))) continue;
        TRY(take_user(r, str_from(h->name, strlen(META_PREFIX)), h->value));
    }
    return OK;
}

struct err s3_meta_from_headers(struct s3_request *req, struct object_meta *ret)
{
    struct reading r = { .req = req, .meta = ret };

    *ret = (struct object_meta){ 0 };
    return read_headers(&r);
}

struct err s3_refuse_headers(struct s3_request *req)
{
    struct reading r = { .req = req };
    return read_headers(&r);
}

/* ---- conditions and versions ---- */

void s3_conditions(const struct s3_request *req, struct conditions *ret)
{
    *ret = (struct conditions){
        .if_match = http_header(req->http, "if-match"),
        .if_none_match = http_header(req->http, "if-none-match"),
        .if_modified_since = http_header(req->http, "if-modified-since"),
        .if_unmodified_since = http_header(req->http, "if-unmodified-since"),
    };
}

void s3_write_conditions(const struct s3_request *req, struct conditions *ret)
{
    *ret = (struct conditions){
        .if_match = http_header(req->http, "if-match"),
        .if_none_match = http_header(req->http, "if-none-match"),
    };
}

void s3_copy_conditions(const struct s3_request *req, struct conditions *ret)
{
    *ret = (struct conditions){
        .if_match = http_header(req->http, "x-amz-copy-source-if-match"),
        .if_none_match = http_header(req->http, "x-amz-copy-source-if-none-match"),
        .if_modified_since = http_header(req->http, "x-amz-copy-source-if-modified-since"),
        .if_unmodified_since = http_header(req->http, "x-amz-copy-source-if-unmodified-since"),
    };
}

static bool is_version_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_'
        || c == '-';
}

struct err s3_version_check(struct str version)
{
    if (!version.data || str_is(version, "null")) return OK;
    if (version.len == 0) return FAIL(ERR_INVALID_ARGUMENT, "Version id cannot be the empty string");
    for (size_t i = 0; i < version.len; i++) {
        if (!is_version_byte(version.data[i]))
            return FAIL(ERR_INVALID_ARGUMENT, "Invalid version id specified");
    }
    if (version.len != VERSION_ID_LENGTH) return FAIL(ERR_INVALID_ARGUMENT, "Invalid version id specified");
    return FAIL(ERR_NO_SUCH_VERSION, err_text(ERR_NO_SUCH_VERSION));
}

/* ---- answers ---- */

void s3_set_etag(struct s3_request *req, const struct object_info *info)
{
    char text[ETAG_SIZE + 2] = "\"";

    object_etag(info, text + 1);
    const size_t len = strlen(text);
    text[len] = '"';
    http_set(req->http, "ETag", str_of(text, len + 1));
}

void s3_set_last_modified(struct s3_request *req, int64_t mtime_ms)
{
    char text[CLOCK_HTTP_SIZE];

    clock_http(mtime_ms, text);
    http_set(req->http, "Last-Modified", str_of(text, CLOCK_HTTP_SIZE - 1));
}

struct str s3_checksum_value(struct arena *arena, const struct object_checksum *checksum, uint32_t part_count)
{
    const struct str text = s3_checksum_text(arena, &checksum->value);

    if (checksum->type == CHECKSUM_FULL_OBJECT || part_count == 0) return text;
    return arena_printf(arena, "%.*s-%u", STR_ARG(text), part_count);
}

const char *s3_checksum_type_name(enum checksum_type type)
{
    return type == CHECKSUM_COMPOSITE ? "COMPOSITE" : "FULL_OBJECT";
}

void s3_set_checksum(struct s3_request *req, const struct object_checksum *checksum, uint32_t part_count)
{
    const char *name = s3_checksum_header(checksum->kind);

    if (!name || checksum->value.len == 0) return;
    http_set(req->http, name, s3_checksum_value(req->arena, checksum, part_count));
    http_set(req->http, "x-amz-checksum-type", str_from_z(s3_checksum_type_name(checksum->type)));
}

void s3_set_meta(struct s3_request *req, const struct object_meta *meta)
{
    static const char *const names[OBJECT_HEADER_COUNT] = {
        [OBJECT_CACHE_CONTROL] = "Cache-Control",
        [OBJECT_CONTENT_DISPOSITION] = "Content-Disposition",
        [OBJECT_CONTENT_ENCODING] = "Content-Encoding",
        [OBJECT_CONTENT_LANGUAGE] = "Content-Language",
        [OBJECT_EXPIRES] = "Expires",
        [OBJECT_WEBSITE_REDIRECT] = "x-amz-website-redirect-location",
        [OBJECT_STORAGE_CLASS] = "x-amz-storage-class",
    };
    char name[sizeof(META_PREFIX) + LIMIT_USER_METADATA] = META_PREFIX;

    for (int i = 0; i < OBJECT_HEADER_COUNT; i++) {
        if (names[i] && meta->headers[i].data) http_set(req->http, names[i], meta->headers[i]);
    }
    for (size_t i = 0; i < meta->user_count; i++) {
        const struct pair *p = &meta->user[i];
        if (p->name.len > LIMIT_USER_METADATA) continue;
        memcpy(name + strlen(META_PREFIX), p->name.data, p->name.len);
        name[strlen(META_PREFIX) + p->name.len] = '\0';
        http_set(req->http, name, p->value);
    }
    if (meta->tag_count) http_setf(req->http, "x-amz-tagging-count", "%zu", meta->tag_count);
}

struct str s3_region(const struct s3_request *req)
{
    return req->options->region.len ? req->options->region : STR("us-east-1");
}

/* ---- the query ---- */

struct err s3_query_number(const struct s3_request *req, const char *name, uint32_t max, uint32_t *ret)
{
    const struct str text = http_query(req->http, name);
    uint64_t value;

    if (text.len == 0) return OK;
    if (!str_to_u64(text, &value) || value > max)
        return err_fail(ERR_INVALID_ARGUMENT, "Argument %s must be an integer between 0 and %u", name, max);
    *ret = (uint32_t)value;
    return OK;
}

struct err s3_query_encoding(const struct s3_request *req, bool *ret_is_url)
{
    const struct str text = http_query(req->http, "encoding-type");

    *ret_is_url = str_is(text, "url");
    if (text.data && !*ret_is_url)
        return FAIL(ERR_INVALID_ARGUMENT, "Invalid Encoding Method specified in Request");
    return OK;
}

struct err s3_bucket_exists(const struct s3_request *req)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    uint64_t id;

    TRY(view_open(req->options->store->meta, &view));
    return bucket_id_get(view, req->bucket, &id);
}
