/*
 * s3.h - the S3 edge: from an HTTP request to a row of the operation table, and back.
 *
 * s3_dispatch.c is the one place that says what happens to every operation: find the row -> verify the signature -> access_check -> preconditions
 * -> body as the row says -> row->run -> on error s3_error -> one log line, one metric. Handlers (s3_*.c by subject) make one call to the store and give one answer; they
 * authenticate nothing, authorise nothing, free nothing.
 */
#ifndef SERVER_S3_S3_H
#define SERVER_S3_S3_H

#include "admin/iam/audit_log.h"
#include "admin/iam/rights.h"
#include "server/auth/s3_auth.h"
#include "server/http/http.h"
#include "storage/object/object.h"
#include "storage/object/object_put.h"

struct s3_options {
    struct store *store;
    const struct iam *iam;
    struct str region;            /* empty: any; GetBucketLocation and x-amz-bucket-region then say us-east-1 */
    struct str domain;            /* virtual-host style: "s3.example.com" and "localhost" forms; empty: path style and *.localhost */
    struct str external_hosts;    /* s3_auth.h */
    struct audit_log *audit;      /* who was refused is kept there; NULL: nowhere */
    const struct object_guard_rule *guard; /* asked before a client takes an object away; NULL: nobody is */
    bool is_recreate_ok;          /* CreateBucket of an own bucket answers 200, as us-east-1 once did (setting; default off: 409) */
};

struct s3;
struct err s3_new(const struct s3_options *options, struct s3 **ret);
struct s3 *s3_free(struct s3 *s);
/* The app to give to http_server_listen; lives as long as s. */
const struct http_app *s3_app(struct s3 *s);

enum s3_level { LEVEL_ROOT, LEVEL_BUCKET, LEVEL_OBJECT };

struct s3_op;
struct aws_chunked;

/* One request; lives in its arena. */
struct s3_request {
    struct s3 *s3;
    const struct s3_options *options;
    struct http_request *http;
    struct arena *arena;
    const struct s3_op *op;
    enum s3_level level;
    struct str bucket, key;       /* key: decoded; both views */
    struct str virtual_bucket;    /* the bucket as the Host header names it; empty: path style */
    struct s3_auth auth;
    bool has_object_size;         /* of the object whose range was refused: InvalidRange says it */
    uint64_t object_size;
    const char *error_code;       /* the S3 code to show instead of the table's (NoSuchTagSet ...); NULL: the table's */
    struct err outcome;           /* of the work that the request waited for */
    char why[256];
    /* the body, as the row's body kind says: */
    struct body_writer *writer;   /* BODY_STREAM */
    struct aws_chunked *chunked;  /* NULL: plain */
    struct buf *text;             /* BODY_XML: the whole, at most LIMIT_XML_BYTES */
    uint64_t received;            /* decoded bytes so far */
    struct err body_error;        /* the first thing that went wrong with the body */
    void *body;                   /* s3_body.c keeps what the head said of it */
    void *plan;                   /* what a handler keeps between its steps */
    struct object_guard guard;    /* of what it takes away: s3_guard */
    void (*then)(struct s3_request *req); /* after the work that it waits for */
    void (*after)(struct s3_request *req); /* s3_commit_body's, after both */
    struct err (*job)(struct s3_request *req);
    txn_fn *work_fn;              /* the transaction that s3_commit submitted, and its argument */
    void *work_arg;
    struct meta_work work;
    char failure[256];            /* why the answer is an error, for the log */
};

/* ---- what handlers use ---- */

/* Answer with a document (XML); adds content type. */
void s3_answer_xml(struct s3_request *req, int status, struct str document);
void s3_answer_empty(struct s3_request *req, int status); /* 200, 204 */
/* The error document for e, with its status; HEAD gets the status alone. Also sets what belongs to the code (Retry-After, x-amz-bucket-region ...). */
void s3_answer_error(struct s3_request *req, struct err e);

/* The rows' run functions may end in three ways: answer and return OK; return an error (the dispatcher answers it); or start one of these and return its result. */
/* Submit a transaction; `then` runs on the HTTP thread with req->outcome set. */
struct err s3_commit(struct s3_request *req, txn_fn *fn, void *arg, bool is_freeing, void (*then)(struct s3_request *req));
/* The same behind the request's body: a large one is made durable first, a small one goes with the transaction. */
struct err s3_commit_body(struct s3_request *req, txn_fn *fn, void *arg, void (*then)(struct s3_request *req));
/* Run work on a worker (it may wait); it sets req->outcome by its result; then `then` on the HTTP thread. */
struct err s3_offload(struct s3_request *req, struct err (*job)(struct s3_request *req), void (*then)(struct s3_request *req));

/* May the caller do that with this key (rights_check_s3)? For the handlers that touch more than the path names. */
struct err s3_allow(const struct s3_request *req, enum permission what, struct str bucket, struct str key);

/* ---- the guard (s3_guard.c) ---- */

/* For a transaction that deletes or replaces this key of the request's bucket: asked for it, unless the caller may go past. */
struct object_guard *s3_guard(struct s3_request *req, struct str key);
/* The transaction of s3_commit has ended. True: it did in a doubt; a worker settles that, and `then` comes after it. */
bool s3_guard_waits(struct s3_request *req);

/* ---- documents (s3_error.c, xml.c) ---- */

struct s3_error_row {
    const char *code; /* "NoSuchKey" */
    int status;
};
/* What clients are told of e. Of the machine's own failures and of refusals a fixed sentence: no paths, no system texts. */
struct str s3_error_text(struct err e);
const struct s3_error_row *s3_error_row(enum err_code code); /* a row for every code (static assertion) */

#endif
