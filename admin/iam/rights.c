/*
 * rights.c - does the caller hold a privilege there?
 *
 * A role's rights are sorted by thing, so a check is a binary search for each thing on the path and each role: a dozen comparisons, no
 * row, no lock. Privileges only add up; what nobody granted is denied.
 *
 * Identities of s3.json have no roles: each of their actions stands for privileges on whatever lies at the places that it names. So the file opens the catalog as far
 * as it opens the files, and nobody has to say the same thing twice.
 */
#include "admin/iam/rights.h"

#include <stdlib.h>

#include "admin/iam/principal.h"
#include "storage/base/thread.h"

/* ---- roles ---- */

static struct privilege_set role_gives(const struct role *role, const struct securable *on)
{
    const struct right wanted = { .on = *on };
    const struct right *found = role->right_count
        ? bsearch(&wanted, role->rights, role->right_count, sizeof(wanted), securable_cmp)
        : NULL;

    return found ? found->gives : (struct privilege_set){ { 0, 0 } };
}

/* All that the caller's roles give on the path and around it. */
static struct privilege_set roles_give(const struct caller *who, const struct securable_path *path)
{
    const struct securable root = securable_of_id(SECURABLE_ROOT, 0);
    struct privilege_set all = { { 0, 0 } };

    for (size_t i = 0; i < who->role_count; i++) {
        privilege_set_merge(&all, role_gives(who->roles[i], &root));
        for (size_t j = 0; path && j < path->count; j++)
            privilege_set_merge(&all, role_gives(who->roles[i], &path->nodes[j]));
    }
    return all;
}

/* ---- actions of an identities file ---- */

/* clang-format off */
static const struct {
    unsigned action;
    uint8_t gives[10];
} action_rows[] = {
    { ACTION_READ,  { PRIV_CATALOG_READ_PROPERTIES, PRIV_NAMESPACE_READ_PROPERTIES, PRIV_TABLE_READ_DATA, PRIV_VIEW_READ_PROPERTIES } },
    { ACTION_WRITE, { PRIV_CATALOG_READ_PROPERTIES, PRIV_NAMESPACE_FULL_METADATA, PRIV_TABLE_FULL_METADATA, PRIV_TABLE_WRITE_DATA,
                      PRIV_VIEW_FULL_METADATA } },
    { ACTION_ADMIN, { PRIV_CATALOG_MANAGE_CONTENT, PRIV_CATALOG_MANAGE_ACCESS } },
};
/* clang-format on */

static struct privilege_set action_gives(unsigned action)
{
    struct privilege_set all = { { 0, 0 } };

    for (size_t i = 0; i < sizeof(action_rows) / sizeof(action_rows[0]); i++) {
        if (!(action & action_rows[i].action)) continue;
        for (const uint8_t *p = action_rows[i].gives; *p; p++) privilege_set_add(&all, (enum privilege) * p);
    }
    return all;
}

/* The location without its scheme: "bucket/key". It was checked when it was stored. */
static struct str place_of(const struct securable_path *path, struct str *ret_bucket)
{
    const struct str url = path->location;
    return str_cut(str_from(url, str_find(url, STR("://")) + 3), '/', ret_bucket);
}

static struct privilege_set grants_give(const struct principal *p, const struct securable_path *path)
{
    struct privilege_set all = { { 0, 0 } };
    struct str bucket = STR_NONE, key = STR_NONE;

    if (path) key = place_of(path, &bucket);
    for (size_t i = 0; i < p->grant_count; i++) {
        const struct grant *g = &p->grants[i];
        const bool is_there = path ? grant_covers_location(g, bucket, key) : g->scope == GRANT_EVERYWHERE;
        if (is_there) privilege_set_merge(&all, action_gives(g->action));
    }
    return all;
}

/* ---- the check ---- */

static struct privilege_set held(const struct caller *who, const struct securable_path *path)
{
    struct privilege_set all = roles_give(who, path);

    privilege_set_merge(&all, grants_give(who->principal, path));
    return all;
}

bool rights_have(const struct caller *who, enum privilege p, const struct securable_path *path)
{
    const struct principal *principal = who->principal;

    if (!principal || who->scope) return false;
    if (principal->is_root) return true;
    /* Whose secret was given out by somebody else may only change it. */
    if (principal->is_rotation_required) return false;
    return privilege_set_gives(held(who, path), p);
}

struct err rights_check(const struct caller *who, enum privilege p, const struct securable_path *path)
{
    const struct str name = who->principal ? who->principal->name : STR("nobody");

    if (rights_have(who, p, path)) return OK;
    return err_fail(ERR_DENIED, "%.*s%s does not hold %s there%s", STR_ARG(str_slice(name, 0, 64)),
                    who->scope ? " (vended key)" : "", privilege_name(p),
                    who->principal && who->principal->is_rotation_required
                        ? ": its credentials must be rotated first"
                        : "");
}

bool rights_see_catalog(const struct caller *who, const struct securable_path *path)
{
    if (rights_have(who, PRIV_CATALOG_LIST, path) || rights_have(who, PRIV_CATALOG_MANAGE_ACCESS, path))
        return true;
    if (!who->principal || who->scope || who->principal->is_rotation_required) return false;
    for (size_t i = 0; i < who->role_count; i++) {
        const struct role *role = who->roles[i];
        for (size_t j = 0; j < role->right_count; j++) {
            if (role->rights[j].catalog_id == path->catalog_id) return true;
        }
    }
    return false;
}

/* ---- the way to what one may see ---- */

struct seen {
    struct rows *rows;
    struct arena *arena;
    const struct securable_path *path; /* of the parent */
    const struct ns_path *parent;
    struct str *names;
    size_t count, room;
};

static bool is_below(const struct seen *s, const struct securable_path *path, const struct ns_path *names)
{
    if (path->catalog_id != s->path->catalog_id || names->count <= s->parent->count) return false;
    for (size_t i = 0; i < s->parent->count; i++) {
        if (!str_eq(names->levels[i], s->parent->levels[i])) return false;
    }
    return true;
}

static struct err add_seen(struct seen *s, struct str name)
{
    for (size_t i = 0; i < s->count; i++) {
        if (str_eq(s->names[i], name)) return OK;
    }
    struct str *names = arena_grow(s->arena, s->names, s->count, &s->room, sizeof(*names));
    if (!names) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    s->names = names;
    s->names[s->count++] = name;
    return OK;
}

/* Where a thing is: in this namespace, or is this namespace. ERR_NOT_FOUND: the grant outlived it. */
static struct err namespace_of(const struct seen *s, const struct securable *on, uint64_t *ret)
{
    const struct str uuid = str_of(on->id, sizeof(on->id));
    char bytes[SECURABLE_KEY_MAX];

    if (on->kind == SECURABLE_TABLE || on->kind == SECURABLE_VIEW) return securable_home(s->rows, uuid, ret);
    if (on->kind != SECURABLE_NAMESPACE) return FAIL(ERR_NOT_FOUND, "it is in no namespace");
    const struct str key = securable_key(on, bytes);
    *ret = 0;
    for (size_t i = 1; i < key.len; i++) *ret = *ret << 8 | (uint8_t)key.data[i];
    return OK;
}

static struct err see_right(struct seen *s, const struct right *right)
{
    struct securable_path path;
    struct ns_path names;
    uint64_t ns_id = 0;
    struct err e = namespace_of(s, &right->on, &ns_id);

    if (e.code == ERR_OK) e = securable_of_namespace(s->rows, ns_id, s->arena, &names, &path);
    if (e.code == ERR_NOT_FOUND) return OK;
    TRY(e);
    return is_below(s, &path, &names) ? add_seen(s, names.levels[s->parent->count]) : OK;
}

struct err rights_children_seen(const struct caller *who, struct rows *r, const struct securable_path *path,
                                const struct ns_path *parent, struct arena *arena, struct str **ret,
                                size_t *ret_count)
{
    struct seen s = { .rows = r, .arena = arena, .path = path, .parent = parent };

    for (size_t i = 0; i < who->role_count && !who->principal->is_rotation_required; i++) {
        const struct role *role = who->roles[i];
        for (size_t j = 0; j < role->right_count; j++) {
            if (role->rights[j].catalog_id == path->catalog_id) TRY(see_right(&s, &role->rights[j]));
        }
    }
    *ret = s.names;
    *ret_count = s.count;
    return OK;
}

static struct err see_table(struct seen *s, const struct securable *on, uint64_t ns_id)
{
    const struct str uuid = str_of(on->id, sizeof(on->id));
    uint64_t home = 0;
    struct str key;
    const struct err e = securable_home(s->rows, uuid, &home);

    if (e.code == ERR_NOT_FOUND || (e.code == ERR_OK && home != ns_id)) return OK;
    TRY(e);
    TRY(rows_get(s->rows, SPACE_TABLE_IDS, uuid, &key));
    const struct str name = arena_str(s->arena, str_from(key, 16));
    return name.data ? add_seen(s, name) : FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
}

struct err rights_tables_seen(const struct caller *who, struct rows *r, uint64_t ns_id,
                              enum securable_kind kind, struct arena *arena, struct str **ret,
                              size_t *ret_count)
{
    struct seen s = { .rows = r, .arena = arena };

    for (size_t i = 0; i < who->role_count && !who->principal->is_rotation_required; i++) {
        const struct role *role = who->roles[i];
        for (size_t j = 0; j < role->right_count; j++) {
            if (role->rights[j].on.kind == kind) TRY(see_table(&s, &role->rights[j].on, ns_id));
        }
    }
    *ret = s.names;
    *ret_count = s.count;
    return OK;
}

/* ---- files ---- */

static struct err refuse(const struct caller *who, enum permission what, struct str bucket, struct str key)
{
    return err_fail(ERR_DENIED, "%.*s has no right to %s on %.*s/%.*s by a table",
                    STR_ARG(str_slice(who->principal->name, 0, 64)), permission_name(what), STR_ARG(bucket),
                    STR_ARG(str_slice(key, 0, 256)));
}

/* A key that was vended for a table that is about to be made works in its namespace's name, as long as nobody else's table is there. */
static struct err path_of_file(const struct caller *who, struct rows *r, struct str bucket, struct str key,
                               struct arena *arena, struct securable_path *ret)
{
    const struct session_scope *scope = who->scope;
    const struct err e = securable_of_file(r, bucket, key, arena, ret);
    struct ns_path names;

    if (e.code == ERR_NOT_FOUND && scope && scope->staged_in)
        return securable_of_namespace(r, scope->staged_in, arena, &names, ret);
    TRY(e);
    const struct securable *table = &ret->nodes[ret->count - 1];
    if (!scope || str_eq(str_of(table->id, sizeof(table->id)), scope->table_uuid)) return OK;
    return FAIL(ERR_NOT_FOUND, "another table's");
}

static struct err check_table(const struct caller *who, enum permission what, struct rows *r,
                              struct str bucket, struct str key, struct arena *arena)
{
    const struct caller owner = { .principal = who->principal,
                                  .roles = who->roles,
                                  .role_count = who->role_count };
    struct securable_path path;
    const struct err e = path_of_file(who, r, bucket, key, arena, &path);

    if (e.code == ERR_NOT_FOUND) return refuse(who, what, bucket, key);
    TRY(e);
    /* An identities file speaks of places: of this file's, here. */
    path.location = arena_printf(arena, "s3://%.*s/%.*s", STR_ARG(bucket), STR_ARG(key));
    if (!path.location.data) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    return rights_have(&owner, access_table_privilege(what), &path) ? OK : refuse(who, what, bucket, key);
}

struct err rights_check_s3(const struct caller *who, enum permission what, const struct s3_resource *on,
                           struct arena *arena)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    const bool has_privilege = access_table_privilege(what) != PRIV_NONE;

    if (!who->principal || !has_privilege || (!who->scope && who->role_count == 0))
        return access_check(who, what, on->bucket, on->key);
    TRY(access_check_scope(who, what, on->bucket, on->key));
    if (!who->scope && access_check(who, what, on->bucket, on->key).code == ERR_OK) return OK;
    TRY(view_open(on->meta, &view));
    return check_table(who, what, view, on->bucket, on->key, arena);
}

struct err rights_check_bypass(const struct caller *who, const struct s3_resource *on, struct arena *arena)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct securable_path path = { .count = 0 };

    TRY(view_open(on->meta, &view));
    const struct err e = securable_of_file(view, on->bucket, on->key, arena, &path);
    if (e.code != ERR_NOT_FOUND) TRY(e);
    path.location = arena_printf(arena, "s3://%.*s/%.*s", STR_ARG(on->bucket), STR_ARG(on->key));
    if (!path.location.data) return no_memory();
    return rights_check(who, PRIV_CATALOG_MANAGE_CONTENT, &path);
}
