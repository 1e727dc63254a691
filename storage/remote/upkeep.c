/*
 * upkeep.c - what maintenance asks of other endpoints: how old is a file, pieces of it, which files are there.
 */
#include <stdio.h>

#include "storage/base/buf.h"
#include "storage/base/clock.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/remote/listing.h"
#include "storage/remote/remote_call.h"

/* What to add to the endpoint's times to have ours. Without a Date its clock is taken to be right. */
static int64_t clock_difference_ms(const struct exchange_reply *reply)
{
    int64_t there;

    return clock_parse(reply->date, &there) ? clock_now_ms() - there : 0;
}

struct err remote_stat(struct remote *r, const struct remote_place *p, struct str key, struct arena *arena,
                       struct remote_file *ret)
{
    struct call c = {
        .remote = r, .place = p, .method = "HEAD", .key = key, .arena = arena, .bytes_max = REMOTE_ERROR_BYTES
    };
    struct exchange_reply reply;
    struct remote_file file = { .key = key };

    TRY(remote_call(&c, &reply));
    if (!str_to_u64(reply.content_length, &file.size) || !clock_parse(reply.last_modified, &file.written_ms))
        return remote_call_failed(&c, ERR_CORRUPT, "its answer has no Content-Length or no Last-Modified");
    file.written_ms += clock_difference_ms(&reply);
    *ret = file;
    return OK;
}

/* ---- pieces ---- */

/* "bytes 0-9/100" of just this piece, the last of the file perhaps shorter. */
static bool is_piece(const struct exchange_reply *reply, struct remote_piece piece, uint64_t *ret_size)
{
    struct str first, last;
    uint64_t from, to;

    if (!str_starts(reply->content_range, STR("bytes "))) return false;
    const struct str span = str_from(reply->content_range, 6);
    const struct str size = str_cut(span, '/', &first);
    last = str_cut(first, '-', &first);
    if (!str_to_u64(first, &from) || !str_to_u64(last, &to) || !str_to_u64(size, ret_size)) return false;
    if (from != piece.offset || to < from || to >= *ret_size || to - from + 1 != reply->body.len)
        return false;
    return reply->body.len == piece.len || (reply->body.len < piece.len && to + 1 == *ret_size);
}

struct err remote_read(struct remote *r, const struct remote_place *p, struct str key,
                       struct remote_piece piece, struct arena *arena, struct str *ret, uint64_t *ret_size)
{
    struct call c = { .remote = r,
                      .place = p,
                      .method = "GET",
                      .key = key,
                      .range = arena_printf(arena, "bytes=%llu-%llu", (unsigned long long)piece.offset,
                                            (unsigned long long)(piece.offset + piece.len - 1)),
                      .arena = arena,
                      .bytes_max = piece.len + REMOTE_ERROR_BYTES };
    struct exchange_reply reply;
    uint64_t size = 0;

    if (!c.range.data) return no_memory();
    TRY(remote_call(&c, &reply));
    if (reply.status == 200 && piece.offset == 0 && reply.body.len <= piece.len) size = reply.body.len;
    else if (reply.status != 206 || !is_piece(&reply, piece, &size))
        return remote_call_failed(&c, ERR_CORRUPT, "its answer is not the piece that was asked for");
    *ret = reply.body;
    *ret_size = size;
    return OK;
}

/* ---- listings ---- */

static struct err list_query(const struct remote_query *q, struct arena *arena, struct str *ret)
{
    struct buf query;

    buf_init(&query, 16 * KIB);
    buf_printf(&query, "encoding-type=url&list-type=2&max-keys=%zu&prefix=", q->max);
    percent_to(&query, q->prefix, "");
    if (q->after.len) {
        buf_z(&query, "&start-after=");
        percent_to(&query, q->after, "");
    }
    const struct err e = buf_err(&query);
    if (e.code == ERR_OK) *ret = arena_str(arena, buf_view(&query));
    buf_done(&query);
    TRY(e);
    return ret->data ? OK : no_memory();
}

struct err remote_list(struct remote *r, const struct remote_place *p, const struct remote_query *q,
                       struct arena *arena, struct remote_listing *ret)
{
    struct call c = {
        .remote = r, .place = p, .method = "GET", .arena = arena, .bytes_max = LIMIT_REMOTE_LISTING
    };
    struct exchange_reply reply;
    struct remote_listing listing;
    char why[512];

    TRY(list_query(q, arena, &c.query));
    TRY(remote_call(&c, &reply));
    struct err e = listing_parse(reply.body, q, arena, &listing);
    if (e.code == ERR_CORRUPT) {
        e = err_keep(e, why, sizeof(why));
        return remote_call_failed(&c, e.code, e.why);
    }
    TRY(e);
    for (size_t i = 0; i < listing.count; i++) listing.files[i].written_ms += clock_difference_ms(&reply);
    *ret = listing;
    return OK;
}
