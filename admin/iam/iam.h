/*
 * iam.h - who there is: principals and their access keys.
 *
 * A principal's client id and secret are also its S3 access key and secret key (design.md 7). Principals come from the root credential, from an s3.json in
 * SeaweedFS' form (both read at start) and from rows, which the management API changes (manage.h). The master key (DIR.key, outside the data directory) signs
 * tokens and vended keys, and seals what is kept at rest.
 *
 * All that is known at one moment is a directory: made anew after each change, never changed itself, and held by a request from its first question to its
 * end. So a check takes no lock and reads no row, a request sees one moment, and a change is in force for every request that begins after it was
 * acknowledged. Of several servers on one store, each looks for the changes of the others (iam_reload, twice a second); one that cannot does not go on with what it knew for
 * longer than lease_ms, but answers ERR_UNAVAILABLE: so what was revoked anywhere works nowhere after that time.
 *
 * Threads: all functions may be called from any thread.
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

/* What a request wants to do with files and buckets, or the server. One row each in access.c. What it wants in the catalog is a privilege (privilege.h). */
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
    PERM_SERVER_STATUS,   /* GET /api/firn/v1/status */
    PERM_COUNT,
};

struct principal;
struct directory;
struct meta;

/* Secrets of one access key: two while a rotated one still works. Views, never to be logged. */
#define SECRETS_MAX 2
struct secrets {
    struct str items[SECRETS_MAX];
    size_t count;
};

struct iam_options {
    struct str data_dir;           /* DIR: DIR.key and DIR.root stand beside it */
    struct str key_file;           /* empty: DIR.key */
    struct str root_user, root_password; /* both or neither. Empty: made when DIR.root is not there, written 0600 to it, and read from there afterwards */
    struct str identities_file;    /* an s3.json; empty: none. Wrong content: ERR_INVALID with file, place and the word that is wrong */
    struct str anonymous_principal; /* empty: callers without credentials are the identity called "anonymous" if the file has one, else refused */
    bool is_new_store;             /* a missing key is made; else a missing key is ERR_INVALID and none is made */
    uint8_t store_id[16];          /* a key of another store: ERR_INVALID */
    struct meta *meta;             /* the rows of principals, roles and grants; NULL: the configuration alone (tests) */
    uint64_t lease_ms;             /* 0: only this server changes rows. Else how long what was read is believed: iam_directory looks again, when iam_reload did not meanwhile */
};

struct iam;

/* The id for a store that has none yet: that of the key file, if an earlier first start was cut off between making the key and making the store; else a random one.
 * Use it before iam_open with is_new_store, and make the store's id durable after that: then no crash leaves a store without its key. ERR_INVALID as iam_open. */
struct err iam_choose_store_id(struct str data_dir, struct str key_file, uint8_t ret[16]);

/* *ret_made_root: the root credential was made by this call (print it once). */
struct err iam_open(const struct iam_options *options, struct iam **ret, bool *ret_made_root);
struct iam *iam_close(struct iam *iam); /* wipes secrets; NULL is fine; returns NULL */

/* The store's rows; NULL as in the options. */
struct meta *iam_meta(const struct iam *iam);

struct str iam_root_user(const struct iam *iam);
struct str iam_root_password(const struct iam *iam);

/* Make the rows that every store has: the role service_admin, and for each catalog the role catalog_admin, held by service_admin (catalog.md 3.1). Does nothing when they are there. */
struct err iam_bootstrap(struct iam *iam);
/* Read the rows again, if they have changed: after a change here or on another server. A principal that callers without credentials are mapped to, and that is gone,
 * is nobody. Waits. */
struct err iam_reload(struct iam *iam);
/* The same behind a change that is made. ERR_OUTCOME_UNKNOWN: the rows cannot be read now, so it is made but not in force here yet; that is logged, and tried again in the background. */
struct err iam_put_in_force(struct iam *iam);

/* What is known now; it is held until the arena is freed or reset. ERR_NO_MEMORY; with a lease also what reading rows may fail with. */
struct err iam_directory(const struct iam *iam, struct arena *arena, const struct directory **ret);

/* By access key or client id. NULL: unknown. Time does not depend on which key is asked for. */
const struct principal *directory_find_key(const struct directory *d, struct str access_key, struct secrets *ret);
const struct principal *directory_find_name(const struct directory *d, struct str name);
/* NULL unless the setting names one. */
const struct principal *directory_anonymous(const struct directory *d);

struct str principal_name(const struct principal *p);
bool principal_is_root(const struct principal *p);
/* Changes with its secret: what names another is of before. */
uint32_t principal_epoch(const struct principal *p);

/* A 32-byte key derived from the master key for one purpose ("token", "vended", "rows"). */
void iam_derive_key(const struct iam *iam, const char *purpose, uint8_t out[32]);

#endif
