/*
 * keys.h - credentials for other S3 endpoints, in the AWS shared-credentials form.
 *
 *   [default]
 *   aws_access_key_id = AKIA...
 *   aws_secret_access_key = ...
 *   aws_session_token = ...      (may be left out)
 *   region = eu-central-1        (may be left out)
 *
 * They never stand in a catalog's properties, which everybody sees who may read the catalog: a catalog names a profile. Errors name the line and its key, never a value.
 */
#ifndef STORAGE_REMOTE_KEYS_H
#define STORAGE_REMOTE_KEYS_H

#include <stdbool.h>

#include "storage/base/arena.h"
#include "storage/base/err.h"

struct remote_keys {
    struct str access_key, secret_key;
    struct str session_token; /* empty: none */
    struct str region;        /* empty: none is said */
};

struct key_profile {
    struct str name;
    struct remote_keys keys;
};

struct key_ring {
    struct key_profile *profiles;
    size_t count;
};

/* Texts are copied to the arena. ERR_INVALID: "line N: ...": no section, an unknown key, a key or section that is there twice, half a credential, a NUL. A file without any profile is wrong too. */
struct err key_ring_parse(struct str text, struct arena *arena, struct key_ring *ret);
/* The same, of a file. ERR_INVALID also when others than its owner may read it; errors begin with the path. */
struct err key_ring_load(const char *path, struct arena *arena, struct key_ring *ret);

/* The profile of that name; an empty name is "default". NULL: there is none. */
const struct remote_keys *key_ring_find(const struct key_ring *ring, struct str name);

#endif
