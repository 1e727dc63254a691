/*
 * keys.c - the file of credentials for other endpoints.
 */
#include "storage/remote/keys.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "storage/base/digest.h"
#include "storage/base/limits.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"

enum { PROFILES_MAX = 1000 }; /* each new one is compared with those before */

static const struct key {
    const char *name;
    size_t field;
} keys[] = {
    { "aws_access_key_id", offsetof(struct remote_keys, access_key) },
    { "aws_secret_access_key", offsetof(struct remote_keys, secret_key) },
    { "aws_session_token", offsetof(struct remote_keys, session_token) },
    { "region", offsetof(struct remote_keys, region) },
};

struct reading {
    struct arena *arena;
    struct key_ring ring;
    int line, section_line;
};

static struct key_profile *current(struct reading *r)
{
    return r->ring.count ? &r->ring.profiles[r->ring.count - 1] : NULL;
}

static struct err section_end(struct reading *r)
{
    const struct key_profile *p = current(r);

    if (!p || (p->keys.access_key.len && p->keys.secret_key.len)) return OK;
    return err_fail(ERR_INVALID,
                    "line %d: section [%.*s] needs both aws_access_key_id and aws_secret_access_key",
                    r->section_line, STR_ARG(p->name));
}

static struct err section_begin(struct reading *r, struct str line)
{
    TRY(section_end(r));
    if (!str_ends(line, STR("]"))) return err_fail(ERR_INVALID, "line %d: a section lacks its ]", r->line);
    const struct str name = arena_str(r->arena, str_trim(str_slice(line, 1, line.len - 1)));
    if (!name.data) return no_memory();
    if (name.len == 0) return err_fail(ERR_INVALID, "line %d: a section needs a name", r->line);
    if (key_ring_find(&r->ring, name))
        return err_fail(ERR_INVALID, "line %d: section [%.*s] is there twice", r->line, STR_ARG(name));
    if (r->ring.count == PROFILES_MAX)
        return err_fail(ERR_INVALID, "line %d: more than %d sections", r->line, PROFILES_MAX);
    r->section_line = r->line;
    r->ring.profiles[r->ring.count++] = (struct key_profile){ .name = name };
    return OK;
}

static struct err set_key(struct reading *r, struct str name, struct str value)
{
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (!str_is(name, keys[i].name)) continue;
        struct key_profile *p = current(r);
        if (!p)
            return err_fail(ERR_INVALID, "line %d: '%s' stands before the first [section]", r->line,
                            keys[i].name);
        struct str *field = (struct str *)((char *)&p->keys + keys[i].field);
        if (field->len) return err_fail(ERR_INVALID, "line %d: '%s' is given twice", r->line, keys[i].name);
        if (value.len == 0) return err_fail(ERR_INVALID, "line %d: '%s' is empty", r->line, keys[i].name);
        *field = arena_str(r->arena, value);
        return field->data ? OK : no_memory();
    }
    return err_fail(ERR_INVALID, "line %d: unknown key '%.*s'", r->line, STR_ARG(name));
}

/* Of a line that is not understood no more than its first word is shown: a secret may stand behind. */
static struct err take_line(struct reading *r, struct str line)
{
    struct str name;
    const struct str value = str_trim(str_cut(line, '=', &name));

    if (memchr(line.data, '\0', line.len))
        return err_fail(ERR_INVALID, "line %d: there is a NUL in it", r->line);
    if (line.data[0] == '[') return section_begin(r, line);
    name = str_trim(name);
    if (name.len == line.len) {
        (void)str_cut(line, ' ', &name);
        return err_fail(ERR_INVALID, "line %d: '%.*s' is not of the form KEY = VALUE", r->line,
                        STR_ARG(name));
    }
    return set_key(r, name, value);
}

struct err key_ring_parse(struct str text, struct arena *arena, struct key_ring *ret)
{
    struct reading r = { .arena = arena };
    struct str line;

    r.ring.profiles = arena_array(arena, struct key_profile, PROFILES_MAX);
    if (!r.ring.profiles) return no_memory();
    for (struct str_split it = str_split_on(text, '\n'); str_split_next(&it, &line);) {
        r.line++;
        if (str_ends(line, STR("\r"))) line.len--;
        line = str_trim(line);
        if (line.len == 0 || line.data[0] == '#' || line.data[0] == ';') continue;
        TRY(take_line(&r, line));
    }
    TRY(section_end(&r));
    if (r.ring.count == 0)
        return err_fail(ERR_INVALID, "line %d: there is no [section] with credentials", r.line);
    *ret = r.ring;
    return OK;
}

static void free_text(char **text)
{
    free(*text);
}

struct err key_ring_load(const char *path, struct arena *arena, struct key_ring *ret)
{
    CLEANUP(free_text) char *text = NULL;
    struct stat info;
    size_t len;

    TRY(sys_stat(path, &info));
    if (info.st_mode & 077)
        return err_fail(ERR_INVALID, "%s is open to others than its owner: chmod 600 %s", path, path);
    TRY(sys_read_file(path, LIMIT_REMOTE_KEYS, &text, &len));
    const struct err e = key_ring_parse(str_of(text, len), arena, ret);
    bytes_wipe(text, len);
    return e.code == ERR_INVALID ? err_fail(ERR_INVALID, "%s %s", path, e.why) : e;
}

const struct remote_keys *key_ring_find(const struct key_ring *ring, struct str name)
{
    if (name.len == 0) name = STR("default");
    for (size_t i = 0; i < ring->count; i++) {
        if (str_eq(ring->profiles[i].name, name)) return &ring->profiles[i].keys;
    }
    return NULL;
}
