/*
 * rest_load.h - the answer that says what a table is now: of load, create, register and update. For the files of server/iceberg only.
 */
#ifndef SERVER_ICEBERG_REST_LOAD_H
#define SERVER_ICEBERG_REST_LOAD_H

#include "server/iceberg/rest.h"

/* {"metadata-location", "metadata", "config", "storage-credentials"}: metadata is stored bytes; the last may be NULL. */
struct err rest_splice(struct rest_request *req, const struct table_info *t, const json_t *config, const json_t *storage, struct str *ret);
/* A LoadTableResult, spliced from stored bytes. */
struct err rest_answer_table(struct rest_request *req, int status, const struct table_info *t);
/* The same, with its ETag. */
struct err rest_answer_changed(struct rest_request *req, const struct table_info *t);

#endif
