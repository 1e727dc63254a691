/*
 * verbs.c - the table of nouns and verbs. To add one: a row here, its function in the file of its noun, its declaration in verb.h; then `make docs`.
 */
#include "admin/cli/verb.h"

#define COMMON (FLAG_ENDPOINT | FLAG_DATA | FLAG_PROFILE | FLAG_JSON)
#define S3 (COMMON | FLAG_S3_ENDPOINT | FLAG_REGION)
#define CATALOG (COMMON | FLAG_CATALOG_ENDPOINT | FLAG_CATALOG)
#define MANAGE (COMMON | FLAG_CATALOG_ENDPOINT)
#define AUDIT                                                                                                \
    (CATALOG | FLAG_FROM | FLAG_TO | FLAG_PRINCIPAL | FLAG_OPERATION | FLAG_OBJECT | FLAG_OUTCOME            \
     | FLAG_LIMIT)
#define EXPIRE (CATALOG | FLAG_OLDER_THAN | FLAG_KEEP | FLAG_DRY_RUN | FLAG_YES)

static const char expire_note[] =
    "What a branch or a tag points to is never removed, nor what a branch's own retention keeps.\n"
    "With --all the word is a namespace, and every table in it and below it is meant; without a word, every table of the catalog.";
static const char files_note[] =
    "Of the current snapshot, unless --snapshot, --ref or --all (all that the metadata names) says otherwise. SNAPSHOTS is how many hold the file.\n"
    "queued: nothing names it any more, and when it may be deleted. orphan: no commit names it, or none yet.";
static const char copy_note[] =
    "One of the two, or both, is s3://BUCKET/KEY; the other is a file. A place that ends with a slash takes the name of what comes.\n"
    "With --recursive both are prefixes or directories, and everything below goes to the same names.";
static const char grant_note[] =
    "firn grant select on table prod.sales to analyst\n"
    "PRIVILEGE is one of select, insert, update, delete, create, drop, all, or a privilege of the catalog such as TABLE_READ_DATA.\n"
    "KIND is catalog, namespace, table or view. ROLE is a role of principals (firn role). Privileges are held by catalog roles: the one of the\n"
    "same name is made when it is not there, and given to the role.";
static const char doctor_note[] =
    "Looks at addresses, clocks, the credential at both doors, the disk, the catalog, and where it tells clients that files are. The exit code is\n"
    "that of the first failure; a warning is none. The settings of a server are looked at by firn config check.";
static const char completion_note[] =
    "bash: firn completion bash >/usr/share/bash-completion/completions/firn\n"
    "zsh:  firn completion zsh >/usr/share/zsh/site-functions/_firn";

/* clang-format off */
const struct verb verbs[] = {
    { "serve", NULL, "--data DIR [SETTINGS]", 0, 0, 0, NULL, "run the server", NULL, NULL },
    { "config", "check", "[SETTINGS]", 0, 0, 0, NULL, "are the settings right?", NULL, NULL },
    { "config", "show", "[SETTINGS]", 0, 0, 0, NULL, "every setting in force, and where it comes from", NULL, NULL },
    { "store", "check", "--data DIR [--store postgresql://...] [--bodies] [--json]", 0, 0, 0, NULL, "is a store whole?", NULL, NULL },
    { "store", "repair", "--data DIR [--json]", 0, 0, 0, NULL, "make the rows anew of their daily copy and the journal", NULL, NULL },
    { "store", "salvage", "--data DIR --to NEWDIR | --dry-run [--json]", 0, 0, 0, NULL, "bring bodies back when the rows are lost", NULL, NULL },
    { "store", "backup", "--data DIR --to DIRECTORY", 0, 0, 0, NULL, "back a store up whose server is stopped", NULL, NULL },
    { "store", "restore", "--from DIRECTORY --data DIR", 0, 0, 0, NULL, "make a data directory of a backup", NULL, NULL },
    { "store", "move", "--data DIR --to postgresql://... | --from postgresql://...", 0, 0, 0, NULL, "move a store's rows to PostgreSQL or back", NULL, NULL },
    { "version", NULL, "", 0, 0, 0, NULL, "print the version", NULL, NULL },
    { "help", NULL, "", 0, 0, 0, NULL, "print this", NULL, NULL },
    { "bucket", "list", "", 0, 0, S3, NULL, "buckets that you may see", NULL, verb_bucket_list },
    { "bucket", "create", "NAME", 1, 1, S3, NULL, "make a bucket", NULL, verb_bucket_create },
    { "bucket", "delete", "NAME", 1, 1, S3 | FLAG_YES, "Delete the bucket %s?", "delete an empty bucket", NULL, verb_bucket_delete },
    { "bucket", "usage", "[NAME]", 0, 1, S3, NULL, "objects and bytes of a bucket, or of each", NULL, verb_bucket_usage },
    { "object", "ls", "BUCKET[/PREFIX]", 1, 1, S3 | FLAG_RECURSIVE, NULL, "objects below a prefix", NULL, verb_object_list },
    { "object", "cp", "FROM TO", 2, 2, S3 | FLAG_RECURSIVE, NULL, "copy to, from or within the server", copy_note, verb_object_copy },
    { "object", "cat", "BUCKET/KEY", 1, 1, S3 & ~FLAG_JSON, NULL, "print an object", NULL, verb_object_cat },
    { "object", "rm", "BUCKET/KEY", 1, 1, S3 | FLAG_RECURSIVE | FLAG_YES, "Delete %s?", "delete an object, or with --recursive all below a prefix", NULL, verb_object_remove },
    { "object", "put", "FILE BUCKET/KEY", 2, 2, S3, NULL, "upload one file", NULL, verb_object_put },
    { "namespace", "list", "[NAMESPACE]", 0, 1, CATALOG | FLAG_ALL, NULL, "namespaces, or those below one", NULL, verb_namespace_list },
    { "namespace", "create", "NAMESPACE", 1, 1, CATALOG, NULL, "make a namespace (levels joined by dots)", NULL, verb_namespace_create },
    { "namespace", "drop", "NAMESPACE", 1, 1, CATALOG | FLAG_YES, "Drop the namespace %s?", "drop an empty namespace", NULL, verb_namespace_drop },
    { "namespace", "show", "NAMESPACE", 1, 1, CATALOG, NULL, "properties of a namespace", NULL, verb_namespace_show },
    { "namespace", "set", "NAMESPACE KEY=VALUE|KEY-...", 2, OPTIONS_WORDS_MAX, CATALOG, NULL, "set properties, or remove them (KEY-)", NULL, verb_namespace_set },
    { "namespace", "tree", "[NAMESPACE]", 0, 1, CATALOG, NULL, "namespaces with their tables and views", NULL, verb_namespace_tree },
    { "table", "list", "[NAMESPACE]", 0, 1, CATALOG | FLAG_ALL, NULL, "tables of a namespace, or of all", NULL, verb_table_list },
    { "table", "show", "NAMESPACE.TABLE", 1, 1, CATALOG, NULL, "what a table is: columns, rows, size, refs", NULL, verb_table_show },
    { "table", "register", "NAMESPACE.TABLE METADATA-LOCATION", 2, 2, CATALOG, NULL, "make a table of files that are there already", NULL, verb_table_register },
    { "table", "rename", "NAMESPACE.TABLE NAMESPACE.TABLE", 2, 2, CATALOG, NULL, "give a table another name or namespace", NULL, verb_table_rename },
    { "table", "drop", "NAMESPACE.TABLE", 1, 1, CATALOG | FLAG_PURGE | FLAG_YES, "Drop the table %s?", "take a table out of the catalog", NULL, verb_table_drop },
    { "table", "files", "NAMESPACE.TABLE", 1, 1, CATALOG | FLAG_SNAPSHOT | FLAG_REF | FLAG_ALL | FLAG_STATE, NULL, "files that a snapshot needs, that wait for deletion, or that nothing names", files_note, verb_table_files },
    { "table", "history", "NAMESPACE.TABLE", 1, 1, CATALOG, NULL, "which snapshot was current when", NULL, verb_table_history },
    { "table", "snapshots", "NAMESPACE.TABLE", 1, 1, CATALOG, NULL, "snapshots of a table", NULL, verb_snapshot_list },
    { "table", "refs", "NAMESPACE.TABLE", 1, 1, CATALOG, NULL, "branches and tags of a table", NULL, verb_table_refs },
    { "table", "tag", "NAMESPACE.TABLE NAME", 2, 2, CATALOG | FLAG_SNAPSHOT, NULL, "give a snapshot a name that keeps it", NULL, verb_table_tag },
    { "table", "branch", "NAMESPACE.TABLE NAME", 2, 2, CATALOG | FLAG_SNAPSHOT, NULL, "begin a branch at a snapshot", NULL, verb_table_branch },
    { "table", "drop-ref", "NAMESPACE.TABLE NAME", 2, 2, CATALOG | FLAG_YES, "Drop a branch or tag of %s?", "drop a branch or a tag", NULL, verb_table_drop_ref },
    { "table", "rollback", "NAMESPACE.TABLE SNAPSHOT", 2, 2, CATALOG | FLAG_YES, "Set %s back to an older snapshot?", "make an older snapshot the current one", NULL, verb_table_rollback },
    { "view", "list", "NAMESPACE", 1, 1, CATALOG, NULL, "views of a namespace", NULL, verb_view_list },
    { "view", "show", "NAMESPACE.VIEW", 1, 1, CATALOG, NULL, "what a view is", NULL, verb_view_show },
    { "view", "drop", "NAMESPACE.VIEW", 1, 1, CATALOG | FLAG_YES, "Drop the view %s?", "drop a view", NULL, verb_view_drop },
    { "snapshot", "list", "NAMESPACE.TABLE", 1, 1, CATALOG, NULL, "snapshots of a table", NULL, verb_snapshot_list },
    { "snapshot", "expire", "NAMESPACE.TABLE | --all [NAMESPACE]", 0, 1, EXPIRE | FLAG_ALL, "Remove old snapshots of %s for good?", "take old snapshots out of a table, or of all", expire_note, verb_snapshot_expire },
    { "catalog", "list", "", 0, 0, MANAGE, NULL, "catalogs that you may see", NULL, verb_catalog_list },
    { "catalog", "show", "NAME", 1, 1, MANAGE, NULL, "what a catalog is", NULL, verb_catalog_show },
    { "catalog", "create", "NAME", 1, 1, MANAGE | FLAG_LOCATION, NULL, "make a catalog", NULL, verb_catalog_create },
    { "catalog", "set", "NAME KEY=VALUE|KEY-...", 2, OPTIONS_WORDS_MAX, MANAGE, NULL, "set properties, or remove them (KEY-)", "firn catalog set lake firn.guard-live-files=true keeps S3 clients from deleting files that tables need.", verb_catalog_set },
    { "catalog", "delete", "NAME", 1, 1, MANAGE | FLAG_YES, "Delete the catalog %s?", "delete an empty catalog", NULL, verb_catalog_delete },
    { "principal", "list", "", 0, 0, MANAGE, NULL, "who has a credential", NULL, verb_principal_list },
    { "principal", "show", "NAME", 1, 1, MANAGE, NULL, "a principal and its roles", NULL, verb_principal_show },
    { "principal", "create", "NAME", 1, 1, MANAGE, NULL, "make a principal; its secret is told once", NULL, verb_principal_create },
    { "principal", "delete", "NAME", 1, 1, MANAGE | FLAG_YES, "Delete the principal %s?", "delete a principal", NULL, verb_principal_delete },
    { "principal", "rotate", "NAME", 1, 1, MANAGE | FLAG_YES, "Give %s a new secret?", "a new secret, asked for by the principal itself", NULL, verb_principal_rotate },
    { "principal", "reset", "NAME", 1, 1, MANAGE | FLAG_YES, "Give %s a new credential? The old one ends.", "a new credential, given by an administrator", NULL, verb_principal_reset },
    { "role", "list", "", 0, 0, MANAGE, NULL, "roles that principals may hold", NULL, verb_role_list },
    { "role", "show", "ROLE", 1, 1, CATALOG, NULL, "who holds a role, and what it holds (--catalog)", NULL, verb_role_show },
    { "role", "create", "ROLE", 1, 1, MANAGE, NULL, "make a role", NULL, verb_role_create },
    { "role", "delete", "ROLE", 1, 1, MANAGE | FLAG_YES, "Delete the role %s?", "delete a role", NULL, verb_role_delete },
    { "role", "grant", "ROLE PRINCIPAL", 2, 2, MANAGE, NULL, "give a principal a role", NULL, verb_role_grant },
    { "role", "revoke", "ROLE PRINCIPAL", 2, 2, MANAGE, NULL, "take a role from a principal", NULL, verb_role_revoke },
    { "catalog-role", "list", "", 0, 0, CATALOG, NULL, "roles of a catalog, which hold privileges", NULL, verb_catalog_role_list },
    { "catalog-role", "show", "CATALOG-ROLE", 1, 1, CATALOG, NULL, "which roles hold a catalog role", NULL, verb_catalog_role_show },
    { "catalog-role", "create", "CATALOG-ROLE", 1, 1, CATALOG, NULL, "make a catalog role", NULL, verb_catalog_role_create },
    { "catalog-role", "delete", "CATALOG-ROLE", 1, 1, CATALOG | FLAG_YES, "Delete the catalog role %s?", "delete a catalog role with its privileges", NULL, verb_catalog_role_delete },
    { "catalog-role", "grant", "CATALOG-ROLE ROLE", 2, 2, CATALOG, NULL, "give a role a catalog role", NULL, verb_catalog_role_grant },
    { "catalog-role", "revoke", "CATALOG-ROLE ROLE", 2, 2, CATALOG, NULL, "take a catalog role from a role", NULL, verb_catalog_role_revoke },
    { "grant", NULL, "PRIVILEGE[,...] on KIND [NAME] to ROLE", 1, 7, CATALOG, NULL, "give a role privileges on a catalog, namespace, table or view", grant_note, verb_grant },
    { "grant", "list", "[CATALOG-ROLE]", 0, 1, CATALOG, NULL, "privileges that catalog roles hold", NULL, verb_grant_list },
    { "revoke", NULL, "PRIVILEGE[,...] on KIND [NAME] from ROLE", 1, 7, CATALOG, NULL, "take privileges from a role", grant_note, verb_revoke },
    { "maintenance", "status", "[NAMESPACE.TABLE | --all NAMESPACE]", 0, 1, CATALOG | FLAG_ALL, NULL, "what the server knows of tables' files", NULL, verb_maintenance_status },
    { "maintenance", "orphans", "[NAMESPACE.TABLE | --all NAMESPACE]", 0, 1, CATALOG | FLAG_ALL, NULL, "files in tables' places that nothing names", NULL, verb_maintenance_orphans },
    { "maintenance", "remove-orphans", "[NAMESPACE.TABLE | --all NAMESPACE]", 0, 1, CATALOG | FLAG_ALL | FLAG_OLDER_THAN | FLAG_DRY_RUN | FLAG_YES, "Delete files of %s that nothing names?", "delete them, if they are old enough", NULL, verb_maintenance_remove_orphans },
    { "audit", NULL, "", 0, 0, AUDIT, NULL, "who did what, newest first", NULL, verb_audit },
    { "doctor", NULL, "", 0, 0, S3 | FLAG_CATALOG_ENDPOINT | FLAG_CATALOG, NULL, "look for what is wrong, and say what to do", doctor_note, verb_doctor },
    { "backup", NULL, "DIRECTORY", 1, 1, COMMON | FLAG_CATALOG_ENDPOINT, NULL, "have the running server back its store up", NULL, verb_backup },
    { "health", NULL, "", 0, 0, COMMON | FLAG_S3_ENDPOINT | FLAG_CATALOG_ENDPOINT, NULL, "does the server answer, is it ready", NULL, verb_health },
    { "status", NULL, "", 0, 0, COMMON | FLAG_CATALOG_ENDPOINT, NULL, "where the data is, how full, last checkpoint", NULL, verb_status },
    { "completion", NULL, "bash|zsh", 1, 1, 0, NULL, "print what a shell needs to complete these words", completion_note, verb_completion },
    { "man", NULL, "", 0, 0, FLAG_MARKDOWN, NULL, "print the manual page (firn man | man -l -)", NULL, verb_man },
};
/* clang-format on */
const size_t verb_count = sizeof(verbs) / sizeof(verbs[0]);
