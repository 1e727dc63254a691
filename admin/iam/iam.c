/*
 * iam.c - who there is: the master key, root, the identities of the file, and the directory that is in force.
 *
 * A directory is made from the configuration and, if there are rows, from one view of them (directory.c), and then takes the place of the one before. Whoever holds
 * that goes on with it; the last one frees it. The lock is held for a pointer and a count.
 *
 * Derived keys are HMAC-SHA256(master key, "firn 1 " || purpose), so that what one of them signs is never taken for another's.
 */
#include "admin/iam/iam.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/iam/directory.h"
#include "admin/iam/key_file.h"
#include "storage/base/buf.h"
#include "storage/base/clock.h"
#include "storage/base/digest.h"
#include "storage/base/ids.h"
#include "storage/base/log.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"

#define ARENA_BYTES_MAX ((size_t)64 << 20) /* the largest identities file, read and indexed */

struct iam {
    struct arena *arena; /* of what the configuration says */
    struct master_key master;
    struct identities configured;
    struct str root_user, root_password;
    struct str anonymous_principal;
    struct meta *meta;
    uint64_t lease_ms;
    _Atomic uint64_t checked_ms; /* monotonic: at this time current was true */
    struct mutex lock;           /* guards: current */
    struct directory *current;   /* the one in force */
};

static struct err no_memory_for_identities(void)
{
    return FAIL(ERR_NO_MEMORY, "no memory for the identities");
}

/* ---- the master key ---- */

static struct err key_path(struct str data_dir, struct str key_file, struct arena *arena, const char **ret)
{
    if (!key_file.len) return path_beside(data_dir, ".key", arena, ret);
    *ret = arena_z(arena, key_file);
    return *ret ? OK : no_memory_for_identities();
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

    if (!arena) return no_memory_for_identities();
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
        return iam->root_user.data && iam->root_password.data ? OK : no_memory_for_identities();
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

    if (!path) return no_memory_for_identities();
    struct err e = warn_if_open(path);
    if (e.code == ERR_NOT_FOUND) return err_fail(ERR_INVALID, "the identities file %s is not there", path);
    TRY(e);
    TRY(in_file(sys_read_file(path, LIMIT_IDENTITIES_BYTES, &text, &len), path));
    e = in_file(s3_json_parse(str_of(text, len), iam->arena, ret), path);
    bytes_wipe(text, len);
    free(text);
    return e;
}

/* ---- the directory in force ---- */

static struct err make_directory(struct iam *iam, bool is_first, struct directory **ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct directory_options o = {
        .iam = iam,
        .configured = &iam->configured,
        .root_user = iam->root_user,
        .root_password = iam->root_password,
        .anonymous_principal = iam->anonymous_principal,
        .is_first = is_first,
    };

    if (iam->meta) TRY(view_open(iam->meta, &view));
    o.rows = view;
    return directory_make(&o, ret);
}

/* Two changes may be read in one order and arrive here in the other: the later one stays. */
static void install(struct iam *iam, struct directory *made)
{
    struct directory *old = made;

    mutex_lock(&iam->lock);
    if (!iam->current || made->epoch > iam->current->epoch) {
        old = iam->current;
        iam->current = made;
    }
    mutex_unlock(&iam->lock);
    directory_release(old);
}

static struct err has_changed(struct iam *iam, bool *ret)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    uint64_t epoch;

    TRY(view_open(iam->meta, &view));
    TRY(access_epoch_get(view, &epoch));
    mutex_lock(&iam->lock);
    *ret = epoch != iam->current->epoch;
    mutex_unlock(&iam->lock);
    return OK;
}

struct err iam_reload(struct iam *iam)
{
    const uint64_t now = clock_mono_ms();
    struct directory *made;
    bool changed = false;

    TRY(has_changed(iam, &changed));
    if (changed) {
        TRY(make_directory(iam, false, &made));
        install(iam, made);
    }
    if (atomic_load(&iam->checked_ms) < now) atomic_store(&iam->checked_ms, now);
    return OK;
}

struct err iam_put_in_force(struct iam *iam)
{
    const struct err e = iam_reload(iam);

    if (e.code == ERR_OK) return OK;
    LOG_ERROR("a change of identities is made, but not in force yet", ERRF(e));
    return FAIL(ERR_OUTCOME_UNKNOWN, "the change is made, but not in force yet");
}

/* Nobody looked for long enough that another server's change may be missing. */
static bool is_stale(const struct iam *iam)
{
    return iam->lease_ms && clock_mono_ms() >= atomic_load(&iam->checked_ms) + iam->lease_ms;
}

struct err iam_directory(const struct iam *iam, struct arena *arena, const struct directory **ret)
{
    struct iam *shared = (struct iam *)iam; /* holding is no change that anybody sees */

    if (is_stale(iam)) TRY(iam_reload(shared));
    mutex_lock(&shared->lock);
    struct directory *d = shared->current;
    directory_hold(d);
    mutex_unlock(&shared->lock);
    if (!arena_defer(arena, directory_release, d)) {
        directory_release(d);
        return no_memory_for_identities();
    }
    *ret = d;
    return OK;
}

/* ---- opening and closing ---- */

static struct err open_all(struct iam *iam, const struct iam_options *o, bool *made_root)
{
    struct directory *first;

    iam->meta = o->meta;
    iam->lease_ms = o->lease_ms;
    iam->anonymous_principal = arena_str(iam->arena, o->anonymous_principal);
    if (!iam->anonymous_principal.data) return no_memory_for_identities();
    TRY(open_master_key(iam, o));
    if (o->identities_file.len) TRY(read_identities(iam, o->identities_file, &iam->configured));
    TRY(open_root(iam, o, made_root));
    TRY(make_directory(iam, true, &first));
    install(iam, first);
    return OK;
}

struct err iam_open(const struct iam_options *options, struct iam **ret, bool *ret_made_root)
{
    struct iam *iam = calloc(1, sizeof(*iam));
    bool made_root = false;

    if (!iam) return no_memory_for_identities();
    mutex_init(&iam->lock, LOCK_IAM);
    iam->arena = arena_new(ARENA_BYTES_MAX);
    const struct err e = iam->arena ? open_all(iam, options, &made_root) : no_memory_for_identities();
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
    directory_release(iam->current);
    for (size_t i = 0; i < iam->configured.key_count; i++) wipe(iam->configured.keys[i].secrets.items[0]);
    wipe(iam->root_password);
    arena_free(iam->arena);
    mutex_done(&iam->lock);
    bytes_wipe(iam, sizeof(*iam));
    free(iam);
    return NULL;
}

struct meta *iam_meta(const struct iam *iam)
{
    return iam->meta;
}

struct str iam_root_user(const struct iam *iam)
{
    return iam->root_user;
}

struct str iam_root_password(const struct iam *iam)
{
    return iam->root_password;
}
