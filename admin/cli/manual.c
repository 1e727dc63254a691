/*
 * manual.c - firn man: the manual page (roff) and docs/CLI.md (Markdown) from the tables of verbs, flags and exit codes.
 */
#include <string.h>

#include "admin/cli/verb.h"
#include "storage/base/thread.h"

static const char about[] =
    "One server for objects (S3) and tables (Iceberg REST). `firn serve` runs it; the other verbs ask a running server over HTTP.";
static const char finding[] =
    "Where the server is, from strongest: --s3-endpoint or --catalog-endpoint, --endpoint, --data, the profile that --profile names, "
    "FIRN_CATALOG_ENDPOINT, FIRN_ENDPOINT, FIRN_DATA, the profile of FIRN_PROFILE or [default], port 8333 and 8181 of this machine. "
    "The credential: the profile that --profile names, FIRN_ROOT_USER and FIRN_ROOT_PASSWORD, the file DIR.root beside the data directory, "
    "the other profile, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. It is never a flag: every user of a machine sees the words of a command.";
static const char profiles[] =
    "Profiles are sections of ~/.config/firn/config (or FIRN_PROFILES): a line [NAME], then lines KEY = VALUE of endpoint, s3-endpoint, "
    "catalog-endpoint, catalog, access-key, secret-key, region. A file with a secret must be its owner's alone (chmod 600).";

/* ---- roff ---- */

/* Text between macros: no hyphen is a dash, no line begins a macro. */
static void roff(FILE *out, const char *text)
{
    bool is_start = true;

    for (; *text; text++) {
        if (is_start && (*text == '.' || *text == '\'')) (void)fputs("\\&", out);
        if (*text == '-') (void)fputs("\\-", out);
        else if (*text == '\\') (void)fputs("\\e", out);
        else (void)fputc(*text, out);
        is_start = *text == '\n';
    }
}

static void roff_section(FILE *out, const char *title, const char *text)
{
    (void)fprintf(out, ".SH %s\n", title);
    if (!text) return;
    roff(out, text);
    (void)fputc('\n', out);
}

static void roff_verb(FILE *out, const struct verb *v)
{
    struct flag_text flag;
    int count = 0;

    (void)fprintf(out, ".TP\n\\fBfirn %s%s%s\\fR ", v->noun, v->name ? " " : "", v->name ? v->name : "");
    roff(out, v->arguments);
    (void)fputc('\n', out);
    roff(out, v->help);
    for (size_t i = 0; options_flag(i, &flag); i++) {
        if (!(flag.flag & v->flags)) continue;
        (void)fputs(count++ ? ", " : "\n.br\nFlags: ", out);
        roff(out, "--");
        roff(out, flag.name);
    }
    if (v->note) (void)fputs("\n.br\n", out);
    if (v->note) roff(out, v->note);
    (void)fputc('\n', out);
}

static void roff_page(FILE *out)
{
    struct flag_text flag;
    struct exit_text text;

    (void)fputs(".TH FIRN 1\n.SH NAME\nfirn \\- object store and table catalog in one server\n", out);
    (void)fputs(".SH SYNOPSIS\n\\fBfirn\\fR NOUN [VERB] [WORD...] [FLAG...]\n", out);
    roff_section(out, "DESCRIPTION", about);
    roff_section(out, "VERBS", NULL);
    for (size_t i = 0; i < verb_count; i++) roff_verb(out, &verbs[i]);
    roff_section(out, "FLAGS", NULL);
    for (size_t i = 0; options_flag(i, &flag); i++) {
        (void)fputs(".TP\n\\fB", out);
        roff(out, "--");
        roff(out, flag.name);
        (void)fprintf(out, "\\fR %s\n", flag.value ? flag.value : "");
        roff(out, flag.help);
        (void)fputc('\n', out);
    }
    roff_section(out, "SERVER AND CREDENTIAL", finding);
    roff_section(out, "PROFILES", profiles);
    roff_section(out, "EXIT STATUS", NULL);
    for (size_t i = 0; cli_exit_text(i, &text); i++)
        (void)fprintf(out, ".TP\n%d\n%s\n", text.status, text.meaning);
}

/* ---- Markdown ---- */

static void cell(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|') (void)fputc('\\', out);
        (void)fputc(*text == '\n' ? ' ' : *text, out);
    }
}

static void markdown_verb(FILE *out, const struct verb *v)
{
    struct flag_text flag;
    int count = 0;

    (void)fprintf(out, "| `%s%s%s%s", v->noun, v->name ? " " : "", v->name ? v->name : "",
                  v->arguments[0] ? " " : "");
    cell(out, v->arguments);
    (void)fputs("` | ", out);
    cell(out, v->help);
    if (v->note) (void)fputs(". ", out);
    if (v->note) cell(out, v->note);
    (void)fputs(" | ", out);
    for (size_t i = 0; options_flag(i, &flag); i++) {
        if (flag.flag & v->flags) (void)fprintf(out, "%s`--%s`", count++ ? " " : "", flag.name);
    }
    (void)fputs(" |\n", out);
}

static void markdown_page(FILE *out)
{
    struct flag_text flag;
    struct exit_text text;

    (void)fprintf(
        out, "# The command line\n\n%s\n\n%s\n\n%s\n\n## Verbs\n\n| `firn` ... | | flags |\n|---|---|---|\n",
        about, finding, profiles);
    for (size_t i = 0; i < verb_count; i++) markdown_verb(out, &verbs[i]);
    (void)fputs("\n## Flags\n\n| flag | |\n|---|---|\n", out);
    for (size_t i = 0; options_flag(i, &flag); i++) {
        (void)fprintf(out, "| `--%s%s%s` | ", flag.name, flag.value ? " " : "", flag.value ? flag.value : "");
        cell(out, flag.help);
        (void)fputs(" |\n", out);
    }
    (void)fputs("\n## Exit codes\n\n| code | |\n|---|---|\n", out);
    for (size_t i = 0; cli_exit_text(i, &text); i++)
        (void)fprintf(out, "| %d | %s |\n", text.status, text.meaning);
}

struct err verb_man(struct cli *cli)
{
    if (cli->options->is_markdown) markdown_page(cli->out);
    else roff_page(cli->out);
    return OK;
}
