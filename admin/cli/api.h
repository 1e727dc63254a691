/*
 * api.h - the two APIs as the verbs use them: S3, and the Iceberg REST catalog.
 *
 * Errors of the server come back as ours, with its own sentence in `why`: ERR_NOT_FOUND (404), ERR_UNAUTHENTICATED (401), ERR_DENIED (403),
 * ERR_CONFLICT (409), ERR_INVALID (other 4xx), ERR_INTERNAL (the rest).
 */
#ifndef ADMIN_CLI_API_H
#define ADMIN_CLI_API_H

#include "admin/cli/verb.h"

/* The base URL of an API, looked up once. */
struct err api_endpoint(struct cli *cli, enum api api, struct str *ret);
struct err api_credential(struct cli *cli);
/* The error of an answer that is not 2xx; said is the server's sentence, which may be empty. */
struct err api_refusal(int status, struct str said);

/* path: "/bucket/key", percent-encoded. Fills in address and signature. An answer that is not 2xx is an error. */
struct err s3_send(struct cli *cli, struct request *request, struct str path, struct reply *ret);
struct err s3_call(struct cli *cli, const char *method, struct str path, struct str *ret_body);

/* path: below the base of the catalog API, e.g. "/v1/config?warehouse=x". body NULL: none. *ret is NULL for an empty answer, else to be json_decref'ed. */
struct err catalog_call(struct cli *cli, const char *method, struct str path, const json_t *body, json_t **ret);
/* GET of a path of the catalog's port itself, with a token. */
struct err catalog_get_own(struct cli *cli, const char *path, json_t **ret);
/* POST to one, the same way. */
struct err catalog_post_path(struct cli *cli, const char *path, const json_t *body, json_t **ret);
/* A call to what Firn itself offers of the catalog that is meant: `behind` is what follows its name, "/maintenance/expire". */
struct err catalog_own_call(struct cli *cli, const char *method, const char *behind, const json_t *body, json_t **ret);
/* "/v1/PREFIX/namespaces" with the prefix of the catalog that is meant. */
struct err catalog_namespaces_path(struct cli *cli, struct str *ret);

/* The name of that catalog, percent-encoded. */
struct err catalog_name(struct cli *cli, struct str *ret);
/* The same call to the management API: path is below /api/management/v1. */
struct err management_call(struct cli *cli, const char *method, struct str path, const json_t *body, json_t **ret);
/* before and piece, percent-encoded. .data is NULL for want of memory. */
struct str api_path(struct cli *cli, struct str before, struct str piece);

/* The words "NAMESPACE" and "NAMESPACE.TABLE" as paths of the catalog API. */
struct err catalog_namespace_path(struct cli *cli, const char *word, struct str *ret);
struct err catalog_table_path(struct cli *cli, const char *word, struct str *ret);
struct err catalog_view_path(struct cli *cli, const char *word, struct str *ret);
/* Take "NAMESPACE.TABLE" apart: ret_ns without the last level, which is *ret_table. */
struct err table_word(struct cli *cli, const char *word, struct ident *ret_ns, struct str *ret_table);

/* Load a table: *ret_loaded is to be json_decref'ed, *ret_metadata is within. */
struct err catalog_load(struct cli *cli, struct str path, json_t **ret_loaded, json_t **ret_metadata);

/* Append all pages of a listing: the member arrays of GET path (?parent=... or nothing). */
struct err catalog_pages(struct cli *cli, struct str path, const char *member, json_t *ret_rows);
/* Append the namespaces (arrays of levels) below parent (NULL: the top), with all below them if is_all. */
struct err catalog_walk(struct cli *cli, const struct ident *parent, bool is_all, json_t *ret_rows);

/* Take "KEY=VALUE" into an object of what is set, "KEY-" into an array of what is removed. (namespace.c) */
struct err property_change(const char *word, json_t *updates, json_t *removals);

/* Append a row {"table", ...} for each table of a namespace and of all below it; word NULL: of the catalog. (table.c) */
struct err table_list_all(struct cli *cli, const char *word, json_t *ret_rows);

#endif
