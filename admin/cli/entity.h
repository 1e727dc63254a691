/*
 * entity.h - what principals, roles and catalogs have in common in the management API: named things in a listing, made and deleted by name.
 */
#ifndef ADMIN_CLI_ENTITY_H
#define ADMIN_CLI_ENTITY_H

#include "admin/cli/api.h"

/* Print the member array of GET base: names and times. */
struct err entity_list(struct cli *cli, struct str base, const char *member);

/* Append the names in the member array of GET path. */
struct err entity_names(struct cli *cli, struct str path, const char *member, json_t *ret_names);

/* GET base/NAME, whose facts are printed; lists (NULL: none) are further members for people and programs: an object of arrays, stolen. */
struct err entity_show(struct cli *cli, struct str base, const char *name, json_t *lists);

/* POST body to base and forget the answer. body is stolen. */
struct err entity_send(struct cli *cli, const char *method, struct str path, json_t *body);

/* DELETE base/NAME and say so; kind: "principal". */
struct err entity_delete(struct cli *cli, struct str base, const char *name, const char *kind);

#endif
