/*
 * connect.h - where the server is, and who is asking.
 *
 * Address, from strongest: --s3-endpoint or --catalog-endpoint; --endpoint; --data DIR (DIR/endpoints.json, which the server writes while it runs); the
 * environment FIRN_CATALOG_ENDPOINT (catalog), FIRN_ENDPOINT, FIRN_DATA; http://127.0.0.1:8333 or :8181.
 * Credential: FIRN_ROOT_USER and FIRN_ROOT_PASSWORD; else the file DIR.root beside the data directory, which the server made at its first start.
 */
#ifndef ADMIN_CLI_CONNECT_H
#define ADMIN_CLI_CONNECT_H

#include "admin/cli/options.h"
#include "storage/base/arena.h"
#include "storage/base/err.h"
#include "storage/base/str.h"

enum api { API_S3, API_CATALOG, API_COUNT };

struct credential {
    struct str user, password;
};

/* The base URL, without a slash at its end. ERR_INVALID_ARGUMENT: not http:// or https://. ERR_UNAVAILABLE: no server runs on that directory. */
struct err connect_endpoint(enum api api, const struct options *options, struct arena *arena, struct str *ret);

/* ERR_INVALID_ARGUMENT: there is none, with what to do. */
struct err connect_credential(const struct options *options, struct arena *arena, struct credential *ret);

/* A flag's value, else the variable's, else the fallback (may be NULL). Empty variables count as not set. */
const char *connect_setting(const char *given, const char *variable, const char *fallback);

/* The lines NAME=value of a .root file: both must be there. For tests too. */
struct err root_file_parse(struct str text, struct arena *arena, struct credential *ret);

#endif
