/*
 * ident.h - names of namespaces and tables as people write them: levels joined by dots.
 *
 * A level with a dot or a double quote in it stands in double quotes, with a quote doubled, as in SQL: raw."a.b".orders
 */
#ifndef ADMIN_CLI_IDENT_H
#define ADMIN_CLI_IDENT_H

#include "storage/base/arena.h"
#include "storage/base/json.h"

#define IDENT_LEVELS_MAX 33 /* more than the catalog takes: it says so itself */

struct ident {
    struct str levels[IDENT_LEVELS_MAX];
    size_t count;
};

/* ERR_INVALID_ARGUMENT: an empty level, a quote that is not closed, something behind a closing quote. */
struct err ident_parse(struct str text, struct arena *arena, struct ident *ret);

/* The same back, from a JSON array of levels, with a table's name behind it unless that is empty. .data is NULL for want of memory. */
struct str ident_print(const json_t *levels, struct str table, struct arena *arena);

/* Levels as a JSON array; as the piece of a path: joined by %1F, percent-encoded. */
json_t *ident_to_json(const struct ident *ident);
struct str ident_to_path(const struct ident *ident, struct arena *arena);

#endif
