/*
 * principal.h - what a principal is made of, and what a directory holds. For the files of this folder alone; others use iam.h, access.h and rights.h.
 *
 * A principal of the configuration has grants. A grant is one word of an identities file: an action, everywhere ("Read"), in one bucket ("Read:b"), at keys that begin
 * so ("Read:b/p*") or at one key ("Read:b/k"). Names of buckets are compared whole; there are no other patterns (reliability.md C7).
 * A principal that is stored (manage.h) has principal roles. What a role gives is worked out once, when the directory is made: its rights, merged over its catalog roles,
 * in the order of what they are on.
 */
#ifndef ADMIN_IAM_PRINCIPAL_H
#define ADMIN_IAM_PRINCIPAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "admin/iam/iam.h"
#include "admin/iam/privilege.h"
#include "catalog/commit/securable.h"
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

/* Is the location (a directory, without its slash) inside what the grant is for? */
bool grant_covers_location(const struct grant *g, struct str bucket, struct str key);

struct principal {
    struct str name;
    bool is_root;   /* may do everything; has no grants */
    bool is_stored; /* made by the management API */
    const struct grant *grants;
    size_t grant_count;
    const struct role *const *roles; /* in the order of their names */
    size_t role_count;
    uint32_t epoch;         /* changes with its secret: tokens and vended keys of another are dead */
    bool is_rotation_required;
    struct str client_id;   /* of a stored one, and of root */
};

/* What a role gives on one thing. */
struct right {
    struct securable on;
    uint64_t catalog_id; /* that it is in; 0: the service itself */
    struct privilege_set gives;
};

struct role {
    uint64_t id;
    struct str name;
    const struct right *rights; /* in the order of securable_cmp, one for each thing */
    size_t right_count;
};

/* An access key, and whose it is. */
struct access_key {
    struct str id;
    struct secrets secrets; /* the one in use first */
    const struct principal *owner;
    uint8_t digest[32]; /* keyed, of id: what it is found by (directory.c) */
};

/* All that is known at one moment; never changed once it is made, freed when nobody holds it. */
struct directory {
    struct arena *arena; /* all that follows points into it */
    struct principal *principals; /* sorted by name */
    size_t principal_count;
    struct role *roles; /* sorted by name */
    size_t role_count;
    struct access_key *keys; /* sorted by digest */
    size_t key_count;
    uint8_t lookup_key[32];
    const struct principal *anonymous;
    uint64_t epoch; /* of the rows that it was made of (SPACE_EPOCHS) */
    atomic_uint holders;
};

#endif
