/*
 * directory.h - making a directory: the configuration's principals and those of the rows, indexed. For the files of this folder alone.
 */
#ifndef ADMIN_IAM_DIRECTORY_H
#define ADMIN_IAM_DIRECTORY_H

#include "admin/iam/iam_row.h"
#include "admin/iam/principal.h"
#include "admin/iam/s3_json.h"

#define LIMIT_DIRECTORY_BYTES ((size_t)256 << 20) /* 10,000 principals and 100,000 grants are 40 MB */

/* What the directory takes from the configuration. Strings are borrowed for as long as the directory lives. */
struct directory_options {
    const struct iam *iam;             /* opens secrets, and derives what changes with them */
    const struct identities *configured;
    struct str root_user, root_password;
    struct str anonymous_principal;    /* empty: the identity that SeaweedFS calls so */
    struct rows *rows;                 /* NULL: the configuration alone */
    bool is_first;                     /* the server starts: what is missing is an error */
};

/* ERR_INVALID: two principals of one name, or one access key twice, named; at the start, anonymous_principal is not there. On success the caller holds it. */
struct err directory_make(const struct directory_options *o, struct directory **ret);

/* Count one holder of a directory more, or (arg is the directory, for arena_defer) less; the last one frees it and wipes its secrets. */
void directory_hold(struct directory *d);
void directory_release(void *arg);

/* What the rows say (directory_load.c), into the directory's arena: roles with their rights, principals with their roles, their keys. */
struct stored {
    struct role *roles;
    size_t role_count;
    struct principal *principals;
    size_t principal_count;
    struct access_key *keys;
    size_t key_count;
};
struct err directory_load(const struct iam *iam, struct rows *r, struct arena *arena, struct stored *ret);

#endif
