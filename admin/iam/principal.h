/*
 * principal.h - what a principal is made of. For the files of this folder alone; others use iam.h and access.h.
 *
 * A principal has grants. A grant is one word of an identities file: an action, everywhere ("Read"), in one bucket ("Read:b"), at keys that begin
 * so ("Read:b/p*") or at one key ("Read:b/k"). Names of buckets are compared whole; there are no other patterns (reliability.md C7).
 */
#ifndef ADMIN_IAM_PRINCIPAL_H
#define ADMIN_IAM_PRINCIPAL_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/base/str.h"

/* The words of SeaweedFS. ADMIN includes all others in its scope. */
enum action {
    ACTION_READ = 1 << 0,
    ACTION_WRITE = 1 << 1,
    ACTION_LIST = 1 << 2,
    ACTION_TAGGING = 1 << 3,
    ACTION_READ_ACP = 1 << 4,
    ACTION_WRITE_ACP = 1 << 5,
    ACTION_ADMIN = 1 << 6,
    ACTION_ANY = (1 << 7) - 1,
};

enum grant_scope {
    GRANT_EVERYWHERE,
    GRANT_BUCKET,
    GRANT_PREFIX, /* keys that begin with `key` */
    GRANT_KEY,    /* this key alone */
};

struct grant {
    unsigned action; /* one of enum action */
    enum grant_scope scope;
    struct str bucket, key;
};

struct principal {
    struct str name;
    bool is_root; /* may do everything; has no grants */
    const struct grant *grants;
    size_t grant_count;
};

/* An access key, and whose it is. */
struct access_key {
    struct str id, secret;
    const struct principal *owner;
    uint8_t digest[32]; /* keyed, of id: what it is found by (iam.c) */
};

#endif
