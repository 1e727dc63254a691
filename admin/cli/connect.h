/*
 * connect.h - where the server is, and who is asking.
 *
 * Address, from strongest: --s3-endpoint or --catalog-endpoint; --endpoint; --data DIR (DIR/endpoints.json, which the server writes while it runs); the profile
 * that --profile names; the environment FIRN_CATALOG_ENDPOINT (catalog), FIRN_ENDPOINT, FIRN_DATA; the profile that nobody asked for (profile.h);
 * http://127.0.0.1:8333 or :8181.
 * Credential: the profile that --profile names; FIRN_ROOT_USER and FIRN_ROOT_PASSWORD; with --data or FIRN_DATA the file DIR.root beside the data directory, which the
 * server made at its first start; the other profile; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. None is a flag: every user of a machine sees the words of a
 * command.
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

/* Name and region, in the order above: given is a flag's value, variable a name of the environment (empty ones count as not set). NULL: nobody says. */
const char *connect_catalog(const struct options *options);
const char *connect_region(const struct options *options); /* never NULL */

/* The lines NAME=value of a .root file: both must be there. For tests too. */
struct err root_file_parse(struct str text, struct arena *arena, struct credential *ret);

#endif
