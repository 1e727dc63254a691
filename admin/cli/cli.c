/*
 * cli.c - the table of nouns and verbs, and what happens to every one of them.
 *
 * find the row -> parse the words -> help, or too few or many -> ask before what destroys -> run -> exit code. To add a verb: a row here,
 * its function in the file of its noun, its declaration in verb.h.
 */
#include "admin/cli/cli.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "admin/cli/verb.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_UNREACHABLE = 3 };

#define LIMIT_CLI_ARENA (512 * MIB) /* the largest answer, its text and a copy, with room */

#define COMMON (FLAG_ENDPOINT | FLAG_DATA | FLAG_JSON)
#define S3 (COMMON | FLAG_S3_ENDPOINT | FLAG_REGION)
#define CATALOG (COMMON | FLAG_CATALOG_ENDPOINT | FLAG_CATALOG)
#define EXPIRE (CATALOG | FLAG_OLDER_THAN | FLAG_KEEP | FLAG_DRY_RUN | FLAG_YES)

/* clang-format off */
static const struct verb verbs[] = {
    { "bucket", "list", "", 0, 0, S3, NULL, "buckets that you may see", verb_bucket_list },
    { "bucket", "create", "NAME", 1, 1, S3, NULL, "make a bucket", verb_bucket_create },
    { "bucket", "delete", "NAME", 1, 1, S3 | FLAG_YES, "Delete the bucket %s?", "delete an empty bucket", verb_bucket_delete },
    { "object", "put", "FILE BUCKET/KEY", 2, 2, S3, NULL, "upload one file", verb_object_put },
    { "namespace", "list", "[NAMESPACE]", 0, 1, CATALOG | FLAG_ALL, NULL, "namespaces, or those below one", verb_namespace_list },
    { "namespace", "create", "NAMESPACE", 1, 1, CATALOG, NULL, "make a namespace (levels joined by dots)", verb_namespace_create },
    { "namespace", "drop", "NAMESPACE", 1, 1, CATALOG | FLAG_YES, "Drop the namespace %s?", "drop an empty namespace", verb_namespace_drop },
    { "table", "list", "[NAMESPACE]", 0, 1, CATALOG, NULL, "tables of a namespace, or of all", verb_table_list },
    { "table", "show", "NAMESPACE.TABLE", 1, 1, CATALOG, NULL, "what a table is: columns, rows, size, refs", verb_table_show },
    { "table", "register", "NAMESPACE.TABLE METADATA-LOCATION", 2, 2, CATALOG, NULL, "make a table of files that are there already", verb_table_register },
    { "snapshot", "list", "NAMESPACE.TABLE", 1, 1, CATALOG, NULL, "snapshots of a table", verb_snapshot_list },
    { "snapshot", "expire", "NAMESPACE.TABLE", 1, 1, EXPIRE, "Remove old snapshots of %s for good?", "take old snapshots out of a table", verb_snapshot_expire },
    { "health", NULL, "", 0, 0, COMMON | FLAG_S3_ENDPOINT | FLAG_CATALOG_ENDPOINT, NULL, "does the server answer, is it ready", verb_health },
    { "status", NULL, "", 0, 0, COMMON | FLAG_CATALOG_ENDPOINT, NULL, "where the data is, how full, last checkpoint", verb_status },
};
/* clang-format on */
#define VERB_COUNT (sizeof(verbs) / sizeof(verbs[0]))

/* ---- what verbs use ---- */

const char *cli_word(const struct cli *cli, int i)
{
    return i < cli->options->word_count ? cli->options->words[i] : NULL;
}

static struct err print_with(struct cli *cli, const struct column *columns, const json_t *value,
                             struct err (*layout)(const struct column *, const json_t *, struct buf *))
{
    struct buf out;

    if (cli->options->is_json) return layout_json(value, cli->out);
    buf_init(&out, LIMIT_CLI_ARENA);
    const struct err e = layout(columns, value, &out);
    const bool is_written = fwrite(out.data, 1, out.len, cli->out) == out.len;
    buf_done(&out);
    TRY(e);
    return is_written ? OK : FAIL(ERR_IO, "the output cannot be written");
}

struct err cli_print_rows(struct cli *cli, const struct column *columns, const json_t *rows)
{
    return print_with(cli, columns, rows, layout_rows);
}

struct err cli_print_facts(struct cli *cli, const struct column *columns, const json_t *object)
{
    return print_with(cli, columns, object, layout_facts);
}

void cli_say(struct cli *cli, const char *format, ...)
{
    va_list arguments;

    if (cli->options->is_json) return;
    va_start(arguments, format);
    (void)vfprintf(cli->out, format, arguments);
    va_end(arguments);
    (void)fputc('\n', cli->out);
}

/* ---- help ---- */

bool cli_has_noun(const char *noun)
{
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (strcmp(verbs[i].noun, noun) == 0) return true;
    }
    return false;
}

static void print_line(const struct verb *v, FILE *out)
{
    const int used = fprintf(out, "  firn %s%s%s%s%s", v->noun, v->name ? " " : "", v->name ? v->name : "",
                             v->arguments[0] ? " " : "", v->arguments);

    (void)fprintf(out, "%*s%s\n", used < 42 ? 42 - used : 1, "", v->help);
}

static void print_verbs(const char *noun, FILE *out)
{
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (!noun || strcmp(verbs[i].noun, noun) == 0) print_line(&verbs[i], out);
    }
}

void cli_help(FILE *out)
{
    print_verbs(NULL, out);
    (void)fputs("\nThese ask a running server: firn NOUN [VERB] --help tells how it is found.\n", out);
}

static void verb_help(const struct verb *v, FILE *out)
{
    print_line(v, out);
    (void)fputc('\n', out);
    options_help(v->flags, out);
    (void)fputs(
        "\nThe credential is FIRN_ROOT_USER and FIRN_ROOT_PASSWORD, or what the server wrote beside its data (DIR.root).\n",
        out);
    if (v->flags & FLAG_OLDER_THAN)
        (void)fputs(
            "What a branch or a tag points to is never removed, nor what a branch's own retention keeps.\n"
            "Files are not deleted yet.\n",
            out);
}

/* ---- running ---- */

/* Words that are wrong and servers that are not there are told apart from refusals, so that scripts can. */
static int exit_code_of(struct err e)
{
    if (e.code == ERR_OK) return EXIT_DONE;
    if (e.code == ERR_INVALID_ARGUMENT) return EXIT_USAGE;
    return e.code == ERR_UNAVAILABLE ? EXIT_UNREACHABLE : EXIT_FAILED;
}

static int fail(struct err e)
{
    struct buf why;

    buf_init(&why, 4 * KIB);
    buf_z(&why, e.why);
    for (size_t i = 0; i < why.len; i++) {
        if ((unsigned char)why.data[i] < 0x20 || why.data[i] == 0x7f)
            why.data[i] = '?'; /* it may be the server's text */
    }
    (void)fprintf(stderr, "firn: %.*s\n", STR_ARG(buf_view(&why)));
    buf_done(&why);
    return exit_code_of(e);
}

static struct err check_words(const struct verb *v, const struct options *o)
{
    if (o->word_count >= v->words_min && o->word_count <= v->words_max) return OK;
    return err_fail(ERR_INVALID_ARGUMENT, "%s: usage: firn %s%s%s %s",
                    o->word_count < v->words_min ? "a word is missing" : "too many words", v->noun,
                    v->name ? " " : "", v->name ? v->name : "", v->arguments);
}

/* What destroys is asked for on a terminal, and refused where nobody can answer. */
static struct err check_destroys(const struct verb *v, const struct options *o)
{
    char answer[16] = "";

    if (!v->destroys || o->is_yes || o->is_dry_run) return OK;
    if (!isatty(STDIN_FILENO))
        return err_fail(ERR_INVALID_ARGUMENT,
                        "firn %s %s destroys, and there is no terminal to ask: give --yes", v->noun, v->name);
    (void)fprintf(stderr, v->destroys,
                  o->words[0]); /* NOLINT(clang-diagnostic-format-nonliteral): a row of the table */
    (void)fputs(" [y/N] ", stderr);
    if (fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y')) return OK;
    return FAIL(ERR_PRECONDITION, "nothing was done");
}

static struct err run(const struct verb *v, const struct options *o)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_CLI_ARENA);
    CLEANUP(client_freep) struct client *client = NULL;
    static char why[512];

    if (!arena) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    TRY(check_words(v, o));
    TRY(check_destroys(v, o));
    TRY(client_new(&client));
    struct cli cli = { .options = o, .client = client, .arena = arena, .out = stdout };
    const struct err e = err_keep(v->run(&cli), why, sizeof(why));
    if (e.code == ERR_OK && fflush(stdout) != 0) return FAIL(ERR_IO, "the output cannot be written");
    return e;
}

static const struct verb *verb_find(int argc, char **argv)
{
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (strcmp(verbs[i].noun, argv[1]) != 0) continue;
        if (!verbs[i].name || (argc > 2 && strcmp(verbs[i].name, argv[2]) == 0)) return &verbs[i];
    }
    return NULL;
}

int cli_main(int argc, char **argv)
{
    struct options options;
    const struct verb *v = verb_find(argc, argv);

    if (!v) {
        const bool is_help = argc > 2 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0);
        if (argc > 2 && !is_help)
            (void)fprintf(stderr, "firn: '%s' is not a verb of '%s'; there are:\n", argv[2], argv[1]);
        print_verbs(argv[1], is_help ? stdout : stderr);
        return is_help ? EXIT_DONE : EXIT_USAGE;
    }
    const int behind = v->name ? 3 : 2;
    const struct err e = options_parse(argc - behind, argv + behind, v->flags, &options);
    if (e.code != ERR_OK) return fail(e);
    if (options.is_help) {
        verb_help(v, stdout);
        return EXIT_DONE;
    }
    const struct err outcome = run(v, &options);
    return outcome.code == ERR_OK ? EXIT_DONE : fail(outcome);
}
