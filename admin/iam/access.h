/*
 * access.h - who is asking, and what their own credential says of files and buckets. Default deny. The checks that the edges ask are in rights.h.
 */
#ifndef ADMIN_IAM_ACCESS_H
#define ADMIN_IAM_ACCESS_H

#include "admin/iam/iam.h"
#include "admin/iam/privilege.h"

/* What a vended S3 key may do (session_token.h); rights are bits. */
enum session_right { SESSION_READ = 1, SESSION_WRITE = 2, SESSION_DELETE = 4, SESSION_LIST = 8 };

#define SESSION_PREFIXES_MAX 4
struct session_scope {
    struct str prefixes[SESSION_PREFIXES_MAX]; /* "bucket/key/prefix/": each ends with a slash and names one bucket */
    size_t prefix_count;
    unsigned rights;
    int64_t expires_ms;
    struct str table_uuid;  /* 36 characters; empty: not for a table */
    uint64_t staged_in;     /* id of the namespace in which the table is about to be made; 0: it is there already */
};

struct role;

/* Who is asking. Values; strings live as long as the request. */
struct caller {
    const struct principal *principal; /* NULL: nobody */
    const struct session_scope *scope; /* not NULL: a vended key; the principal's rights are cut by it */
    bool is_anonymous;                 /* came without credentials */
    const struct role *const *roles;   /* that the caller acts in: of the principal's, those that the token was made for */
    size_t role_count;
};
/* p with all its roles. */
struct caller caller_of_principal(const struct principal *p);
/* The names of the roles that it acts in, joined by commas, in the arena: for the audit log. */
struct str caller_roles(const struct caller *who, struct arena *arena);

/* By the caller's own credential alone: rights_check_s3 (rights.h) is the whole check of the S3 door. bucket and key may be empty where the permission has none. OK or
 * ERR_DENIED, with a why that names permission and resource, for the log; clients get the edge's sentence. */
struct err access_check(const struct caller *who, enum permission what, struct str bucket, struct str key);

/* The half of it that is a vended key's scope: OK for a caller without one. */
struct err access_check_scope(const struct caller *who, enum permission what, struct str bucket, struct str key);

/* The privilege on a file's table that allows this too; PRIV_NONE: none does. */
enum privilege access_table_privilege(enum permission p);

/* May the caller do anything in this bucket (ListBuckets shows it)? */
bool access_sees_bucket(const struct caller *who, struct str bucket);

const char *permission_name(enum permission p); /* "Read" ... */

#endif
