/*
 * s3_guard.c - the guard that a request carries which may take an object away (storage/object/object_guard.h): who goes past it, and what happens when it is in doubt.
 *
 * Going past is what S3 calls bypassing governance mode: the header x-amz-bypass-governance-retention: true *and* a right of its own, which writing files does not give
 * (rights_check_bypass). The header alone changes nothing, as in AWS; root needs it like everybody, so that nobody destroys a table by a slip.
 */
#include "server/s3/s3_ops.h"

static bool is_past_guard(const struct s3_request *req, struct str key)
{
    const struct s3_resource on = { .meta = req->options->store->meta, .bucket = req->bucket, .key = key };

    return str_is_nocase(http_header(req->http, "x-amz-bypass-governance-retention"), "true")
        && rights_check_bypass(&req->auth.caller, &on, req->arena).code == ERR_OK;
}

struct object_guard *s3_guard(struct s3_request *req, struct str key)
{
    req->guard.rule = req->options->guard;
    return req->guard.rule && !is_past_guard(req, key) ? &req->guard : NULL;
}

/* Again and again, until the transaction was decided without a doubt. */
static struct err settle(struct s3_request *req)
{
    struct store *s = req->options->store;
    struct err e = req->outcome;

    while (object_guard_again(&req->guard, s, &e))
        e = req->work.is_freeing ? meta_run_freeing(s->meta, req->work_fn, req->work_arg)
                                 : meta_run(s->meta, req->work_fn, req->work_arg);
    return e;
}

bool s3_guard_waits(struct s3_request *req)
{
    if (req->outcome.code == ERR_OK || !req->guard.is_in_doubt) return false;
    const struct err e = s3_offload(req, settle, req->then);
    if (e.code != ERR_OK) s3_answer_error(req, e);
    return true;
}
