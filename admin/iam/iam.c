/*
 * iam.c - who there is: root, the identities of the file, and how a key is found.
 *
 * Keys are found by a digest, HMAC-SHA256 of the access key under a key that is new with each start, in a sorted array: how long a
 * search takes depends on nothing that a caller could choose or learn (reliability.md A16), and 10,000 keys are 14 steps.
 *
 * Derived keys are HMAC-SHA256(master key, "firn 1 " || purpose), so that what one of them signs is never taken for another's.
 */
#include "admin/iam/iam.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/iam/key_file.h"
#include "admin/iam/principal.h"
#include "admin/iam/s3_json.h"
#include "storage/base/buf.h"
#include "storage/base/digest.h"
#include "storage/base/ids.h"
#include "storage/base/log.h"
#include "storage/base/sysio.h"

#define ARENA_BYTES_MAX ((size_t)64 << 20) /* the largest identities file, read and indexed */

struct iam {
    struct arena *arena; /* all that follows points into it */
    struct master_key master;
    struct principal *principals; /* sorted by name */
    size_t principal_count;
    struct access_key *keys; /* sorted by digest */
    size_t key_count;
    uint8_t lookup_key[32];
    const struct principal *anonymous;
    struct str root_user, root_password;
};

static struct err no_memory(void)
{
    return FAIL(ERR_NO_MEMORY, "no memory for the identities");
}

/* ---- the master key ---- */

static struct err key_path(struct str data_dir, struct str key_file, struct arena *arena, const char **ret)
{
    if (!key_file.len) return path_beside(data_dir, ".key", arena, ret);
    *ret = arena_z(arena, key_file);
    return *ret ? OK : no_memory();
}

static struct err open_master_key(struct iam *iam, const struct iam_options *o)
{
    const char *path;

    TRY(key_path(o->data_dir, o->key_file, iam->arena, &path));
    const struct err e = key_file_read(path, &iam->master);
    if (e.code == ERR_NOT_FOUND && o->is_new_store) return key_file_make(path, o->store_id, &iam->master);
    if (e.code == ERR_NOT_FOUND)
        return err_fail(
            ERR_INVALID,
            "the store's master key %s is missing: bring it back; a new one would not open what is sealed",
            path);
    TRY(e);
    if (memcmp(iam->master.store_id, o->store_id, sizeof(o->store_id)) != 0)
        return err_fail(ERR_INVALID, "the master key %s is of another store", path);
    return OK;
}

struct err iam_choose_store_id(struct str data_dir, struct str key_file, uint8_t ret[16])
{
    struct arena *arena = arena_new(ARENA_BYTES_MAX);
    struct master_key key;
    const char *path;

    if (!arena) return no_memory();
    struct err e = key_path(data_dir, key_file, arena, &path);
    if (e.code == ERR_OK) e = key_file_read(path, &key);
    if (e.code == ERR_NOT_FOUND) {
        ids_random(ret, 16);
        e = OK;
    } else if (e.code == ERR_OK) {
        memcpy(ret, key.store_id, 16);
        bytes_wipe(&key, sizeof(key));
    }
    arena_free(arena);
    return e;
}

void iam_derive_key(const struct iam *iam, const char *purpose, uint8_t out[32])
{
    char message[64];
    const int len = snprintf(message, sizeof(message), "firn 1 %s", purpose);

    hmac_sha256(str_of(iam->master.key, sizeof(iam->master.key)), str_of(message, (size_t)len), out);
}

/* ---- root ---- */

static struct err open_root(struct iam *iam, const struct iam_options *o, bool *made)
{
    const char *path;

    if (o->root_user.len && o->root_password.len) {
        if (o->root_user.len > LIMIT_CREDENTIAL || o->root_password.len > LIMIT_CREDENTIAL)
            return err_fail(ERR_INVALID, "root-user and root-password may have %d characters",
                            LIMIT_CREDENTIAL);
        iam->root_user = arena_str(iam->arena, o->root_user);
        iam->root_password = arena_str(iam->arena, o->root_password);
        return iam->root_user.data && iam->root_password.data ? OK : no_memory();
    }
    if (o->root_user.len) return FAIL(ERR_INVALID, "root-user is given without root-password");
    if (o->root_password.len) return FAIL(ERR_INVALID, "root-password is given without root-user");
    TRY(path_beside(o->data_dir, ".root", iam->arena, &path));
    const struct err e = root_file_read(path, iam->arena, &iam->root_user, &iam->root_password);
    if (e.code != ERR_NOT_FOUND) return e;
    TRY(root_file_make(path, iam->arena, &iam->root_user, &iam->root_password));
    *made = true;
    return OK;
}

/* ---- the identities file ---- */

static struct err in_file(struct err e, const char *path)
{
    char why[512];

    if (e.code != ERR_INVALID && e.code != ERR_TOO_LARGE) return e;
    e = err_keep(e, why, sizeof(why));
    return err_fail(ERR_INVALID, "%s: %s", path, e.why);
}

/* Others could read the secrets in it. It is not refused: it often comes through a mount whose modes nobody chose. */
static struct err warn_if_open(const char *path)
{
    struct stat st;

    TRY(sys_stat(path, &st));
    if (st.st_mode & 077)
        LOG_WARN("the identities file is open to others than its owner", STRF("path", path));
    return OK;
}

static struct err read_identities(struct iam *iam, struct str file, struct identities *ret)
{
    const char *path = arena_z(iam->arena, file);
    char *text = NULL;
    size_t len = 0;

    if (!path) return no_memory();
    struct err e = warn_if_open(path);
    if (e.code == ERR_NOT_FOUND) return err_fail(ERR_INVALID, "the identities file %s is not there", path);
    TRY(e);
    TRY(in_file(sys_read_file(path, LIMIT_IDENTITIES_BYTES, &text, &len), path));
    e = in_file(s3_json_parse(str_of(text, len), iam->arena, ret), path);
    bytes_wipe(text, len);
    free(text);
    return e;
}

/* ---- the index ---- */

static int by_name(const void *a, const void *b)
{
    const struct principal *x = a, *y = b;
    return str_cmp(x->name, y->name);
}

static int by_digest(const void *a, const void *b)
{
    const struct access_key *x = a, *y = b;
    return memcmp(x->digest, y->digest, sizeof(x->digest));
}

static void digest_key(const struct iam *iam, struct access_key *key)
{
    hmac_sha256(str_of(iam->lookup_key, sizeof(iam->lookup_key)), key->id, key->digest);
}

/* Principals are sorted before keys point to them. */
static struct err index_principals(struct iam *iam, const struct identities *from)
{
    const size_t count = from->principal_count + 1;

    iam->principals = arena_array(iam->arena, struct principal, count);
    if (!iam->principals) return no_memory();
    iam->principals[0] = (struct principal){ .name = STR(ROOT_NAME), .is_root = true };
    if (from->principal_count)
        memcpy(iam->principals + 1, from->principals, from->principal_count * sizeof(*from->principals));
    qsort(iam->principals, count, sizeof(*iam->principals), by_name);
    iam->principal_count = count;
    for (size_t i = 1; i < count; i++) {
        if (str_eq(iam->principals[i - 1].name, iam->principals[i].name))
            return err_fail(ERR_INVALID, "two identities are called '%.*s'",
                            STR_ARG(iam->principals[i].name));
    }
    return OK;
}

static struct err index_keys(struct iam *iam, const struct identities *from)
{
    const size_t count = from->key_count + 1;

    iam->keys = arena_array(iam->arena, struct access_key, count);
    if (!iam->keys) return no_memory();
    iam->keys[0] = (struct access_key){ .id = iam->root_user, .secret = iam->root_password };
    iam->keys[0].owner = iam_find_name(iam, STR(ROOT_NAME));
    for (size_t i = 1; i < count; i++) {
        iam->keys[i] = from->keys[i - 1];
        iam->keys[i].owner = iam_find_name(iam, from->keys[i - 1].owner->name);
    }
    iam->key_count = count;
    for (size_t i = 0; i < count; i++) digest_key(iam, &iam->keys[i]);
    qsort(iam->keys, count, sizeof(*iam->keys), by_digest);
    for (size_t i = 1; i < count; i++) {
        if (by_digest(&iam->keys[i - 1], &iam->keys[i]) == 0)
            return err_fail(ERR_INVALID, "the access key '%.*s' is given twice", STR_ARG(iam->keys[i].id));
    }
    return OK;
}

/* The setting, or else the identity that SeaweedFS calls so. */
static struct err choose_anonymous(struct iam *iam, struct str setting)
{
    iam->anonymous = iam_find_name(iam, setting.len ? setting : STR(ANONYMOUS_NAME));
    if (setting.len && !iam->anonymous)
        return err_fail(ERR_INVALID, "anonymous-principal '%.*s' is not an identity", STR_ARG(setting));
    return OK;
}

/* ---- opening and closing ---- */

static struct err open_all(struct iam *iam, const struct iam_options *o, bool *made_root)
{
    struct identities identities = { 0 };

    TRY(open_master_key(iam, o));
    if (o->identities_file.len) TRY(read_identities(iam, o->identities_file, &identities));
    TRY(open_root(iam, o, made_root));
    ids_random(iam->lookup_key, sizeof(iam->lookup_key));
    TRY(index_principals(iam, &identities));
    TRY(index_keys(iam, &identities));
    return choose_anonymous(iam, o->anonymous_principal);
}

struct err iam_open(const struct iam_options *options, struct iam **ret, bool *ret_made_root)
{
    struct iam *iam = calloc(1, sizeof(*iam));
    bool made_root = false;

    if (!iam) return no_memory();
    iam->arena = arena_new(ARENA_BYTES_MAX);
    const struct err e = iam->arena ? open_all(iam, options, &made_root) : no_memory();
    if (e.code != ERR_OK) {
        iam_close(iam);
        return e;
    }
    *ret = iam;
    *ret_made_root = made_root;
    return OK;
}

/* Secrets are in the arena, in strings that only we hold. */
static void wipe(struct str secret)
{
    if (secret.data) bytes_wipe((void *)secret.data, secret.len);
}

struct iam *iam_close(struct iam *iam)
{
    if (!iam) return NULL;
    for (size_t i = 0; i < iam->key_count; i++) wipe(iam->keys[i].secret);
    wipe(iam->root_password);
    arena_free(iam->arena);
    bytes_wipe(iam, sizeof(*iam));
    free(iam);
    return NULL;
}

/* ---- looking up ---- */

struct str iam_root_user(const struct iam *iam)
{
    return iam->root_user;
}

struct str iam_root_password(const struct iam *iam)
{
    return iam->root_password;
}

const struct principal *iam_find_key(const struct iam *iam, struct str access_key, struct str *ret_secret)
{
    struct access_key wanted = { .id = access_key };

    digest_key(iam, &wanted);
    const struct access_key *key = bsearch(&wanted, iam->keys, iam->key_count, sizeof(*iam->keys), by_digest);
    if (!key) return NULL;
    *ret_secret = key->secret;
    return key->owner;
}

const struct principal *iam_find_name(const struct iam *iam, struct str name)
{
    const struct principal wanted = { .name = name };
    return bsearch(&wanted, iam->principals, iam->principal_count, sizeof(*iam->principals), by_name);
}

const struct principal *iam_anonymous(const struct iam *iam)
{
    return iam->anonymous;
}

struct str principal_name(const struct principal *p)
{
    return p->name;
}

bool principal_is_root(const struct principal *p)
{
    return p->is_root;
}
