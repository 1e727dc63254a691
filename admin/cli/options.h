/*
 * options.h - the words behind `firn NOUN VERB`: flags and plain words.
 *
 * "--name value" or "--name=value"; "--" ends the flags. Which flags a verb takes is in its row (verb.h); another one is an error that names
 * it, as is a flag given twice. The strings are the caller's argv.
 */
#ifndef ADMIN_CLI_OPTIONS_H
#define ADMIN_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "admin/cli/profile.h"
#include "storage/base/err.h"

enum flag {
    FLAG_ENDPOINT = 1 << 0,
    FLAG_S3_ENDPOINT = 1 << 1,
    FLAG_CATALOG_ENDPOINT = 1 << 2,
    FLAG_DATA = 1 << 3,
    FLAG_CATALOG = 1 << 4,
    FLAG_REGION = 1 << 5,
    FLAG_JSON = 1 << 6,
    FLAG_YES = 1 << 7,
    FLAG_ALL = 1 << 8,
    FLAG_OLDER_THAN = 1 << 9,
    FLAG_KEEP = 1 << 10,
    FLAG_DRY_RUN = 1 << 11,
    FLAG_HELP = 1 << 12,
    FLAG_PROFILE = 1 << 13,
    FLAG_MARKDOWN = 1 << 14,
    FLAG_RECURSIVE = 1 << 15,
    FLAG_PURGE = 1 << 16,
    FLAG_SNAPSHOT = 1 << 17,
    FLAG_LOCATION = 1 << 18,
    FLAG_FROM = 1 << 19,
    FLAG_TO = 1 << 20,
    FLAG_PRINCIPAL = 1 << 21,
    FLAG_OPERATION = 1 << 22,
    FLAG_OBJECT = 1 << 23,
    FLAG_OUTCOME = 1 << 24,
    FLAG_LIMIT = 1 << 25,
    FLAG_REF = 1 << 26,
    FLAG_STATE = 1 << 27,
};

#define OPTIONS_WORDS_MAX 16 /* namespace set NAME KEY=VALUE ... */

/* Texts not given are NULL, numbers not given are -1. */
struct options {
    const char *endpoint, *s3_endpoint, *catalog_endpoint, *data, *catalog, *region, *profile_name;
    const char *location, *from, *to, *principal, *operation, *object, *outcome, *ref, *state;
    int64_t older_than_ms, keep, snapshot, limit;
    bool is_json, is_yes, is_all, is_dry_run, is_help, is_markdown, is_recursive, is_purge;
    struct profile profile; /* what a file says (profile.h); the strings are the arena's that it was read into */
    const char *words[OPTIONS_WORDS_MAX];
    int word_count;
};

/* argv: what stands behind noun and verb. allowed: FLAG_ bits; FLAG_HELP always is. ERR_INVALID_ARGUMENT says which word is wrong. */
struct err options_parse(int argc, char **argv, unsigned allowed, struct options *ret);

/* The ith flag, for manual pages and completion; false behind the last. */
struct flag_text {
    const char *name, *value, *help; /* value NULL: it takes none */
    enum flag flag;
};
bool options_flag(size_t i, struct flag_text *ret);

/* The lines of --help for these flags. */
void options_help(unsigned flags, FILE *out);

#endif
