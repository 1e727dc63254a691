/*
 * profile.c - the user's file of servers.
 */
#include "admin/cli/profile.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "admin/cli/suggest.h"
#include "storage/base/digest.h"
#include "storage/base/limits.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"

#define LIMIT_PROFILES (256 * KIB) /* hundreds of sections */
#define SECTIONS_MAX 1000          /* each line is looked at once, each section compared with those before */

static const struct key {
    const char *name;
    size_t field;
} keys[] = {
    { "endpoint", offsetof(struct profile, endpoint) },
    { "s3-endpoint", offsetof(struct profile, s3_endpoint) },
    { "catalog-endpoint", offsetof(struct profile, catalog_endpoint) },
    { "catalog", offsetof(struct profile, catalog) },
    { "access-key", offsetof(struct profile, access_key) },
    { "secret-key", offsetof(struct profile, secret_key) },
    { "region", offsetof(struct profile, region) },
};
#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

struct reading {
    struct arena *arena;
    const char *wanted;
    struct profile section, found; /* the section that we are in; the one that is wanted */
    struct str name;               /* of the section; .data NULL before the first */
    struct str *names;
    size_t name_count;
    int line;
    bool is_found, has_secret;
};

/* A section needs both halves of a credential, or neither. */
static struct err section_end(struct reading *r)
{
    if (!r->name.data) return OK;
    if (!r->section.access_key != !r->section.secret_key)
        return err_fail(ERR_INVALID_ARGUMENT,
                        "section [%.*s] has one of access-key and secret-key without the other",
                        STR_ARG(r->name));
    if (!str_is(r->name, r->wanted)) return OK;
    r->found = r->section;
    r->is_found = true;
    return OK;
}

static struct err section_begin(struct reading *r, struct str line)
{
    TRY(section_end(r));
    if (!str_ends(line, STR("]")))
        return err_fail(ERR_INVALID_ARGUMENT, "line %d: '%.*s' lacks its ]", r->line, STR_ARG(line));
    const struct str name = arena_str(r->arena, str_trim(str_slice(line, 1, line.len - 1)));
    if (!name.data) return no_memory();
    if (name.len == 0) return err_fail(ERR_INVALID_ARGUMENT, "line %d: a section needs a name", r->line);
    if (r->name_count == SECTIONS_MAX)
        return err_fail(ERR_INVALID_ARGUMENT, "line %d: more than %d sections", r->line, SECTIONS_MAX);
    for (size_t i = 0; i < r->name_count; i++) {
        if (str_eq(r->names[i], name))
            return err_fail(ERR_INVALID_ARGUMENT, "line %d: section [%.*s] is there twice", r->line,
                            STR_ARG(name));
    }
    r->names[r->name_count++] = r->name = name;
    r->section = (struct profile){ .endpoint = NULL };
    return OK;
}

static struct err unknown_key(int line, struct str name)
{
    struct suggestion s = suggest_for(name);

    for (size_t i = 0; i < KEY_COUNT; i++) suggest_offer(&s, keys[i].name);
    return err_fail(ERR_INVALID_ARGUMENT, "line %d: unknown key '%.*s'%s%s%s", line, STR_ARG(name),
                    s.best ? "; did you mean " : "", s.best ? s.best : "", s.best ? "?" : "");
}

static struct err take_key(struct reading *r, struct str line)
{
    struct str name;
    const struct str value = str_trim(str_cut(line, '=', &name));

    name = str_trim(name);
    if (name.len == line.len) {
        (void)str_cut(line, ' ', &name); /* no more of it than that: a secret may stand behind */
        return err_fail(ERR_INVALID_ARGUMENT, "line %d: '%.*s' is not KEY = VALUE", r->line, STR_ARG(name));
    }
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (!str_is(name, keys[i].name)) continue;
        const char **field = (const char **)((char *)&r->section + keys[i].field);
        if (!r->name.data)
            return err_fail(ERR_INVALID_ARGUMENT, "line %d: '%s' stands before the first [section]", r->line,
                            keys[i].name);
        if (*field)
            return err_fail(ERR_INVALID_ARGUMENT, "line %d: '%s' is given twice", r->line, keys[i].name);
        if (value.len == 0)
            return err_fail(ERR_INVALID_ARGUMENT, "line %d: '%s' is empty", r->line, keys[i].name);
        *field = arena_z(r->arena, value);
        r->has_secret = r->has_secret || field == &r->section.secret_key;
        return *field ? OK : no_memory();
    }
    return unknown_key(r->line, name);
}

struct err profile_parse(struct str text, const char *name, struct arena *arena, struct profile *ret,
                         bool *ret_has_secret)
{
    struct reading r = { .arena = arena, .wanted = name };
    struct str line;

    r.names = arena_array(arena, struct str, SECTIONS_MAX);
    if (!r.names) return no_memory();
    for (struct str_split it = str_split_on(text, '\n'); str_split_next(&it, &line);) {
        r.line++;
        if (str_ends(line, STR("\r"))) line.len--;
        line = str_trim(line);
        if (line.len == 0 || line.data[0] == '#') continue;
        if (memchr(line.data, '\0', line.len))
            return err_fail(ERR_INVALID_ARGUMENT, "line %d: there is a NUL in it", r.line);
        TRY(line.data[0] == '[' ? section_begin(&r, line) : take_key(&r, line));
    }
    TRY(section_end(&r));
    if (!r.is_found) return err_fail(ERR_NOT_FOUND, "there is no section [%s]", name);
    *ret = r.found;
    *ret_has_secret = r.has_secret;
    return OK;
}

/* ---- the file ---- */

static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return value && value[0] ? value : NULL;
}

static struct str path_of(struct arena *arena)
{
    if (variable("FIRN_PROFILES")) return str_from_z(variable("FIRN_PROFILES"));
    if (variable("XDG_CONFIG_HOME"))
        return arena_printf(arena, "%s/firn/config", variable("XDG_CONFIG_HOME"));
    if (variable("HOME")) return arena_printf(arena, "%s/.config/firn/config", variable("HOME"));
    return STR_NONE;
}

static void free_text(char **text)
{
    free(*text);
}

static struct err load_from(const char *path, const char *name, struct arena *arena, struct profile *ret)
{
    CLEANUP(free_text) char *text = NULL;
    bool has_secret = false;
    struct stat info;
    size_t len;

    TRY(sys_stat(path, &info));
    TRY(sys_read_file(path, LIMIT_PROFILES, &text, &len));
    const struct err e = profile_parse(str_of(text, len), name, arena, ret, &has_secret);
    bytes_wipe(text, len);
    if (e.code == ERR_NOT_FOUND) return e;
    if (e.code != ERR_OK) return err_fail(e.code, "%s: %s", path, e.why);
    if (has_secret && (info.st_mode & 077))
        return err_fail(ERR_INVALID_ARGUMENT, "%s holds a secret and others may read it: chmod 600 %s", path,
                        path);
    return OK;
}

struct err profile_load(const char *given, struct arena *arena, struct profile *ret)
{
    const char *name = given ? given : variable("FIRN_PROFILE");
    const struct str path = path_of(arena);
    const bool must_be = name || variable("FIRN_PROFILES");
    struct profile profile = { .endpoint = NULL };

    if (path.len == 0 && !must_be) {
        *ret = profile;
        return OK;
    }
    if (path.len == 0)
        return err_fail(ERR_INVALID_ARGUMENT,
                        "profile '%s': neither FIRN_PROFILES nor HOME says where profiles are", name);
    const struct err e = load_from(path.data, name ? name : "default", arena, &profile);
    if (e.code == ERR_NOT_FOUND && name)
        return err_fail(ERR_INVALID_ARGUMENT, "profile '%s': %s: %s", name, path.data, e.why);
    if (e.code == ERR_NOT_FOUND && !must_be) {
        *ret = profile;
        return OK;
    }
    if (e.code == ERR_NOT_FOUND)
        return err_fail(ERR_INVALID_ARGUMENT, "FIRN_PROFILES: %s: %s", path.data, e.why);
    TRY(e);
    profile.is_asked_for = given != NULL;
    *ret = profile;
    return OK;
}
