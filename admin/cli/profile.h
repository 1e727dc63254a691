/*
 * profile.h - named servers and their credentials, in a file of the user's.
 *
 *     [default]
 *     endpoint = https://firn.example.com
 *     [lab]
 *     s3-endpoint = http://127.0.0.1:8333
 *     catalog-endpoint = http://127.0.0.1:8181
 *     access-key = someone
 *     secret-key = ...
 *
 * A line is empty, a comment (#), a section, or KEY = VALUE; anything else, an unknown or repeated key and a repeated section are errors that name the
 * line. The whole file is read, so a mistake anywhere in it is told. A file that holds a secret must be its owner's alone (0600).
 *
 * The file is FIRN_PROFILES, else $XDG_CONFIG_HOME/firn/config, else ~/.config/firn/config. (FIRN_CONFIG is the server's settings.)
 */
#ifndef ADMIN_CLI_PROFILE_H
#define ADMIN_CLI_PROFILE_H

#include <stdbool.h>

#include "storage/base/arena.h"
#include "storage/base/err.h"
#include "storage/base/str.h"

/* Texts not given are NULL. */
struct profile {
    const char *endpoint, *s3_endpoint, *catalog_endpoint, *catalog, *access_key, *secret_key, *region;
    bool is_asked_for; /* by --profile: then it stands above the environment, else below */
};

/* The section `name` of the text. *ret_has_secret: some section holds a secret. ERR_INVALID_ARGUMENT: the line that is wrong. ERR_NOT_FOUND: there is no such
 * section. */
struct err profile_parse(struct str text, const char *name, struct arena *arena, struct profile *ret, bool *ret_has_secret);

/* given: the value of --profile, or NULL. Nothing was asked for and there is no file or no section "default": an empty profile. ERR_INVALID_ARGUMENT: the file is
 * wrong, readable by others, or lacks the profile; it names file and line. */
struct err profile_load(const char *given, struct arena *arena, struct profile *ret);

#endif
