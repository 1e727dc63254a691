/*
 * verb.h - what a verb gets, and the table of verbs with the functions that it names.
 *
 * A verb prints to cli->out and returns an error; parsing, help, the question before what destroys, and the exit code are cli.c's.
 */
#ifndef ADMIN_CLI_VERB_H
#define ADMIN_CLI_VERB_H

#include "admin/cli/client.h"
#include "admin/cli/ident.h"
#include "admin/cli/layout.h"

struct cli {
    const struct options *options;
    struct client *client;
    struct arena *arena;
    FILE *out;
    /* asked for once, when first needed: s3_api.c, catalog_api.c */
    struct credential credential;
    struct str endpoints[API_COUNT];
    struct str token, prefix;
    const char *catalog_word; /* a catalog named among the words: stronger than --catalog; else NULL */
};

/* One row is one verb: parsing, help, manual page and completion follow from it. */
struct verb {
    const char *noun, *name; /* name NULL: the noun is the verb; it may have rows with names beside it */
    const char *arguments;
    int words_min, words_max;
    unsigned flags;
    const char *destroys; /* the question, with one %s for the first word; NULL: nothing is destroyed */
    const char *help;
    const char *note;              /* more for --help and the manual page; NULL: none */
    struct err (*run)(struct cli *cli); /* NULL: the server's own verb, which server/main.c runs */
};

extern const struct verb verbs[];
extern const size_t verb_count;

/* What exit codes mean, for scripts; their table is in cli.c. */
struct exit_text {
    int status;
    const char *meaning;
};
bool cli_exit_text(size_t i, struct exit_text *ret); /* false behind the last */

/* The word of the command line, from 0; NULL when it is not there. */
const char *cli_word(const struct cli *cli, int i);

/* Print as the options say: JSON, or columns. */
struct err cli_print_rows(struct cli *cli, const struct column *columns, const json_t *rows);
struct err cli_print_facts(struct cli *cli, const struct column *columns, const json_t *object);
/* A sentence on what was done; with --json nothing (the exit code says it). */
void cli_say(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

struct err verb_bucket_list(struct cli *cli);
struct err verb_bucket_create(struct cli *cli);
struct err verb_bucket_delete(struct cli *cli);
struct err verb_bucket_usage(struct cli *cli);
struct err verb_object_list(struct cli *cli);
struct err verb_object_cat(struct cli *cli);
struct err verb_object_copy(struct cli *cli);
struct err verb_object_remove(struct cli *cli);
struct err verb_object_put(struct cli *cli);
struct err verb_namespace_list(struct cli *cli);
struct err verb_namespace_create(struct cli *cli);
struct err verb_namespace_drop(struct cli *cli);
struct err verb_table_list(struct cli *cli);
struct err verb_table_show(struct cli *cli);
struct err verb_table_register(struct cli *cli);
struct err verb_namespace_show(struct cli *cli);
struct err verb_namespace_set(struct cli *cli);
struct err verb_namespace_tree(struct cli *cli);
struct err verb_table_rename(struct cli *cli);
struct err verb_table_drop(struct cli *cli);
struct err verb_table_files(struct cli *cli);
struct err verb_table_history(struct cli *cli);
struct err verb_table_refs(struct cli *cli);
struct err verb_table_tag(struct cli *cli);
struct err verb_table_branch(struct cli *cli);
struct err verb_table_drop_ref(struct cli *cli);
struct err verb_table_rollback(struct cli *cli);
struct err verb_view_list(struct cli *cli);
struct err verb_view_show(struct cli *cli);
struct err verb_view_drop(struct cli *cli);
struct err verb_snapshot_list(struct cli *cli);
struct err verb_snapshot_expire(struct cli *cli);
struct err verb_backup(struct cli *cli);
struct err verb_principal_list(struct cli *cli);
struct err verb_principal_show(struct cli *cli);
struct err verb_principal_create(struct cli *cli);
struct err verb_principal_delete(struct cli *cli);
struct err verb_principal_rotate(struct cli *cli);
struct err verb_principal_reset(struct cli *cli);
struct err verb_role_list(struct cli *cli);
struct err verb_role_show(struct cli *cli);
struct err verb_role_create(struct cli *cli);
struct err verb_role_delete(struct cli *cli);
struct err verb_role_grant(struct cli *cli);
struct err verb_role_revoke(struct cli *cli);
struct err verb_catalog_role_list(struct cli *cli);
struct err verb_catalog_role_show(struct cli *cli);
struct err verb_catalog_role_create(struct cli *cli);
struct err verb_catalog_role_delete(struct cli *cli);
struct err verb_catalog_role_grant(struct cli *cli);
struct err verb_catalog_role_revoke(struct cli *cli);
struct err verb_grant(struct cli *cli);
struct err verb_grant_list(struct cli *cli);
struct err verb_revoke(struct cli *cli);
struct err verb_catalog_list(struct cli *cli);
struct err verb_catalog_show(struct cli *cli);
struct err verb_catalog_create(struct cli *cli);
struct err verb_catalog_set(struct cli *cli);
struct err verb_catalog_delete(struct cli *cli);
struct err verb_maintenance_status(struct cli *cli);
struct err verb_maintenance_orphans(struct cli *cli);
struct err verb_maintenance_remove_orphans(struct cli *cli);
struct err verb_audit(struct cli *cli);
struct err verb_doctor(struct cli *cli);
struct err verb_completion(struct cli *cli);
struct err verb_man(struct cli *cli);
struct err verb_health(struct cli *cli);
struct err verb_status(struct cli *cli);

#endif
