/*
 * rest.h - one Iceberg REST request, and what its handlers use. For the files of server/iceberg only.
 */
#ifndef SERVER_ICEBERG_REST_H
#define SERVER_ICEBERG_REST_H

#include "admin/iam/rights.h"
#include "catalog/commit/catalog.h"
#include "server/iceberg/iceberg.h"
#include "storage/base/json.h"

struct rest_op;

struct rest_request {
    struct http_request *http;
    struct arena *arena;
    const struct iceberg_options *options;
    const struct rest_op *op;
    struct caller caller;
    struct actor actor;
    struct buf *text;      /* the body */
    json_t *body;          /* parsed, when the row says so; decref'd with the arena */
    /* from the path, decoded: */
    struct str prefix;     /* the catalog's name */
    struct ns_path ns;
    struct str table; /* or view */
    struct table_ident subject;  /* the table that the answer is about: of the path, or of the body */
    struct securable_path path;  /* to what the row's privilege is wanted on */
    struct table_ident asked;    /* the last thing that a privilege was wanted on: what a refusal is about */
    bool is_act;                 /* it does something that leaves no audit row of its own (api_audit.h) */
    bool is_keys_wanted;         /* credentials are what was asked for, whatever the header says */
    struct err outcome;
    char why[512];
};

typedef struct err rest_run_fn(struct rest_request *req);

enum rest_flags {
    REST_PUBLIC = 1 << 0,  /* no token needed */
    REST_JSON = 1 << 1,    /* has a JSON object as body */
    REST_FORM = 1 << 2,    /* has a form as body */
    REST_HIDDEN = 1 << 3,  /* not in the `endpoints` of /config */
};

/* What the row's privilege is wanted on. */
enum rest_target { ON_NOTHING, ON_PREFIX, ON_PATH_NAMESPACE, ON_PATH_TABLE, ON_PATH_VIEW };

struct rest_op {
    const char *name;      /* "LoadTable" */
    enum http_method method;
    const char *path;      /* "/v1/{prefix}/namespaces/{namespace}/tables/{table}": as in `endpoints` */
    enum privilege privilege;  /* wanted, and on what; PRIV_NONE: the handler asks, since the body says it */
    enum rest_target target;
    unsigned flags;
    rest_run_fn *run;      /* on a worker */
};

const struct rest_op *rest_ops(size_t *ret_count);
/* Find the row for a request, and fill what its path says. ERR_NOT_FOUND (no such path), ERR_METHOD_NOT_ALLOWED, ERR_INVALID (a name in it). */
struct err rest_op_find(struct rest_request *req, struct http_request *http);

/* ---- handlers, by file ---- */
rest_run_fn rest_config, rest_token;                                                             /* rest_config.c */
rest_run_fn rest_list_namespaces, rest_create_namespace, rest_load_namespace, rest_namespace_exists, rest_drop_namespace, rest_update_namespace; /* rest_namespace.c */
rest_run_fn rest_list_policies, rest_applicable_policies;                                         /* rest_policy.c */
rest_run_fn rest_list_tables, rest_create_table, rest_load_table, rest_table_exists, rest_drop_table, rest_rename_table, rest_register_table,
    rest_load_credentials, rest_report_metrics;                                                  /* rest_table.c */
rest_run_fn rest_list_views, rest_create_view, rest_load_view, rest_view_exists, rest_replace_view, rest_drop_view, rest_register_view,
    rest_rename_view;                                                                            /* rest_view.c */
rest_run_fn rest_sign_request;                                                                   /* rest_sign.c */
rest_run_fn rest_update_table, rest_commit_transaction;                                          /* rest_commit.c */

/* ---- answers ---- */
void rest_answer_json(struct rest_request *req, int status, json_t *value); /* takes value; NULL: 503 */
void rest_answer_text(struct rest_request *req, int status, struct str json); /* in the arena */
void rest_answer_empty(struct rest_request *req, int status);
void rest_answer_error(struct rest_request *req, struct err e);

/* "ns" arrays of bodies. ERR_INVALID names the field. Strings live in value. */
struct err rest_ns_from_json(const json_t *levels, const char *field, struct ns_path *ret);
json_t *rest_ns_to_json(const struct ns_path *ns);
struct err rest_ident_from_json(const json_t *ident, const char *field, struct table_ident *ret);

/* requirements and updates of a commit, of a table or a view. */
struct err rest_change_from_json(const json_t *body, struct table_change *ret);
/* A body may name what it changes; it must be what the path names. */
struct err rest_check_identifier(const struct rest_request *req);
/* The page as a ListTablesResponse. */
struct err rest_answer_names(struct rest_request *req, enum metadata_kind kind);

/* Levels joined by 0x1F, as paths and queries have them (%1F on the wire). ERR_INVALID names `name`. */
struct err rest_ns_from_text(struct str text, const char *name, struct ns_path *ret);
/* The same of ?name=; none: no levels. */
struct err rest_query_namespace(const struct rest_request *req, const char *name, struct ns_path *ret);

/* pageToken and pageSize: without a token parameter everything is given. */
struct err rest_paging(const struct rest_request *req, struct str *ret_token, size_t *ret_size);

/* ---- access (rest_access.c) ---- */

/* The row's privilege, on what the path names. On a worker, before the handler. */
struct err rest_authorize(struct rest_request *req);
/* A privilege on a namespace (name empty), table or view of the request's catalog. ERR_DENIED, or, when the caller may not even see that: as if it did not exist. OK also for
 * what does not exist, if its privilege is held on what is around it: the handler tells. *ret may be NULL. */
struct err rest_need(struct rest_request *req, enum privilege p, const struct table_ident *what, struct securable_path *ret);
/* All that these updates want; a table that is not there yet is made (TABLE_CREATE). */
struct err rest_need_updates(struct rest_request *req, const struct table_change *change);
/* Names of what the caller may see in there: all (*ret_all), or these, sorted. ERR_NO_SUCH_NAMESPACE when not even the place itself. */
struct err rest_seen_namespaces(struct rest_request *req, const struct ns_path *parent, bool *ret_all, struct name_page *ret);
struct err rest_seen_tables(struct rest_request *req, enum metadata_kind kind, bool *ret_all, struct name_page *ret);
/* Cut a page out of sorted names. */
void rest_page(struct name_page *names, struct str token, size_t size);

/* ---- credentials (rest_credentials.c) ---- */

/* The `config` object of a LoadTableResult: endpoint and path style, and keys vended for the table when the client asks for them (X-Iceberg-Access-Delegation). In *ret_storage the
 * storage-credentials array; NULL when none are given. Both the caller's to decref. */
struct err rest_table_config(struct rest_request *req, const struct table_info *t, json_t **ret_config, json_t **ret_storage);
/* The same of a table whose files lie at another S3 endpoint (rest_external.c): nothing is vended, and requests are signed for who asks for that. */
struct err rest_external_config(struct rest_request *req, const struct table_info *t, json_t *config);
/* Is this word in X-Iceberg-Access-Delegation? */
bool rest_delegation_has(const struct rest_request *req, const char *word);

#endif
