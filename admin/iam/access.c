/*
 * access.c - what the caller's own credential says of a file or bucket: the identities file's actions, a vended key's scope.
 *
 * One row a permission: which actions of an identities file allow it, which right of a vended key, which privilege on the file's table (rights.c). What no row allows is
 * denied. A vended key needs both: its own scope, and the right of the principal it was made for, so that it never opens more than
 * its owner has (reliability.md C1).
 *
 * Keys are compared byte by byte in their decoded form, the same that the store uses. Prefixes of vended keys end with '/', and names of tables
 * are never patterns in them (D3, D7).
 */
#include "admin/iam/access.h"

#include "admin/iam/principal.h"

enum row_flag {
    ROW_ANYWHERE = 1 << 0, /* a grant somewhere is enough: what it shows is cut by other means */
    ROW_GLOBAL = 1 << 1,   /* of the server: only a grant for everything counts */
};

/* clang-format off */
static const struct row {
    const char *name;
    unsigned actions; /* any of these; Admin and root always */
    unsigned session; /* any of these rights; 0: never by a vended key */
    enum privilege table; /* on the table in whose place the file lies, allows it too */
    unsigned flags;
} rows[] = {
    [PERM_PUBLIC]        = { "Public",        0,                            0, PRIV_NONE,             0 },
    [PERM_LIST_BUCKETS]  = { "ListBuckets",   ACTION_ANY,                   0, PRIV_NONE,             ROW_ANYWHERE },
    [PERM_CREATE_BUCKET] = { "CreateBucket",  0,                            0, PRIV_NONE,             0 },
    [PERM_DELETE_BUCKET] = { "DeleteBucket",  0,                            0, PRIV_NONE,             0 },
    [PERM_LIST]          = { "List",          ACTION_LIST,                  SESSION_LIST, PRIV_TABLE_READ_DATA,  0 },
    [PERM_READ]          = { "Read",          ACTION_READ,                  SESSION_READ, PRIV_TABLE_READ_DATA,  0 },
    [PERM_WRITE]         = { "Write",         ACTION_WRITE,                 SESSION_WRITE, PRIV_TABLE_WRITE_DATA, 0 },
    [PERM_DELETE]        = { "Delete",        ACTION_WRITE,                 SESSION_DELETE, PRIV_TABLE_WRITE_DATA, 0 },
    [PERM_READ_TAGS]     = { "ReadTags",      ACTION_READ | ACTION_TAGGING, SESSION_READ, PRIV_TABLE_READ_DATA,  0 },
    [PERM_WRITE_TAGS]    = { "WriteTags",     ACTION_TAGGING,               SESSION_WRITE, PRIV_TABLE_WRITE_DATA, 0 },
    [PERM_READ_CONFIG]   = { "ReadConfig",    ACTION_LIST,                  0, PRIV_NONE,             0 },
    [PERM_WRITE_CONFIG]  = { "WriteConfig",   0,                            0, PRIV_NONE,             0 },
    [PERM_READ_ACL]      = { "ReadAcl",       ACTION_READ_ACP,              0, PRIV_NONE,             0 },
    [PERM_SERVER_STATUS] = { "ServerStatus",  0,                            0, PRIV_NONE,             ROW_GLOBAL },
};
/* clang-format on */
_Static_assert(sizeof(rows) / sizeof(rows[0]) == PERM_COUNT, "a row for every permission");

const char *permission_name(enum permission p)
{
    return rows[p].name;
}

/* ---- what a principal may ---- */

/* The location "wh/t" is inside the prefix "wh/t/", which the bytes of its name alone do not show. */
static bool begins_with(struct str key, struct str prefix, bool is_location)
{
    if (str_starts(key, prefix)) return true;
    return is_location && prefix.len == key.len + 1 && prefix.data[key.len] == '/' && str_starts(prefix, key);
}

static bool grant_covers_key(const struct grant *g, bool is_location, struct str bucket, struct str key)
{
    if (g->scope == GRANT_EVERYWHERE) return true;
    if (!str_eq(g->bucket, bucket)) return false;
    if (g->scope == GRANT_PREFIX) return begins_with(key, g->key, is_location);
    return g->scope == GRANT_BUCKET || str_eq(g->key, key);
}

bool grant_covers_location(const struct grant *g, struct str bucket, struct str key)
{
    return grant_covers_key(g, true, bucket, key);
}

static bool grant_covers(const struct grant *g, unsigned flags, struct str bucket, struct str key)
{
    if (g->scope == GRANT_EVERYWHERE || (flags & ROW_ANYWHERE)) return true;
    return !(flags & ROW_GLOBAL) && grant_covers_key(g, false, bucket, key);
}

static bool principal_may(const struct principal *p, const struct row *row, struct str bucket, struct str key)
{
    if (p->is_root) return true;
    for (size_t i = 0; i < p->grant_count; i++) {
        const struct grant *g = &p->grants[i];
        const bool is_asked = g->action & (row->actions | ACTION_ADMIN);
        if (is_asked && grant_covers(g, row->flags, bucket, key)) return true;
    }
    return false;
}

/* ---- what a vended key may ---- */

/* S3 takes "." and ".." for names like any other, but programs behind us may not. */
static bool has_dot_segment(struct str key)
{
    struct str segment;

    for (struct str_split it = str_split_on(key, '/'); str_split_next(&it, &segment);) {
        if (str_is(segment, ".") || str_is(segment, "..")) return true;
    }
    return false;
}

/* Does "bucket/key" begin with prefix? */
static bool is_inside(struct str prefix, struct str bucket, struct str key)
{
    struct str own_bucket;
    const struct str own_key = str_cut(prefix, '/', &own_bucket);

    return str_ends(prefix, STR("/")) && own_bucket.len && str_eq(own_bucket, bucket)
        && str_starts(key, own_key);
}

static bool session_may(const struct session_scope *s, const struct row *row, struct str bucket,
                        struct str key)
{
    if (!(s->rights & row->session) || has_dot_segment(key)) return false;
    for (size_t i = 0; i < s->prefix_count; i++) {
        if (is_inside(s->prefixes[i], bucket, key)) return true;
    }
    return false;
}

/* ---- callers ---- */

struct caller caller_of_principal(const struct principal *p)
{
    return (
        struct caller){ .principal = p, .roles = p ? p->roles : NULL, .role_count = p ? p->role_count : 0 };
}

struct str caller_roles(const struct caller *who, struct arena *arena)
{
    struct str text = STR("");

    for (size_t i = 0; i < who->role_count && text.data; i++) {
        const struct str name = who->roles[i]->name;
        text = i ? arena_printf(arena, "%.*s,%.*s", STR_ARG(text), STR_ARG(name)) : name;
    }
    return text.data ? text : STR("");
}

/* ---- the check ---- */

static struct err denied(const struct caller *who, const struct row *row, struct str bucket, struct str key)
{
    const struct str name = who->principal ? who->principal->name : STR("nobody");
    return err_fail(ERR_DENIED, "%.*s%s has no right to %s on %.*s/%.*s", STR_ARG(str_slice(name, 0, 64)),
                    who->scope ? " (vended key)" : "", row->name, STR_ARG(str_slice(bucket, 0, 63)),
                    STR_ARG(str_slice(key, 0, 256)));
}

struct err access_check_scope(const struct caller *who, enum permission what, struct str bucket,
                              struct str key)
{
    const struct row *row = &rows[what];

    return !who->scope || session_may(who->scope, row, bucket, key) ? OK : denied(who, row, bucket, key);
}

struct err access_check(const struct caller *who, enum permission what, struct str bucket, struct str key)
{
    const struct row *row = &rows[what];

    if (what == PERM_PUBLIC) return OK;
    if (!who->principal) return denied(who, row, bucket, key);
    TRY(access_check_scope(who, what, bucket, key));
    /* To read what is public is not to learn which buckets there are. */
    if (what == PERM_LIST_BUCKETS && who->is_anonymous) row = &rows[PERM_LIST];
    return principal_may(who->principal, row, bucket, key) ? OK : denied(who, &rows[what], bucket, key);
}

static bool scope_names(const struct session_scope *s, struct str bucket)
{
    struct str own_bucket;

    for (size_t i = 0; i < s->prefix_count; i++) {
        (void)str_cut(s->prefixes[i], '/', &own_bucket);
        if (str_eq(own_bucket, bucket)) return true;
    }
    return false;
}

enum privilege access_table_privilege(enum permission p)
{
    return rows[p].table;
}

bool access_sees_bucket(const struct caller *who, struct str bucket)
{
    const struct principal *p = who->principal;

    if (!p || (who->scope && !scope_names(who->scope, bucket))) return false;
    if (p->is_root) return true;
    for (size_t i = 0; i < p->grant_count; i++) {
        const struct grant *g = &p->grants[i];
        if (g->scope == GRANT_EVERYWHERE || str_eq(g->bucket, bucket)) return true;
    }
    return false;
}
