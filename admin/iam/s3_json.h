/*
 * s3_json.h - the identities file of SeaweedFS (`weed s3 -config=s3.json`), unmodified.
 *
 *   { "identities": [ { "name": "alice",
 *                       "credentials": [ { "accessKey": "...", "secretKey": "..." } ],
 *                       "actions": [ "Read", "List:bucket", "Write:bucket/prefix*" ],
 *                       "account": { "id": "...", "displayName": "...", "emailAddress": "..." } } ],
 *     "accounts": [ { "id": "...", ... } ] }
 *
 * It says who may come in, so whatever is not understood is an error and not skipped: a typing mistake must never open the store
 * (s3.md 11), nor leave out a limit that somebody believes in. Differences from SeaweedFS, all of them refusals: a '*' that is not at the end of a key
 * ("Read:dev-*" would match names of buckets by prefix), '?' in a key, an identity "anonymous" with credentials.
 */
#ifndef ADMIN_IAM_S3_JSON_H
#define ADMIN_IAM_S3_JSON_H

#include "admin/iam/iam.h"
#include "admin/iam/principal.h"
#include "storage/base/arena.h"
#include "storage/base/err.h"

#define ANONYMOUS_NAME "anonymous" /* its grants are those of unsigned requests */
#define ROOT_NAME "root"           /* no identity may be called so */

/* Of a file; an index of so many keys is built at start, and no file of people is near it. */
#define LIMIT_IDENTITIES 10000
#define LIMIT_IDENTITIES_BYTES (16 * 1024 * 1024)
struct identities {
    struct principal *principals;
    size_t principal_count;
    struct access_key *keys; /* without digest */
    size_t key_count;
};

/* Everything is copied to the arena. Text of blanks alone is no identities. ERR_INVALID names the place and the word that is wrong, never a secret. Duplicate names and
 * access keys are the caller's to find (iam.c: it knows root's too). */
struct err s3_json_parse(struct str text, struct arena *arena, struct identities *ret);

/* "Read", "Read:bucket/prefix*"; views into text. */
struct err s3_json_grant(struct str text, struct grant *ret);

#endif
