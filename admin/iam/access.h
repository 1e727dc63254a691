/*
 * access.h - the one access check: may this caller do that there? Default deny.
 */
#ifndef ADMIN_IAM_ACCESS_H
#define ADMIN_IAM_ACCESS_H

#include "admin/iam/iam.h"

/* What a vended S3 key may do (session_token.h); rights are bits. */
enum session_right { SESSION_READ = 1, SESSION_WRITE = 2, SESSION_DELETE = 4, SESSION_LIST = 8 };

#define SESSION_PREFIXES_MAX 4
struct session_scope {
    struct str prefixes[SESSION_PREFIXES_MAX]; /* "bucket/key/prefix/": each ends with a slash and names one bucket */
    size_t prefix_count;
    unsigned rights;
    int64_t expires_ms;
    struct str table_uuid;  /* 36 characters; empty: not for a table */
};

/* Who is asking. Values; strings live as long as the request. */
struct caller {
    const struct principal *principal; /* NULL: nobody */
    const struct session_scope *scope; /* not NULL: a vended key; the principal's rights are cut by it */
    bool is_anonymous;                 /* came without credentials */
};

/* bucket and key may be empty where the permission has none. For catalog permissions: bucket and key of the catalog's or table's location. OK or ERR_DENIED, with a why that
 * names permission and resource, for the log; clients get the edge's sentence. */
struct err access_check(const struct caller *who, enum permission what, struct str bucket, struct str key);

/* May the caller do anything in this bucket (ListBuckets shows it)? */
bool access_sees_bucket(const struct caller *who, struct str bucket);

const char *permission_name(enum permission p); /* "Read" ... */

#endif
