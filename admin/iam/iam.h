/*
 * iam.h - who there is: principals and their access keys.
 *
 * A principal's client id and secret are also its S3 access key and secret key (design.md 7). Principals come from the root credential, from the
 * configuration and from an s3.json in SeaweedFS' form; they are read at start and do not change while the server runs. The master key (DIR.key, outside the
 * data directory) signs tokens and vended keys, and seals what is kept at rest.
 *
 * Threads: after iam_open everything here is read-only.
 */
#ifndef ADMIN_IAM_IAM_H
#define ADMIN_IAM_IAM_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/base/arena.h"
#include "storage/base/err.h"
#include "storage/base/str.h"

/* Bytes of a principal's name, of an access key and of a secret: they travel in headers and tokens. There is no least length. */
#define LIMIT_CREDENTIAL 128

/* What a request wants to do. One row each in access.c: which SeaweedFS action allows it, whether a vended key may. */
enum permission {
    PERM_PUBLIC,          /* anybody: health */
    PERM_LIST_BUCKETS,    /* shows only the buckets that the caller may do something in */
    PERM_CREATE_BUCKET,
    PERM_DELETE_BUCKET,
    PERM_LIST,            /* keys, uploads, parts; HeadBucket, location */
    PERM_READ,
    PERM_WRITE,           /* put, copy to, multipart, abort */
    PERM_DELETE,
    PERM_READ_TAGS,
    PERM_WRITE_TAGS,
    PERM_READ_CONFIG,     /* of a bucket: versioning, policy, acl ... */
    PERM_WRITE_CONFIG,
    PERM_READ_ACL,
    PERM_CATALOG_LIST,    /* see a catalog, its namespaces and tables */
    PERM_CATALOG_READ,    /* load tables, get read credentials */
    PERM_CATALOG_WRITE,   /* create, commit, drop, get write credentials */
    PERM_SERVER_STATUS,   /* GET /api/firn/v1/status */
    PERM_COUNT,
};

struct principal;

struct iam_options {
    struct str data_dir;           /* DIR: DIR.key and DIR.root stand beside it */
    struct str key_file;           /* empty: DIR.key */
    struct str root_user, root_password; /* both or neither. Empty: made when DIR.root is not there, written 0600 to it, and read from there afterwards */
    struct str identities_file;    /* an s3.json; empty: none. Wrong content: ERR_INVALID with file, place and the word that is wrong */
    struct str anonymous_principal; /* empty: callers without credentials are the identity called "anonymous" if the file has one, else refused */
    bool is_new_store;             /* a missing key is made; else a missing key is ERR_INVALID and none is made */
    uint8_t store_id[16];          /* a key of another store: ERR_INVALID */
};

struct iam;

/* The id for a store that has none yet: that of the key file, if an earlier first start was cut off between making the key and making the store; else a random one.
 * Use it before iam_open with is_new_store, and make the store's id durable after that: then no crash leaves a store without its key. ERR_INVALID as iam_open. */
struct err iam_choose_store_id(struct str data_dir, struct str key_file, uint8_t ret[16]);

/* *ret_made_root: the root credential was made by this call (print it once). */
struct err iam_open(const struct iam_options *options, struct iam **ret, bool *ret_made_root);
struct iam *iam_close(struct iam *iam); /* wipes secrets; NULL is fine; returns NULL */

struct str iam_root_user(const struct iam *iam);
struct str iam_root_password(const struct iam *iam);

/* By access key or client id. NULL: unknown. *ret_secret is a view, never to be logged. Time does not depend on which key is asked for. */
const struct principal *iam_find_key(const struct iam *iam, struct str access_key, struct str *ret_secret);
const struct principal *iam_find_name(const struct iam *iam, struct str name);
/* NULL unless the setting names one. */
const struct principal *iam_anonymous(const struct iam *iam);

struct str principal_name(const struct principal *p);
bool principal_is_root(const struct principal *p);

/* A 32-byte key derived from the master key for one purpose ("token", "vended", "rows"). */
void iam_derive_key(const struct iam *iam, const char *purpose, uint8_t out[32]);

#endif
