/*
 * completion.c - firn completion bash | zsh: shell functions written from the table of verbs, so that they cannot know less than the program.
 *
 * Nouns, verbs and flags are completed; other words are files (the server is not asked: a key pressed must not wait for it).
 */
#include <string.h>

#include "admin/cli/verb.h"
#include "storage/base/thread.h"

/* What differs between the shells; the rest is the same `case`. %s stands for the words. */
struct shell {
    const char *name, *head, *nouns, *noun_case, *verbs, *flags_case, *flags, *tail;
};

static const struct shell shells[] = {
    { "bash",
      "# bash completion of firn; written by `firn completion bash`.\n"
      "_firn() {\n    local cur=${COMP_WORDS[COMP_CWORD]} noun=${COMP_WORDS[1]} verb=${COMP_WORDS[2]} flags=\n"
      "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n",
      "        COMPREPLY=($(compgen -W \"%s\" -- \"$cur\"))\n        return\n    fi\n", "    case $noun in\n",
      "    %s) [ \"$COMP_CWORD\" -eq 2 ] && COMPREPLY=($(compgen -W \"%s\" -- \"$cur\")) && return ;;\n",
      "    esac\n    case \"$noun $verb\" in\n", "    %s) flags=\"%s\" ;;\n",
      "    esac\n    case $cur in\n    -*) COMPREPLY=($(compgen -W \"$flags\" -- \"$cur\")) ;;\n"
      "    *) COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n    esac\n}\ncomplete -o filenames -F _firn firn\n" },
    { "zsh",
      "#compdef firn\n# zsh completion of firn; written by `firn completion zsh`.\n"
      "_firn() {\n    local noun=$words[2] verb=$words[3]\n    local -a flags\n    if (( CURRENT == 2 )); then\n",
      "        compadd -- %s\n        return\n    fi\n", "    case $noun in\n",
      "    (%s) (( CURRENT == 3 )) && compadd -- %s && return ;;\n",
      "    esac\n    case \"$noun $verb\" in\n", "    (%s) flags=(%s) ;;\n",
      "    esac\n    if [[ $words[CURRENT] == -* ]]; then compadd -- $flags; else _files; fi\n}\n"
      "if [[ ${funcstack[1]} == _firn ]]; then _firn \"$@\"; else compdef _firn firn; fi\n" },
};

static bool is_first_of_noun(size_t i)
{
    for (size_t j = 0; j < i; j++) {
        if (strcmp(verbs[j].noun, verbs[i].noun) == 0) return false;
    }
    return true;
}

static void word_to(struct buf *out, const char *word)
{
    if (out->len) buf_char(out, ' ');
    buf_z(out, word);
}

static void nouns_to(struct buf *out)
{
    for (size_t i = 0; i < verb_count; i++) {
        if (is_first_of_noun(i)) word_to(out, verbs[i].noun);
    }
}

static void verbs_to(struct buf *out, const char *noun)
{
    for (size_t i = 0; i < verb_count; i++) {
        if (verbs[i].name && strcmp(verbs[i].noun, noun) == 0) word_to(out, verbs[i].name);
    }
}

static void flags_to(struct buf *out, unsigned flags)
{
    struct flag_text flag;

    for (size_t i = 0; options_flag(i, &flag); i++) {
        if (!(flag.flag & (flags | FLAG_HELP))) continue;
        word_to(out, "--");
        buf_z(out, flag.name);
    }
}

/* The template's first %s is a pattern of `case`, its last the words. The templates are ours. */
static void fill(struct buf *out, const char *template, const char *pattern, const struct buf *words)
{
    const char *first = strstr(template, "%s"), *second = strstr(first + 2, "%s");

    buf_append(out, template, (size_t)(first - template));
    if (second) {
        buf_z(out, pattern);
        buf_append(out, first + 2, (size_t)(second - first - 2));
        first = second;
    }
    buf_str(out, buf_view(words));
    buf_z(out, first + 2);
}

/* Rows with a name before rows without: "grant list" before "grant *". */
static void flag_cases_to(struct buf *out, const struct shell *shell, bool has_name)
{
    char pattern[128];
    struct buf words;

    buf_init(&words, 4096);
    for (size_t i = 0; i < verb_count; i++) {
        const struct verb *v = &verbs[i];
        if (!v->name == has_name) continue;
        buf_clear(&words);
        flags_to(&words, v->flags);
        (void)snprintf(pattern, sizeof(pattern), v->name ? "\"%s %s\"" : "\"%s \"*", v->noun, v->name);
        fill(out, shell->flags, pattern, &words);
    }
    buf_done(&words);
}

static void script_to(struct buf *out, const struct shell *shell)
{
    struct buf words;

    buf_init(&words, 4096);
    nouns_to(&words);
    buf_z(out, shell->head);
    fill(out, shell->nouns, NULL, &words);
    buf_z(out, shell->noun_case);
    for (size_t i = 0; i < verb_count; i++) {
        buf_clear(&words);
        if (is_first_of_noun(i)) verbs_to(&words, verbs[i].noun);
        if (words.len) fill(out, shell->verbs, verbs[i].noun, &words);
    }
    buf_z(out, shell->flags_case);
    flag_cases_to(out, shell, true);
    flag_cases_to(out, shell, false);
    buf_z(out, shell->tail);
    buf_done(&words);
}

struct err verb_completion(struct cli *cli)
{
    const char *name = cli_word(cli, 0);
    struct buf out;

    for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
        if (strcmp(shells[i].name, name) != 0) continue;
        buf_init(&out, 1 << 20);
        script_to(&out, &shells[i]);
        const struct err e = buf_err(&out);
        (void)fwrite(out.data, 1, out.len, cli->out); /* cli.c looks at the stream when the verb is over */
        buf_done(&out);
        return e;
    }
    return err_fail(ERR_INVALID_ARGUMENT, "'%s' is not a shell that is known: bash, zsh", name);
}
