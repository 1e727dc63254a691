/*
 * main.c - which verb, and who answers it. `serve`, `config` and `store` are the server's own; the rest is admin/cli.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admin/cli/cli.h"
#include "server/config.h"
#include "server/iceberg/iceberg.h"
#include "server/manage/manage.h"
#include "server/s3/s3_ops.h"
#include "server/serve.h"
#include "server/store_verbs.h"
#include "server/version.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static int fail(struct err e)
{
    fprintf(stderr, "firn: %s\n", e.why);
    return e.code == ERR_INVALID ? EXIT_USAGE : EXIT_FAILED;
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return true;
    }
    return false;
}

static int verb_serve(int argc, char **argv)
{
    if (wants_help(argc, argv)) {
        puts("firn serve --data DIR [settings]: run the server in the foreground until SIGTERM or SIGINT.\n");
        config_help(stdout);
        return EXIT_DONE;
    }
    CLEANUP(arena_freep) struct arena *arena = arena_new(4 * MIB);
    struct config config;
    if (!arena) return fail(FAIL(ERR_NO_MEMORY, "no memory for the settings"));
    struct err e = config_load(argc, argv, environ, arena, &config);
    if (e.code == ERR_OK) e = serve(&config);
    return e.code == ERR_OK ? EXIT_DONE : fail(e);
}

static int verb_config(int argc, char **argv)
{
    if (argc < 1 || wants_help(argc, argv)) {
        puts(
            "firn config check [settings]: are the settings right? Says nothing and ends with 0, or says what is wrong.\n"
            "firn config show [settings]: every setting in force and where it comes from.");
        return argc < 1 ? EXIT_USAGE : EXIT_DONE;
    }
    CLEANUP(arena_freep) struct arena *arena = arena_new(4 * MIB);
    struct config config;
    struct err e = FAIL(ERR_NO_MEMORY, "no memory for the settings");
    if (arena && strcmp(argv[0], "check") == 0) e = config_load(argc - 1, argv + 1, environ, arena, &config);
    else if (arena && strcmp(argv[0], "show") == 0) e = config_show(argc - 1, argv + 1, environ, stdout);
    else if (arena) e = err_fail(ERR_INVALID, "'config %s' is not a verb; see firn config --help", argv[0]);
    return e.code == ERR_OK ? EXIT_DONE : fail(e);
}

static int verb_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("firn " FIRN_VERSION);
    return EXIT_DONE;
}

static int verb_operations(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    s3_ops_print(stdout);
    return EXIT_DONE;
}

static int verb_rest_operations(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    rest_ops_print(stdout);
    return EXIT_DONE;
}

static int verb_management_operations(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    manage_ops_print(stdout);
    return EXIT_DONE;
}

static int verb_help(int argc, char **argv);

static const struct verb {
    const char *name, *help;           /* help NULL: another name, or the line is in admin/cli/verbs.c */
    int (*run)(int argc, char **argv); /* what stands behind the verb */
} verbs[] = {
    { "serve", NULL, verb_serve },
    { "config", NULL, verb_config },
    { "store", NULL, store_verb },
    { "version", NULL, verb_version },
    { "--version", NULL, verb_version },
    { "--list-operations", "print the table of S3 operations", verb_operations },
    { "--list-rest-operations", "print the table of Iceberg REST operations", verb_rest_operations },
    { "--list-management-operations", "print the table of management operations",
      verb_management_operations },
    { "help", NULL, verb_help },
    { "--help", NULL, verb_help },
    { "-h", NULL, verb_help },
};

static int verb_help(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("firn: an object store (S3) and table catalog (Iceberg REST) in one server.\n");
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (verbs[i].help) printf("  firn %-34s %s\n", verbs[i].name, verbs[i].help);
    }
    cli_help(stdout);
    return EXIT_DONE;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        verb_help(0, NULL);
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(argv[1], verbs[i].name) == 0) return verbs[i].run(argc - 2, argv + 2);
    }
    if (cli_has_noun(argv[1])) return cli_main(argc, argv);
    return cli_unknown(argv[1]);
}
