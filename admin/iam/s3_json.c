/*
 * s3_json.c - reading SeaweedFS' identities file.
 *
 * Each object of the file has a table of the members it may have; one loop refuses all others. An error says where: "identities[2]
 * (alice): unknown action 'Reed'".
 */
#include "admin/iam/s3_json.h"

#include <string.h>

#include "storage/base/digest.h"
#include "storage/base/json.h"
#include "storage/base/thread.h"

static const char *const file_members[] = { "identities", "accounts", NULL };
static const char *const identity_members[] = { "name", "credentials", "actions", "account", NULL };
static const char *const credential_members[] = { "accessKey", "secretKey", NULL };
static const char *const account_members[] = { "id", "displayName", "emailAddress", NULL };

static const struct {
    const char *name;
    enum action action;
} actions[] = {
    { "Read", ACTION_READ },       { "Write", ACTION_WRITE },      { "List", ACTION_LIST },
    { "Tagging", ACTION_TAGGING }, { "ReadAcp", ACTION_READ_ACP }, { "WriteAcp", ACTION_WRITE_ACP },
    { "Admin", ACTION_ADMIN },
};

static struct err no_memory_for_identities(void)
{
    return FAIL(ERR_NO_MEMORY, "no memory for the identities");
}

/* ---- words ---- */

static unsigned action_of(struct str name)
{
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (str_is(name, actions[i].name)) return actions[i].action;
    }
    return 0;
}

static bool has_byte(struct str s, char c)
{
    return str_find_char(s, c) < s.len;
}

/* What stands behind "Read:". */
static struct err read_scope(struct str text, struct str where, struct grant *grant)
{
    struct str bucket;
    struct str key = str_cut(where, '/', &bucket);
    const bool has_key = bucket.len < where.len;

    if (!bucket.len) return err_fail(ERR_INVALID, "action '%.*s' names no bucket", STR_ARG(text));
    grant->bucket = bucket;
    grant->scope = has_key ? GRANT_KEY : GRANT_BUCKET;
    if (has_key && str_ends(key, STR("*"))) {
        grant->scope = GRANT_PREFIX;
        key = str_slice(key, 0, key.len - 1);
    }
    if (has_key && !key.len && grant->scope == GRANT_KEY)
        return err_fail(ERR_INVALID, "action '%.*s' names no key", STR_ARG(text));
    if (has_byte(bucket, '*') || has_byte(bucket, '?') || has_byte(key, '*') || has_byte(key, '?'))
        return err_fail(ERR_INVALID, "action '%.*s': a '*' may stand only at the end of a key's prefix",
                        STR_ARG(text));
    grant->key = key;
    return OK;
}

struct err s3_json_grant(struct str text, struct grant *ret)
{
    struct grant grant = { .scope = GRANT_EVERYWHERE };
    struct str name;
    const struct str where = str_cut(text, ':', &name);

    grant.action = action_of(name);
    if (!grant.action) return err_fail(ERR_INVALID, "unknown action '%.*s'", STR_ARG(text));
    if (name.len < text.len) TRY(read_scope(text, where, &grant));
    *ret = grant;
    return OK;
}

/* Names and keys stand in headers, in logs and between separators of signatures. */
static bool is_plain(struct str s, const char *forbidden)
{
    for (size_t i = 0; i < s.len; i++) {
        const unsigned char c = (unsigned char)s.data[i];
        if (c <= 0x20 || c == 0x7f || strchr(forbidden, c)) return false;
    }
    return s.len > 0 && s.len <= LIMIT_CREDENTIAL;
}

/* ---- objects ---- */

/* Is value an object with these members alone? */
static struct err check_members(const json_t *value, const char *what, const char *const *allowed)
{
    const char *name;
    const json_t *member;

    if (!json_is_object(value)) return err_fail(ERR_INVALID, "%s must be an object", what);
    json_object_foreach((json_t *)value, name, member)
    {
        size_t i = 0;
        while (allowed[i] && strcmp(allowed[i], name) != 0) i++;
        if (!allowed[i]) return err_fail(ERR_INVALID, "unknown field '%s' in %s", name, what);
    }
    return OK;
}

/* Accounts only name owners, which we do not show: they are checked and forgotten. */
static struct err check_account(const json_t *account)
{
    struct str text;

    TRY(check_members(account, "an account", account_members));
    for (size_t i = 0; account_members[i]; i++) TRY(json_want_str(account, account_members[i], &text));
    return OK;
}

/* A secret is copied once, to the arena; the parser's copy of it does not outlive the parser in a readable form. */
static struct err read_secret(const json_t *credential, struct arena *arena, struct str *ret)
{
    struct str secret;

    TRY(json_need_str(credential, "secretKey", &secret));
    if (!secret.len || secret.len > LIMIT_CREDENTIAL)
        return err_fail(ERR_INVALID, "a secretKey has 1 to %d characters", LIMIT_CREDENTIAL);
    *ret = arena_str(arena, secret);
    bytes_wipe((void *)secret.data, secret.len);
    return ret->data ? OK : no_memory_for_identities();
}

static struct err read_credential(const json_t *credential, struct arena *arena, struct access_key *key)
{
    struct str id;

    TRY(check_members(credential, "a credential", credential_members));
    TRY(json_need_str(credential, "accessKey", &id));
    if (!is_plain(id, ",;"))
        return err_fail(ERR_INVALID, "an accessKey has 1 to %d characters, without blanks, ',' and ';'",
                        LIMIT_CREDENTIAL);
    key->id = arena_str(arena, id);
    if (!key->id.data) return no_memory_for_identities();
    key->secrets.count = 1;
    return read_secret(credential, arena, &key->secrets.items[0]);
}

static struct err read_credentials(const json_t *identity, struct arena *arena, const struct principal *owner,
                                   struct identities *all)
{
    json_t *list = NULL;

    TRY(json_want_array(identity, "credentials", &list));
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct access_key *key = &all->keys[all->key_count];
        TRY(read_credential(json_array_get(list, i), arena, key));
        key->owner = owner;
        all->key_count++;
    }
    if (json_array_size(list) && str_is(owner->name, ANONYMOUS_NAME))
        return FAIL(ERR_INVALID,
                    "unsigned requests have no credentials: give them to an identity of another name");
    return OK;
}

static struct err read_actions(const json_t *identity, struct arena *arena, struct principal *p)
{
    json_t *list = NULL;

    TRY(json_want_array(identity, "actions", &list));
    struct grant *grants = arena_array(arena, struct grant, json_array_size(list) + 1);
    if (!grants) return no_memory_for_identities();
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        if (!json_is_string(item)) return FAIL(ERR_INVALID, "an action must be a string");
        const struct str text = arena_str(arena, json_str(item));
        if (!text.data) return no_memory_for_identities();
        TRY(s3_json_grant(text, &grants[i]));
    }
    p->grants = grants;
    p->grant_count = json_array_size(list);
    return OK;
}

static struct err read_identity(const json_t *identity, struct arena *arena, struct identities *all)
{
    struct principal *p = &all->principals[all->principal_count];
    json_t *account = NULL;
    struct str name;

    TRY(check_members(identity, "an identity", identity_members));
    TRY(json_need_str(identity, "name", &name));
    if (!is_plain(name, ""))
        return err_fail(ERR_INVALID, "a name has 1 to %d characters, without blanks", LIMIT_CREDENTIAL);
    if (str_is(name, ROOT_NAME)) return FAIL(ERR_INVALID, "the name 'root' is taken");
    p->name = arena_str(arena, name);
    if (!p->name.data) return no_memory_for_identities();
    TRY(json_want_object(identity, "account", &account));
    if (account) TRY(check_account(account));
    TRY(read_actions(identity, arena, p));
    TRY(read_credentials(identity, arena, p, all));
    all->principal_count++;
    return OK;
}

/* ---- the file ---- */

static struct err at_identity(struct err e, size_t i, const json_t *identity)
{
    char why[512];

    if (e.code != ERR_INVALID) return e;
    const struct str name = json_str(json_object_get(identity, "name"));
    e = err_keep(e, why, sizeof(why));
    return err_fail(ERR_INVALID, "identities[%zu] (%.*s): %s", i,
                    STR_ARG(str_slice(name, 0, LIMIT_CREDENTIAL)), e.why);
}

static struct err read_identities(json_t *list, struct arena *arena, struct identities *ret)
{
    struct identities all = { 0 };
    const size_t count = json_array_size(list);
    size_t keys = 0;

    for (size_t i = 0; i < count; i++)
        keys += json_array_size(json_object_get(json_array_get(list, i), "credentials"));
    if (count > LIMIT_IDENTITIES || keys > LIMIT_IDENTITIES)
        return err_fail(ERR_INVALID, "more than %d identities or keys", LIMIT_IDENTITIES);
    all.principals = arena_array(arena, struct principal, count + 1);
    all.keys = arena_array(arena, struct access_key, keys + 1);
    if (!all.principals || !all.keys) return no_memory_for_identities();
    for (size_t i = 0; i < count; i++) {
        const json_t *identity = json_array_get(list, i);
        TRY(at_identity(read_identity(identity, arena, &all), i, identity));
    }
    *ret = all;
    return OK;
}

static bool is_blank(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!strchr(" \t\r\n", text.data[i]) || !text.data[i]) return false;
    }
    return true;
}

struct err s3_json_parse(struct str text, struct arena *arena, struct identities *ret)
{
    CLEANUP(json_freep) json_t *file = NULL;
    json_t *identities = NULL, *accounts = NULL;

    if (is_blank(text)) return read_identities(NULL, arena, ret);
    TRY(json_parse(text, &file));
    TRY(check_members(file, "the file", file_members));
    TRY(json_want_array(file, "identities", &identities));
    TRY(json_want_array(file, "accounts", &accounts));
    for (size_t i = 0; i < json_array_size(accounts); i++) TRY(check_account(json_array_get(accounts, i)));
    return read_identities(identities, arena, ret);
}
