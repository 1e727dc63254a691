/*
 * s3_object_get.c - GetObject and HeadObject.
 *
 * One view: the object's row, the conditions, the range, the headers, and a reader, which pins the body. Then the view is closed and the body is sent in one
 * of three ways:
 *   small     read warm into the arena and answered at once; the common case, and the only one that a 4 KiB GET pays for
 *   file      a piece of one file of up to FILE_MAX bytes: verified on a worker (that may wait for the disk), then sendfile
 *   source    all else: block by block through memory, from the page cache, or with a worker's help
 */
#include <stdlib.h>
#include <string.h>

#include "server/s3/s3_headers.h"
#include "server/s3/s3_ops.h"
#include "server/s3/s3_range.h"
#include "storage/base/clock.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "storage/object/object_get.h"

#define ARENA_MAX (128 * KIB) /* a body up to this is copied: cheaper than a descriptor and a worker */
#define FILE_MAX (16 * MIB)   /* design.md 4: verified whole, then sent with sendfile */

/* One GET or HEAD, in the arena. */
struct get {
    struct object_info info;
    struct object_reader *reader;
    struct s3_range range; /* what is sent */
    bool is_partial;       /* 206 */
    bool has_part;
    uint32_t part;
    char *bytes;
};

/* ---- overrides ---- */

static const struct override {
    const char *query, *header;
    enum object_header which;
} overrides[] = {
    { "response-content-type", "Content-Type", OBJECT_CONTENT_TYPE },
    { "response-cache-control", "Cache-Control", OBJECT_CACHE_CONTROL },
    { "response-content-disposition", "Content-Disposition", OBJECT_CONTENT_DISPOSITION },
    { "response-content-encoding", "Content-Encoding", OBJECT_CONTENT_ENCODING },
    { "response-content-language", "Content-Language", OBJECT_CONTENT_LANGUAGE },
    { "response-expires", "Expires", OBJECT_EXPIRES },
};

static bool is_printable(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f) return false;
    }
    return true;
}

/* Only on signed requests (s3.md 22): else anybody could make a link to a public object that a browser takes for something else. */
static struct err apply_overrides(struct s3_request *req, struct object_meta *meta)
{
    if (req->http->query_count == 0) return OK;
    for (size_t i = 0; i < sizeof(overrides) / sizeof(overrides[0]); i++) {
        const struct str value = http_query(req->http, overrides[i].query);
        if (!value.data) continue;
        if (!req->auth.is_signed)
            return FAIL(ERR_INVALID_REQUEST,
                        "Request specific response headers cannot be used for anonymous GET requests.");
        if (!is_printable(value))
            return err_fail(ERR_INVALID_ARGUMENT, "%s is not a header value", overrides[i].query);
        meta->headers[overrides[i].which] = value;
    }
    return OK;
}

/* ---- which bytes ---- */

/* If-Range: the range counts only if the object is still the one that the client knows (RFC 9110 13.1.5). */
static bool range_counts(const struct s3_request *req, const struct object_info *info)
{
    const struct str text = http_header(req->http, "if-range");
    int64_t ms;

    if (!text.data) return true;
    if (text.len && text.data[0] != '"' && clock_parse(text, &ms)) return ms / 1000 == info->mtime_ms / 1000;
    const struct conditions c = { .if_match = text };
    return conditions_read(&c, info).code == ERR_OK;
}

static struct err unsatisfiable(struct s3_request *req, uint64_t size)
{
    http_setf(req->http, "Content-Range", "bytes */%llu", (unsigned long long)size);
    req->has_object_size = true;
    req->object_size = size;
    return FAIL(ERR_INVALID_RANGE, err_text(ERR_INVALID_RANGE));
}

static struct err choose_range(struct s3_request *req, struct get *g)
{
    const struct str text = http_header(req->http, "range");

    g->range = (struct s3_range){ 0, g->info.size };
    if (!text.data || !range_counts(req, &g->info)) return OK;
    switch (s3_range_parse(text, g->info.size, &g->range)) {
    case RANGE_IGNORED: return OK;
    case RANGE_UNSATISFIABLE: return unsatisfiable(req, g->info.size);
    case RANGE_GIVEN: g->is_partial = true; return OK;
    }
    return OK;
}

static struct err part_from_query(struct s3_request *req, struct get *g)
{
    const struct str text = http_query(req->http, "partNumber");
    uint64_t number;

    if (!text.data) return OK;
    if (!str_to_u64(text, &number) || number < 1 || number > LIMIT_PARTS)
        return FAIL(ERR_INVALID_ARGUMENT, "Part number must be an integer between 1 and 10000, inclusive");
    if (http_has_header(req->http, "range"))
        return FAIL(ERR_INVALID_REQUEST, "Cannot specify both Range header and partNumber query parameter");
    g->has_part = true;
    g->part = (uint32_t)number;
    return OK;
}

/* ---- the head ---- */

/* Who may not list the bucket does not learn which keys there are (s3.md 16). */
static struct err stat_object(struct s3_request *req, struct rows *view, struct get *g)
{
    const struct err e = object_stat(view, req->bucket, req->key, req->arena, &g->info);

    if (e.code == ERR_NO_SUCH_KEY) TRY(s3_allow(req, PERM_LIST, req->bucket, req->key));
    return e;
}

static struct err check_conditions(struct s3_request *req, const struct get *g)
{
    struct conditions c;

    s3_conditions(req, &c);
    const struct err e = conditions_read(&c, &g->info);
    if (e.code != ERR_NOT_MODIFIED) return e;
    /* RFC 9110 15.4.5: what a cache needs to refresh what it has. */
    s3_set_etag(req, &g->info);
    s3_set_last_modified(req, g->info.mtime_ms);
    if (g->info.meta.headers[OBJECT_CACHE_CONTROL].data)
        http_set(req->http, "Cache-Control", g->info.meta.headers[OBJECT_CACHE_CONTROL]);
    if (g->info.meta.headers[OBJECT_EXPIRES].data)
        http_set(req->http, "Expires", g->info.meta.headers[OBJECT_EXPIRES]);
    return e;
}

static void set_headers(struct s3_request *req, const struct get *g)
{
    const struct object_meta *meta = &g->info.meta;
    const struct str type = meta->headers[OBJECT_CONTENT_TYPE];

    s3_set_etag(req, &g->info);
    s3_set_last_modified(req, g->info.mtime_ms);
    http_set(req->http, "Accept-Ranges", STR("bytes"));
    http_set(req->http, "Content-Type", type.len ? type : STR("binary/octet-stream"));
    s3_set_meta(req, meta);
    if (g->has_part && g->info.part_count)
        http_setf(req->http, "x-amz-mp-parts-count", "%u", g->info.part_count);
    if (http_has_query(req->http, "versionId")) http_set(req->http, "x-amz-version-id", STR("null"));
    if (g->is_partial) {
        http_setf(req->http, "Content-Range", "bytes %llu-%llu/%llu", (unsigned long long)g->range.offset,
                  (unsigned long long)(g->range.offset + g->range.len - 1), (unsigned long long)g->info.size);
        return;
    }
    /* The checksum is of all bytes; with a part of them a client would hold it against the part (s3.md 39). */
    const struct object_checksum *sum = &g->info.checksum;
    if (g->has_part || sum->value.len == 0
        || !str_is_nocase(http_header(req->http, "x-amz-checksum-mode"), "enabled"))
        return;
    s3_set_checksum(req, sum, g->info.part_count);
}

static int status_of(const struct get *g)
{
    return g->is_partial ? 206 : 200;
}

static void close_reader(void *arg)
{
    struct get *g = arg;
    g->reader = object_reader_close(g->reader);
}

/* Decide everything. The reader is open when there are bytes to send, or a part was asked for. No header is set yet: a body that cannot be
 * read is an error document, which must not have an object's headers. */
static struct err begin(struct s3_request *req, struct rows *view, bool is_head, struct get **ret)
{
    struct get *g = arena_new_of(req->arena, struct get);

    if (!g) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    TRY(part_from_query(req, g));
    TRY(stat_object(req, view, g));
    TRY(check_conditions(req, g));
    TRY(apply_overrides(req, &g->info.meta));
    TRY(choose_range(req, g));
    if (g->has_part || (!is_head && g->range.len)) {
        TRY(object_reader_open(req->options->store, view, &g->info, &g->reader));
        if (!arena_defer(req->arena, close_reader, g)) {
            close_reader(g);
            return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
        }
    }
    if (g->has_part) TRY(object_part_range(g->reader, g->part, &g->range.offset, &g->range.len));
    g->is_partial = g->is_partial || (g->has_part && g->range.len > 0);
    *ret = g;
    return OK;
}

/* ---- the body ---- */

/* A body that is made block by block. It is libmicrohttpd's to close, perhaps after the request's arena is gone. */
struct source {
    struct object_reader *reader;
    uint64_t offset; /* of the answer, in the object */
    char *filled;    /* bytes that a worker read, at fill_pos of the answer */
    uint64_t fill_pos;
    size_t fill_len;
};

static struct err source_read(void *arg, uint64_t pos, char *out, size_t size, size_t *ret_len)
{
    struct source *s = arg;

    if (s->filled && pos >= s->fill_pos && pos < s->fill_pos + s->fill_len) {
        const size_t skip = (size_t)(pos - s->fill_pos), left = s->fill_len - skip;
        *ret_len = left < size ? left : size;
        memcpy(out, s->filled + skip, *ret_len);
        return OK;
    }
    TRY(object_read_warm(s->reader, s->offset + pos, out, size));
    *ret_len = size;
    return OK;
}

static struct err source_fill(void *arg, uint64_t pos, size_t size)
{
    struct source *s = arg;

    if (!s->filled || s->fill_len < size) {
        char *bytes = realloc(s->filled, size);
        if (!bytes) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
        s->filled = bytes;
    }
    s->fill_len = 0;
    TRY(object_read(s->reader, s->offset + pos, s->filled, size));
    s->fill_pos = pos;
    s->fill_len = size;
    return OK;
}

static void source_close(void *arg)
{
    struct source *s = arg;

    object_reader_close(s->reader);
    free(s->filled);
    free(s);
}

static struct err answer_source(struct s3_request *req, struct get *g)
{
    struct source *s = calloc(1, sizeof(*s));

    if (!s) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    s->reader = g->reader;
    s->offset = g->range.offset;
    g->reader = NULL;
    set_headers(req, g);
    const struct http_source source = {
        .read = source_read, .fill = source_fill, .close = source_close, .arg = s
    };
    http_answer_source(req->http, status_of(g), g->range.len, source);
    return OK;
}

/* On a worker: the first blocks may not be in memory. */
static struct err answer_file(struct s3_request *req)
{
    struct get *g = req->plan;
    uint64_t offset;
    int fd;

    const struct err e = object_read_file(g->reader, g->range.offset, g->range.len, &fd, &offset);
    if (e.code == ERR_UNSUPPORTED) return answer_source(req, g);
    TRY(e);
    set_headers(req, g);
    http_answer_file(req->http, status_of(g), fd, offset, g->range.len);
    return OK;
}

static struct err answer_bytes_cold(struct s3_request *req)
{
    struct get *g = req->plan;

    TRY(object_read(g->reader, g->range.offset, g->bytes, g->range.len));
    set_headers(req, g);
    http_answer(req->http, status_of(g), str_of(g->bytes, g->range.len));
    return OK;
}

static void answered(struct s3_request *req)
{
    if (req->outcome.code != ERR_OK) s3_answer_error(req, req->outcome);
}

/* Go on behind the view: what the headers are made of is copied first. */
static struct err answer_later(struct s3_request *req, struct get *g,
                               struct err (*job)(struct s3_request *req))
{
    TRY(object_info_keep(&g->info, req->arena));
    return s3_offload(req, job, answered);
}

static struct err answer_bytes(struct s3_request *req, struct get *g)
{
    g->bytes = arena_alloc(req->arena, g->range.len);
    if (!g->bytes) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    const struct err e = object_read_warm(g->reader, g->range.offset, g->bytes, g->range.len);
    if (e.code == ERR_BUSY) return answer_later(req, g, answer_bytes_cold);
    TRY(e);
    set_headers(req, g);
    http_answer(req->http, status_of(g), str_of(g->bytes, g->range.len));
    return OK;
}

struct err s3_get_object(struct s3_request *req)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct get *g;

    TRY(view_open(req->options->store->meta, &view));
    TRY(begin(req, view, false, &g));
    req->plan = g;
    if (g->range.len == 0) {
        set_headers(req, g);
        s3_answer_empty(req, status_of(g));
        return OK;
    }
    /* A small body of the journal comes whole anyway. */
    if (g->range.len <= ARENA_MAX || g->info.body.kind == BODY_SMALL) return answer_bytes(req, g);
    if (g->range.len <= FILE_MAX) return answer_later(req, g, answer_file);
    return answer_source(req, g);
}

struct err s3_head_object(struct s3_request *req)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct get *g;

    TRY(view_open(req->options->store->meta, &view));
    TRY(begin(req, view, true, &g));
    set_headers(req, g);
    http_answer_head(req->http, status_of(g), g->range.len);
    return OK;
}
