/*
 * cli.c - what happens to every verb of the table (verbs.c).
 *
 * find the row -> parse the words -> help, or too few or many -> the profile -> ask before what destroys -> run -> exit code.
 */
#include "admin/cli/cli.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "admin/cli/suggest.h"
#include "admin/cli/verb.h"
#include "storage/base/limits.h"
#include "storage/base/thread.h"

enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_UNREACHABLE = 3,
    EXIT_MISSING = 4,
    EXIT_DENIED = 5
};

#define LIMIT_CLI_ARENA (512 * MIB) /* the largest answer, its text and a copy, with room */

/* Words that are wrong and servers that are not there are told apart from refusals, so that scripts can. */
static const struct {
    enum err_code code;
    int status;
} exits[] = {
    { ERR_OK, EXIT_DONE },
    { ERR_INVALID_ARGUMENT, EXIT_USAGE },
    { ERR_UNAVAILABLE, EXIT_UNREACHABLE },
    { ERR_NOT_FOUND, EXIT_MISSING },
    { ERR_UNAUTHENTICATED, EXIT_DENIED },
    { ERR_DENIED, EXIT_DENIED },
};

static const struct exit_text exit_texts[] = {
    { EXIT_DONE, "done" },
    { EXIT_FAILED, "the server refused, or it failed on the way" },
    { EXIT_USAGE, "a word, a flag or a setting is wrong or missing; nothing was sent" },
    { EXIT_UNREACHABLE, "the server cannot be reached; nothing was done" },
    { EXIT_MISSING, "what was named does not exist" },
    { EXIT_DENIED, "the credential is not accepted, or does not allow this" },
};

bool cli_exit_text(size_t i, struct exit_text *ret)
{
    if (i >= sizeof(exit_texts) / sizeof(exit_texts[0])) return false;
    *ret = exit_texts[i];
    return true;
}

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
    for (size_t i = 0; i < verb_count; i++) {
        if (verbs[i].run && strcmp(verbs[i].noun, noun) == 0) return true;
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
    for (size_t i = 0; i < verb_count; i++) {
        if (!noun || strcmp(verbs[i].noun, noun) == 0) print_line(&verbs[i], out);
    }
}

void cli_help(FILE *out)
{
    print_verbs(NULL, out);
    (void)fputs("\nfirn NOUN VERB --help tells the flags, and how a running server is found.\n", out);
}

static void verb_help(const struct verb *v, FILE *out)
{
    if (v->name) print_line(v, out);
    else print_verbs(v->noun, out);
    (void)fputc('\n', out);
    options_help(v->flags, out);
    if (v->note) (void)fprintf(out, "\n%s\n", v->note);
    if (v->flags & FLAG_PROFILE)
        (void)fputs(
            "\nThe credential is in the profile, or FIRN_ROOT_USER and FIRN_ROOT_PASSWORD, or what the server wrote beside its data (DIR.root).\n",
            out);
}

int cli_unknown(const char *noun)
{
    struct suggestion s = suggest_for(str_from_z(noun));

    for (size_t i = 0; i < verb_count; i++) suggest_offer(&s, verbs[i].noun);
    if (s.best)
        (void)fprintf(stderr, "firn: '%s' is not a verb; did you mean '%s'? See firn help\n", noun, s.best);
    else (void)fprintf(stderr, "firn: '%s' is not a verb; see firn help\n", noun);
    return EXIT_USAGE;
}

/* ---- running ---- */

static int exit_code_of(struct err e)
{
    for (size_t i = 0; i < sizeof(exits) / sizeof(exits[0]); i++) {
        if (exits[i].code == e.code) return exits[i].status;
    }
    return EXIT_FAILED;
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
                        "firn %s%s%s destroys, and there is no terminal to ask: give --yes", v->noun,
                        v->name ? " " : "", v->name ? v->name : "");
    (void)fprintf(stderr, v->destroys,
                  o->word_count
                      ? o->words[0]
                      : "everything"); /* NOLINT(clang-diagnostic-format-nonliteral): a row of the table */
    (void)fputs(" [y/N] ", stderr);
    if (fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y')) return OK;
    return FAIL(ERR_PRECONDITION, "nothing was done");
}

static struct err run(const struct verb *v, struct options *o)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_CLI_ARENA);
    CLEANUP(client_freep) struct client *client = NULL;
    static char why[512];

    if (!arena) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    TRY(check_words(v, o));
    struct err e = v->flags & FLAG_PROFILE ? profile_load(o->profile_name, arena, &o->profile) : OK;
    if (e.code != ERR_OK) return err_keep(e, why, sizeof(why));
    TRY(check_destroys(v, o));
    TRY(client_new(&client));
    struct cli cli = { .options = o, .client = client, .arena = arena, .out = stdout };
    e = err_keep(v->run(&cli), why, sizeof(why));
    if (fflush(stdout) != 0 && e.code == ERR_OK) return FAIL(ERR_IO, "the output cannot be written");
    return e;
}

/* The row of that name, else the row without one. */
static const struct verb *verb_find(const char *noun, const char *name)
{
    const struct verb *nameless = NULL;

    for (size_t i = 0; i < verb_count; i++) {
        if (strcmp(verbs[i].noun, noun) != 0 || !verbs[i].run) continue;
        if (!verbs[i].name) nameless = &verbs[i];
        else if (name && strcmp(verbs[i].name, name) == 0) return &verbs[i];
    }
    return nameless;
}

static int noun_alone(const char *noun, const char *word)
{
    struct suggestion s = suggest_for(str_from_z(word));
    const bool is_help = word && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0);

    for (size_t i = 0; i < verb_count; i++) {
        if (strcmp(verbs[i].noun, noun) == 0) suggest_offer(&s, verbs[i].name);
    }
    if (word && !is_help && s.best)
        (void)fprintf(stderr, "firn: '%s' is not a verb of '%s'; did you mean '%s'? There are:\n", word, noun,
                      s.best);
    else if (word && !is_help)
        (void)fprintf(stderr, "firn: '%s' is not a verb of '%s'; there are:\n", word, noun);
    print_verbs(noun, is_help ? stdout : stderr);
    return is_help ? EXIT_DONE : EXIT_USAGE;
}

int cli_main(int argc, char **argv)
{
    struct options options;
    const char *word = argc > 2 ? argv[2] : NULL;
    const struct verb *v = verb_find(argv[1], word);

    if (!v) return noun_alone(argv[1], word);
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
