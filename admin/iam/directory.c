/*
 * directory.c - the index of principals and keys, and who holds it.
 *
 * Keys are found by a digest, HMAC-SHA256 of the access key under a key that is new with each directory, in a sorted array: how long a
 * search takes depends on nothing that a caller could choose or learn (reliability.md A16), and 10,000 keys are 14 steps.
 */
#include "admin/iam/directory.h"

#include <stdlib.h>
#include <string.h>

#include "storage/base/digest.h"
#include "storage/base/encode.h"
#include "storage/base/ids.h"

static struct err no_memory_for_identities(void)
{
    return FAIL(ERR_NO_MEMORY, "no memory for the identities");
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

static void digest_key(const struct directory *d, struct access_key *key)
{
    hmac_sha256(str_of(d->lookup_key, sizeof(d->lookup_key)), key->id, key->digest);
}

/* Root is in every role that manages: it is shown so, and may do all the same. */
static struct err give_root_its_role(struct directory *d, struct principal *root)
{
    for (size_t i = 0; i < d->role_count; i++) {
        if (!str_is(d->roles[i].name, SERVICE_ADMIN)) continue;
        const struct role **roles = arena_array(d->arena, const struct role *, 1);
        if (!roles) return no_memory_for_identities();
        roles[0] = &d->roles[i];
        root->roles = roles;
        root->role_count = 1;
    }
    return OK;
}

/* Principals are sorted before keys point to them. */
static struct err index_principals(struct directory *d, const struct directory_options *o,
                                   const struct stored *stored)
{
    const struct identities *from = o->configured;
    struct principal *all = arena_array(d->arena, struct principal,
                                        1 + from->principal_count + stored->principal_count);
    size_t count = 0;

    if (!all) return no_memory_for_identities();
    all[count] = (struct principal){ .name = STR(ROOT_NAME), .is_root = true, .client_id = o->root_user };
    TRY(give_root_its_role(d, &all[count++]));
    for (size_t i = 0; i < from->principal_count; i++) all[count++] = from->principals[i];
    for (size_t i = 0; i < stored->principal_count; i++) all[count++] = stored->principals[i];
    qsort(all, count, sizeof(*all), by_name);
    d->principals = all;
    d->principal_count = count;
    for (size_t i = 1; i < count; i++) {
        if (str_eq(all[i - 1].name, all[i].name))
            return err_fail(ERR_INVALID, "two identities are called '%.*s'", STR_ARG(all[i].name));
    }
    return OK;
}

/* The secret in use says which tokens are of now: it is bound to the name, so that two with one secret do not share an epoch. */
static uint32_t epoch_of(const struct iam *iam, struct str name, struct str secret)
{
    uint8_t key[32], inner[32], mac[32];

    iam_derive_key(iam, "epoch", key);
    hmac_sha256(str_of(key, sizeof(key)), secret, inner);
    hmac_sha256(str_of(inner, sizeof(inner)), name, mac);
    bytes_wipe(key, sizeof(key));
    return get_le32(mac);
}

/* The owner, by name: of an identities file it is the parser's, of a row it stands where its key does. */
static void add_key(struct directory *d, const struct iam *iam, struct str owner, struct access_key key)
{
    const struct principal wanted = { .name = owner };
    struct principal *p = bsearch(&wanted, d->principals, d->principal_count, sizeof(wanted), by_name);

    key.owner = p;
    digest_key(d, &key);
    /* All keys of an identities file count, in whatever order they are. */
    p->epoch ^= epoch_of(iam, key.id, key.secrets.items[0]);
    d->keys[d->key_count++] = key;
}

static struct err index_keys(struct directory *d, const struct directory_options *o,
                             const struct stored *stored)
{
    const struct identities *from = o->configured;

    d->keys = arena_array(d->arena, struct access_key, 1 + from->key_count + stored->key_count);
    if (!d->keys) return no_memory_for_identities();
    add_key(
        d, o->iam, STR(ROOT_NAME),
        (struct access_key){ .id = o->root_user, .secrets = { .items = { o->root_password }, .count = 1 } });
    for (size_t i = 0; i < from->key_count; i++) add_key(d, o->iam, from->keys[i].owner->name, from->keys[i]);
    for (size_t i = 0; i < stored->key_count; i++)
        add_key(d, o->iam, stored->principals[i].name, stored->keys[i]);
    qsort(d->keys, d->key_count, sizeof(*d->keys), by_digest);
    for (size_t i = 1; i < d->key_count; i++) {
        if (by_digest(&d->keys[i - 1], &d->keys[i]) == 0)
            return err_fail(ERR_INVALID, "the access key '%.*s' is given twice", STR_ARG(d->keys[i].id));
    }
    return OK;
}

/* The setting, or else the identity that SeaweedFS calls so. */
static struct err choose_anonymous(struct directory *d, struct str setting, bool is_first)
{
    d->anonymous = directory_find_name(d, setting.len ? setting : STR(ANONYMOUS_NAME));
    if (setting.len && !d->anonymous && is_first)
        return err_fail(ERR_INVALID, "anonymous-principal '%.*s' is not an identity", STR_ARG(setting));
    return OK;
}

static struct err fill(struct directory *d, const struct directory_options *o)
{
    struct stored stored = { .role_count = 0 };

    ids_random(d->lookup_key, sizeof(d->lookup_key));
    if (o->rows) {
        TRY(access_epoch_get(o->rows, &d->epoch));
        TRY(directory_load(o->iam, o->rows, d->arena, &stored));
    }
    d->roles = stored.roles;
    d->role_count = stored.role_count;
    TRY(index_principals(d, o, &stored));
    TRY(index_keys(d, o, &stored));
    return choose_anonymous(d, o->anonymous_principal, o->is_first);
}

/* ---- making and freeing ---- */

/* Secrets of the rows are in our arena; those of the configuration are iam.c's. */
static void destroy(struct directory *d)
{
    for (size_t i = 0; i < d->key_count; i++) {
        const struct access_key *key = &d->keys[i];
        for (size_t j = 0; key->owner->is_stored && j < key->secrets.count; j++)
            bytes_wipe((void *)key->secrets.items[j].data, key->secrets.items[j].len);
    }
    arena_free(d->arena);
    free(d);
}

struct err directory_make(const struct directory_options *o, struct directory **ret)
{
    struct directory *d = calloc(1, sizeof(*d));

    if (!d) return no_memory_for_identities();
    d->arena = arena_new(LIMIT_DIRECTORY_BYTES);
    atomic_init(&d->holders, 1);
    const struct err e = d->arena ? fill(d, o) : no_memory_for_identities();
    if (e.code == ERR_OK) *ret = d;
    else destroy(d);
    return e;
}

void directory_hold(struct directory *d)
{
    atomic_fetch_add_explicit(&d->holders, 1, memory_order_relaxed);
}

void directory_release(void *arg)
{
    struct directory *d = arg;

    if (d && atomic_fetch_sub_explicit(&d->holders, 1, memory_order_acq_rel) == 1) destroy(d);
}

/* ---- looking up ---- */

const struct principal *directory_find_key(const struct directory *d, struct str access_key,
                                           struct secrets *ret)
{
    struct access_key wanted = { .id = access_key };

    digest_key(d, &wanted);
    const struct access_key *key = bsearch(&wanted, d->keys, d->key_count, sizeof(*d->keys), by_digest);
    if (!key) return NULL;
    *ret = key->secrets;
    return key->owner;
}

const struct principal *directory_find_name(const struct directory *d, struct str name)
{
    const struct principal wanted = { .name = name };
    return bsearch(&wanted, d->principals, d->principal_count, sizeof(*d->principals), by_name);
}

const struct principal *directory_anonymous(const struct directory *d)
{
    return d->anonymous;
}

struct str principal_name(const struct principal *p)
{
    return p->name;
}

bool principal_is_root(const struct principal *p)
{
    return p->is_root;
}

uint32_t principal_epoch(const struct principal *p)
{
    return p->epoch;
}
