/*
 * s3_object_put.c - PutObject: what is decided before the body is read, and the transaction behind it.
 *
 * The transaction decides for good, against the rows of its moment. What a client may be told before it sends its body (100-continue; s3.md 15) is looked up
 * in a view first, but only when that saves something: a body that comes with the head is here by the time that a view would be open.
 */
#include "server/s3/s3_body.h"
#include "server/s3/s3_headers.h"
#include "server/s3/s3_ops.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"
#include "storage/object/bucket.h"

/* What is in doubt is decided by the transaction, behind the body. */
static struct err ask_early(const struct object_put *put, struct rows *view)
{
    struct object_guard early = { .rule = NULL };

    if (!put->guard) return OK;
    early.rule = put->guard->rule;
    const struct err e = object_guard_ask_if_there(&early, view, put->bucket, put->key);
    return e.code == ERR_IN_USE ? e : OK;
}

static struct err look_early(const struct s3_request *req, const struct object_put *put)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct object_info current;
    uint64_t bucket_id;

    TRY(view_open(req->options->store->meta, &view));
    TRY(bucket_id_get(view, req->bucket, &bucket_id));
    TRY(ask_early(put, view));
    if (!conditions_any(&put->conditions)) return OK;
    const struct err e = object_stat(view, req->bucket, req->key, NULL, &current);
    if (e.code != ERR_NO_SUCH_KEY) TRY(e);
    return conditions_write(&put->conditions, e.code == ERR_OK ? &current : NULL);
}

struct err s3_put_object_check(struct s3_request *req)
{
    struct object_put *put = arena_new_of(req->arena, struct object_put);

    if (!put) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    *put = (struct object_put){
        .store = req->options->store, .bucket = req->bucket, .key = req->key, .guard = s3_guard(req, req->key)
    };
    TRY(s3_meta_from_headers(req, &put->meta));
    s3_write_conditions(req, &put->conditions);
    req->plan = put;
    return s3_is_body_ahead(req) ? look_early(req, put) : OK;
}

static void stored(struct s3_request *req)
{
    const struct object_put *put = req->plan;

    if (req->outcome.code != ERR_OK) {
        s3_answer_error(req, req->outcome);
        return;
    }
    s3_set_etag(req, &put->ret);
    s3_set_checksum(req, &put->ret.checksum, 0);
    s3_answer_empty(req, 200);
}

struct err s3_put_object(struct s3_request *req)
{
    struct object_put *put = req->plan;

    put->body = req->writer;
    return s3_commit_body(req, object_put_fn, put, stored);
}
