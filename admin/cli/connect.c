/*
 * connect.c - addresses and credentials from flags, files and the environment.
 */
#include "admin/cli/connect.h"

#include <stdlib.h>

#include "storage/base/digest.h"
#include "storage/base/json.h"
#include "storage/base/limits.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"

#define LIMIT_SMALL_FILE (64 * KIB) /* endpoints.json and DIR.root hold a few lines */

static const char *const api_names[API_COUNT] = { [API_S3] = "s3", [API_CATALOG] = "catalog" };
static const char *const api_variables[API_COUNT] = {
    [API_S3] = NULL, [API_CATALOG] = "FIRN_CATALOG_ENDPOINT"
};
static const char *const api_defaults[API_COUNT] = {
    [API_S3] = "http://127.0.0.1:8333", [API_CATALOG] = "http://127.0.0.1:8181"
};

static void free_text(char **text)
{
    free(*text);
}

/* NULL when it is not set or empty. */
static const char *variable(const char *name)
{
    const char *value = name ? getenv(name) : NULL;

    return value && value[0] ? value : NULL;
}

/* The profile's value stands above the environment when the profile was asked for. */
static const char *setting(const struct options *o, const char *given, const char *name,
                           const char *of_profile)
{
    if (given) return given;
    if (of_profile && o->profile.is_asked_for) return of_profile;
    return variable(name) ? variable(name) : of_profile;
}

const char *connect_catalog(const struct options *options)
{
    return setting(options, options->catalog, "FIRN_CATALOG", options->profile.catalog);
}

const char *connect_region(const struct options *options)
{
    const char *region = setting(options, options->region, "FIRN_REGION", options->profile.region);

    return region ? region : "us-east-1";
}

/* The directory that is meant, without slashes at its end (its files stand beside it: DIR.root). */
static struct str data_dir(const struct options *options, struct arena *arena)
{
    struct str dir = str_from_z(options->data ? options->data : variable("FIRN_DATA"));

    while (dir.len > 1 && dir.data[dir.len - 1] == '/') dir.len--;
    return dir.len ? arena_str(arena, dir) : STR_NONE;
}

/* ---- the address ---- */

static struct err url_check(const char *url, struct arena *arena, struct str *ret)
{
    struct str text = str_from_z(url);

    if (!str_starts(text, STR("http://")) && !str_starts(text, STR("https://")))
        return err_fail(ERR_INVALID_ARGUMENT, "the address '%s' must begin with http:// or https://", url);
    while (str_ends(text, STR("/"))) text.len--;
    *ret = arena_str(arena, text);
    return ret->data ? OK : no_memory();
}

static struct err endpoint_of_data(enum api api, struct str dir, struct arena *arena, struct str *ret)
{
    CLEANUP(free_text) char *text = NULL;
    CLEANUP(json_freep) json_t *endpoints = NULL;
    const struct str path = arena_printf(arena, "%.*s/endpoints.json", STR_ARG(dir));
    json_t *urls;
    size_t len;

    if (!path.data) return no_memory();
    const struct err e = sys_read_file(path.data, LIMIT_SMALL_FILE, &text, &len);
    if (e.code == ERR_NOT_FOUND)
        return err_fail(ERR_UNAVAILABLE,
                        "no server runs on %.*s (there is no %s); start it with: firn serve --data %.*s",
                        STR_ARG(dir), path.data, STR_ARG(dir));
    TRY(e);
    TRY(json_parse(str_of(text, len), &endpoints));
    TRY(json_need_array(endpoints, api_names[api], &urls));
    const struct str first = json_str(json_array_get(urls, 0));
    if (first.len == 0)
        return err_fail(ERR_INVALID, "%s names no address of '%s'", path.data, api_names[api]);
    return url_check(first.data, arena, ret);
}

struct err connect_endpoint(enum api api, const struct options *options, struct arena *arena, struct str *ret)
{
    const char *given = api == API_S3 ? options->s3_endpoint : options->catalog_endpoint;
    const struct profile *p = &options->profile;
    const char *of_profile = api == API_S3 ? p->s3_endpoint : p->catalog_endpoint;

    if (!of_profile) of_profile = p->endpoint;
    if (!given) given = options->endpoint;
    if (given) return url_check(given, arena, ret);
    if (options->data) return endpoint_of_data(api, data_dir(options, arena), arena, ret);
    if (of_profile && p->is_asked_for) return url_check(of_profile, arena, ret);
    given = variable(api_variables[api]);
    if (!given) given = variable("FIRN_ENDPOINT");
    if (given) return url_check(given, arena, ret);
    const struct str dir = data_dir(options, arena);
    if (dir.len) return endpoint_of_data(api, dir, arena, ret);
    return url_check(of_profile ? of_profile : api_defaults[api], arena, ret);
}

/* ---- the credential ---- */

struct err root_file_parse(struct str text, struct arena *arena, struct credential *ret)
{
    struct credential c = { STR_NONE, STR_NONE };
    struct str line;

    for (struct str_split it = str_split_on(text, '\n'); str_split_next(&it, &line);) {
        struct str name;
        const struct str value = str_cut(str_trim(line), '=', &name);
        if (str_is(name, "FIRN_ROOT_USER")) c.user = arena_str(arena, value);
        if (str_is(name, "FIRN_ROOT_PASSWORD")) c.password = arena_str(arena, value);
    }
    if (c.user.len == 0 || c.password.len == 0)
        return FAIL(ERR_INVALID, "it lacks a line FIRN_ROOT_USER=... or FIRN_ROOT_PASSWORD=...");
    *ret = c;
    return OK;
}

static struct err credential_of_file(struct str path, struct arena *arena, struct credential *ret)
{
    CLEANUP(free_text) char *text = NULL;
    size_t len;

    TRY(sys_read_file(path.data, LIMIT_SMALL_FILE, &text, &len));
    const struct err e = root_file_parse(str_of(text, len), arena, ret);
    bytes_wipe(text, len);
    if (e.code != ERR_OK) return err_fail(ERR_INVALID_ARGUMENT, "%s: %s", path.data, e.why);
    return OK;
}

/* Two variables that make sense together only. ERR_NOT_FOUND: neither is set. */
static struct err credential_of_environment(const char *user_name, const char *password_name,
                                            struct credential *ret)
{
    const char *user = variable(user_name), *password = variable(password_name);

    if (!user && !password) return FAIL(ERR_NOT_FOUND, "not set");
    if (!user || !password)
        return err_fail(ERR_INVALID_ARGUMENT, "%s and %s must both be set, or neither", user_name,
                        password_name);
    *ret = (struct credential){ str_from_z(user), str_from_z(password) };
    return OK;
}

/* ERR_NOT_FOUND: no data directory is named, or the server was given its own credential and wrote none. */
static struct err credential_of_data(const struct options *options, struct arena *arena,
                                     struct credential *ret)
{
    const struct str dir = data_dir(options, arena);

    if (dir.len == 0) return FAIL(ERR_NOT_FOUND, "no data directory");
    const struct str path = arena_printf(arena, "%.*s.root", STR_ARG(dir));
    return path.data ? credential_of_file(path, arena, ret) : no_memory();
}

struct err connect_credential(const struct options *options, struct arena *arena, struct credential *ret)
{
    const struct profile *p = &options->profile;
    const struct credential of_profile = { str_from_z(p->access_key), str_from_z(p->secret_key) };
    struct err e = OK;

    if (p->access_key && p->is_asked_for) {
        *ret = of_profile;
        return OK;
    }
    e = credential_of_environment("FIRN_ROOT_USER", "FIRN_ROOT_PASSWORD", ret);
    if (e.code == ERR_NOT_FOUND) e = credential_of_data(options, arena, ret);
    if (e.code != ERR_NOT_FOUND) return e;
    if (p->access_key) {
        *ret = of_profile;
        return OK;
    }
    e = credential_of_environment("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", ret);
    if (e.code != ERR_NOT_FOUND) return e;
    const struct str dir = data_dir(options, arena);
    if (dir.len == 0)
        return FAIL(
            ERR_INVALID_ARGUMENT,
            "no credential: set FIRN_ROOT_USER and FIRN_ROOT_PASSWORD, write a profile, or give --data DIR of a server on this machine");
    return err_fail(
        ERR_INVALID_ARGUMENT,
        "no credential: there is no %.*s.root (the server was given its own), so set FIRN_ROOT_USER and FIRN_ROOT_PASSWORD",
        STR_ARG(dir));
}
