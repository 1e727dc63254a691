/*
 * object_copy.c - firn object cp: up, down and within, one object or everything below.
 *
 * A recursive copy carries names over: what stands behind the source's prefix is put behind the destination's. Keys come from whoever wrote them, so one that
 * would leave the directory it is copied to ("../x", "/x") is refused, not cleaned.
 */
#include <string.h>
#include <sys/stat.h>

#include "admin/cli/transfer.h"
#include "storage/base/limits.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"

struct place {
    bool is_remote;
    struct remote remote;
    struct str path; /* of a file or directory */
};

struct copy {
    struct cli *cli;
    struct place from, to;
    struct progress progress;
    uint64_t count;
};

static struct err place_parse(const char *word, struct place *ret)
{
    *ret = (struct place){ .is_remote = str_starts(str_from_z(word), STR("s3://")),
                           .path = str_from_z(word) };
    if (ret->is_remote) return remote_parse(word, true, &ret->remote);
    return ret->path.len ? OK : FAIL(ERR_INVALID_ARGUMENT, "the name of a file is empty");
}

static struct str last_piece(struct str path)
{
    return str_from(path, str_rfind_char(path, '/') == path.len ? 0 : str_rfind_char(path, '/') + 1);
}

static struct err copy_one(struct copy *c, const struct place *from, const struct place *to)
{
    struct err e;

    if (!from->is_remote) e = transfer_up(c->cli, from->path.data, to->remote, &c->progress);
    else if (!to->is_remote) e = transfer_down(c->cli, from->remote, to->path.data, &c->progress);
    else e = transfer_within(c->cli, from->remote, to->remote);
    c->count += e.code == ERR_OK;
    return e;
}

/* A destination that is a directory, a bucket or ends with a slash takes the source's last name. */
static struct err add_name(struct copy *c)
{
    const struct str name = last_piece(c->from.is_remote ? c->from.remote.key : c->from.path);
    struct stat info;

    if (name.len == 0)
        return err_fail(ERR_INVALID_ARGUMENT, "'%s' names no object; for all below it: --recursive",
                        cli_word(c->cli, 0));
    if (c->to.is_remote) {
        if (c->to.remote.key.len && !str_ends(c->to.remote.key, STR("/"))) return OK;
        c->to.remote.key = arena_join(c->cli->arena, c->to.remote.key, name);
        return c->to.remote.key.data ? OK : no_memory();
    }
    const struct err e = sys_stat(c->to.path.data, &info);
    const bool is_dir = e.code == ERR_OK && S_ISDIR(info.st_mode);
    if (!is_dir && !str_ends(c->to.path, STR("/"))) return OK;
    if (str_is(name, "..") || str_is(name, "."))
        return err_fail(ERR_INVALID_ARGUMENT, "the name of '%s' is none that a file can have",
                        cli_word(c->cli, 0));
    c->to.path = arena_printf(c->cli->arena, "%.*s/%.*s", STR_ARG(c->to.path), STR_ARG(name));
    return c->to.path.data ? OK : no_memory();
}

/* ---- recursive: down and within ---- */

static bool is_safe_name(struct str name)
{
    struct str piece;

    if (memchr(name.data, '\0', name.len)) return false;
    for (struct str_split it = str_split_on(name, '/'); str_split_next(&it, &piece);) {
        if (piece.len == 0 || str_is(piece, ".") || str_is(piece, "..")) return false;
    }
    return true;
}

/* Directories down to the file's, each if it is not there. */
static struct err make_dirs(struct arena *arena, struct str file, size_t from)
{
    char *path = arena_z(arena, file);

    if (!path) return no_memory();
    for (size_t i = from; i < file.len; i++) {
        if (path[i] != '/' || i == 0) continue;
        path[i] = '\0';
        TRY(sys_mkdir(path, 0777));
        path[i] = '/';
    }
    return OK;
}

static struct err copy_key(struct copy *c, struct str key)
{
    struct place from = { .is_remote = true, .remote = { c->from.remote.bucket, key } }, to = c->to;
    const struct str name = str_from(key, c->from.remote.key.len);

    if (to.is_remote) {
        to.remote.key = arena_join(c->cli->arena, to.remote.key, name);
        return to.remote.key.data ? copy_one(c, &from, &to) : no_memory();
    }
    if (str_ends(key, STR("/"))) return OK; /* a "directory" that some tool wrote */
    if (!is_safe_name(name))
        return err_fail(ERR_INVALID, "the key '%.*s' cannot be a file below %.*s", STR_ARG(key),
                        STR_ARG(to.path));
    to.path = arena_printf(c->cli->arena, "%.*s/%.*s", STR_ARG(c->to.path), STR_ARG(name));
    if (!to.path.data) return no_memory();
    TRY(make_dirs(c->cli->arena, to.path, c->to.path.len));
    return copy_one(c, &from, &to);
}

/* With a slash behind, unless it is the whole bucket: s3://b/a does not mean s3://b/ab as well. */
static struct err as_prefix(struct cli *cli, struct str *key)
{
    if (key->len == 0 || str_ends(*key, STR("/"))) return OK;
    *key = arena_join(cli->arena, *key, STR("/"));
    return key->data ? OK : no_memory();
}

static struct err copy_listing(struct copy *c)
{
    CLEANUP(object_pages_close) struct object_pages pages = { .cli = c->cli };
    CLEANUP(arena_freep) struct arena *scratch = arena_new(64 * MIB);
    struct arena *outer = c->cli->arena;
    struct err e = scratch ? OK : no_memory();
    json_t *row;
    size_t i;

    if (e.code == ERR_OK) e = object_pages_open(c->cli, c->from.remote, true, &pages);
    while (e.code == ERR_OK && object_pages_next(&pages)) {
        json_array_foreach(pages.rows, i, row)
        {
            if (e.code != ERR_OK) break;
            arena_reset(scratch);
            c->cli->arena = scratch;
            e = copy_key(c, json_str(json_object_get(row, "key")));
            c->cli->arena = outer;
        }
    }
    return e.code == ERR_OK ? pages.err : e;
}

/* ---- recursive: up ---- */

struct directory {
    json_t *names;   /* paths below the source, still to be looked at; grows behind while we go */
    struct str path; /* of the one that is being read, with a slash unless it is the source itself */
};

static struct err take_entry(void *arg, const char *name)
{
    struct directory *d = arg;
    json_t *path = json_sprintf("%.*s%s", STR_ARG(d->path), name);

    if (!path) return err_fail(ERR_INVALID, "the name '%s' is not UTF-8", name);
    return json_array_append_new(d->names, path) == 0 ? OK : no_memory();
}

static struct err copy_entry(struct copy *c, struct str name, struct directory *d)
{
    const struct str path = arena_printf(c->cli->arena, "%.*s/%.*s", STR_ARG(c->from.path), STR_ARG(name));
    struct place from = { .path = path }, to = c->to;
    struct stat info;

    if (!path.data) return no_memory();
    TRY(sys_stat(path.data, &info));
    if (S_ISDIR(info.st_mode)) {
        d->path = arena_printf(c->cli->arena, "%.*s/", STR_ARG(name));
        return d->path.data ? sys_list_dir(path.data, take_entry, d) : no_memory();
    }
    to.remote.key = arena_join(c->cli->arena, to.remote.key, name);
    return to.remote.key.data ? copy_one(c, &from, &to) : no_memory();
}

#define LIMIT_ENTRIES                                                                                        \
    10000000 /* of one tree: a link that leads back to a directory above it must end somewhere */

static struct err copy_tree(struct copy *c)
{
    CLEANUP(json_freep) json_t *names = json_array();
    CLEANUP(arena_freep) struct arena *scratch = arena_new(64 * MIB);
    struct directory d = { names, STR("") };
    struct arena *outer = c->cli->arena;
    struct str base;
    struct err e;

    if (!scratch || !names) return no_memory();
    TRY(api_credential(c->cli)); /* these two live longer than an entry's memory */
    TRY(api_endpoint(c->cli, API_S3, &base));
    e = sys_list_dir(c->from.path.data, take_entry, &d);
    for (size_t i = 0; e.code == ERR_OK && i < json_array_size(names); i++) {
        if (i == LIMIT_ENTRIES)
            return FAIL(ERR_TOO_LARGE, "more files than are copied at once; do links lead in a circle?");
        arena_reset(scratch);
        c->cli->arena = scratch;
        e = copy_entry(c, json_str(json_array_get(names, i)), &d);
        c->cli->arena = outer;
    }
    return e;
}

static struct err copy_all(struct copy *c)
{
    while (!c->from.is_remote && c->from.path.len > 1 && str_ends(c->from.path, STR("/"))) c->from.path.len--;
    if (c->from.is_remote) TRY(as_prefix(c->cli, &c->from.remote.key));
    if (c->to.is_remote) TRY(as_prefix(c->cli, &c->to.remote.key));
    if (!c->to.is_remote) TRY(sys_mkdir(c->to.path.data, 0777));
    c->from.path = arena_str(c->cli->arena, c->from.path);
    if (!c->from.path.data) return no_memory();
    return c->from.is_remote ? copy_listing(c) : copy_tree(c);
}

struct err verb_object_copy(struct cli *cli)
{
    struct copy c = { .cli = cli };
    struct err e = OK;

    TRY(place_parse(cli_word(cli, 0), &c.from));
    TRY(place_parse(cli_word(cli, 1), &c.to));
    if (!c.from.is_remote && !c.to.is_remote)
        return err_fail(ERR_INVALID_ARGUMENT, "neither '%s' nor '%s' is s3://BUCKET/KEY", cli_word(cli, 0),
                        cli_word(cli, 1));
    if (!cli->options->is_recursive) TRY(add_name(&c));
    progress_begin(&c.progress);
    e = cli->options->is_recursive ? copy_all(&c) : copy_one(&c, &c.from, &c.to);
    progress_end(&c.progress);
    if (e.code == ERR_OK || c.count) cli_say(cli, "%llu copied", (unsigned long long)c.count);
    return e;
}
