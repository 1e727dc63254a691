/*
 * s3_ops.h - the table of all S3 operations, and their handlers.
 */
#ifndef SERVER_S3_S3_OPS_H
#define SERVER_S3_S3_OPS_H

#include <stdio.h>

#include "server/s3/s3.h"

enum body_mode {
    BODY_NONE,   /* there is none; what comes all the same is read and thrown away up to a limit */
    BODY_XML,    /* collected, at most LIMIT_XML_BYTES, its Content-MD5 and checksums verified */
    BODY_STREAM, /* to a body_writer as it comes */
};

enum op_flags {
    OP_ALIAS = 1 << 0,     /* a deprecated name of the row above: documented, never matched */
    OP_WORKER = 1 << 1,    /* run on a worker: it waits */
    OP_NOT_SERVED = 1 << 2, /* answers NotImplemented */
    OP_PER_KEY = 1 << 3,   /* the handler asks access_check for each key; before it, only strangers to the bucket are refused */
    OP_SUM_OF_OBJECT = 1 << 4 /* its checksum headers speak of the object, not of this body: the handler reads them */
};

typedef struct err s3_run_fn(struct s3_request *req);

struct s3_op {
    const char *name;
    enum http_method method;
    enum s3_level level;
    const char *query[2];  /* marker query keys; NULL: none */
    const char *header;    /* marker header */
    enum permission permission;
    enum body_mode body;
    unsigned flags;
    s3_run_fn *check;      /* before the body, before 100-continue: preconditions, lengths, what can be refused early; NULL: nothing */
    s3_run_fn *run;
};

/* The row that asks for most of what the request has. A known subresource key that no row asks for gives the NotImplemented row, never a listing. */
const struct s3_op *s3_op_find(const struct s3_request *req);

/* For --list-operations, the documentation and the start-up check: all rows. s3_ops_check: no two rows with the same conditions, none without handler. */
const struct s3_op *s3_ops(size_t *ret_count);
struct err s3_ops_check(void);
/* One line a row, tab-separated: name, method, level, marker keys and header, permission, served or not. */
void s3_ops_print(FILE *out);

/* ---- handlers, by file ---- */
/* s3_bucket.c */
s3_run_fn s3_list_buckets, s3_create_bucket, s3_head_bucket, s3_delete_bucket, s3_get_bucket_location;
/* s3_config.c: the answers of a bucket without configuration */
s3_run_fn s3_get_versioning, s3_get_accelerate, s3_get_logging, s3_get_request_payment, s3_get_notification, s3_get_no_configuration, s3_get_ownership_controls,
    s3_get_bucket_acl, s3_get_object_acl, s3_put_acl, s3_get_policy_status, s3_list_no_configurations, s3_get_encryption;
/* s3_object_get.c */
s3_run_fn s3_get_object, s3_head_object;
/* s3_attributes.c */
s3_run_fn s3_get_object_attributes;
/* s3_object_put.c */
s3_run_fn s3_put_object_check, s3_put_object;
/* s3_object_delete.c */
s3_run_fn s3_delete_object, s3_delete_objects;
/* s3_copy.c */
s3_run_fn s3_copy_object;
/* s3_list.c */
s3_run_fn s3_list_objects, s3_list_objects_v2, s3_list_object_versions;
/* s3_multipart.c, s3_part.c */
s3_run_fn s3_create_multipart_upload, s3_upload_part_check, s3_upload_part, s3_upload_part_copy, s3_complete_multipart_upload, s3_abort_multipart_upload,
    s3_list_parts, s3_list_multipart_uploads;
/* s3_tagging.c */
s3_run_fn s3_get_object_tagging, s3_put_object_tagging, s3_delete_object_tagging, s3_get_bucket_tagging, s3_put_bucket_tagging, s3_delete_bucket_tagging;
/* s3_dispatch.c */
s3_run_fn s3_not_implemented;

#endif
