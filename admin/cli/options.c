/*
 * options.c - the table of flags, and the loop over the words.
 */
#include "admin/cli/options.h"

#include <stddef.h>
#include <string.h>

#include "admin/cli/format.h"
#include "admin/cli/suggest.h"

enum flag_type { TEXT, BOOL, NUMBER, DURATION };

struct flag_row {
    const char *name;
    enum flag flag;
    enum flag_type type;
    size_t field;
    const char *value, *help;
};

#define FIELD(name) offsetof(struct options, name)

/* clang-format off */
static const struct flag_row rows[] = {
    { "endpoint", FLAG_ENDPOINT, TEXT, FIELD(endpoint), "URL", "the server's address for this verb (FIRN_ENDPOINT)" },
    { "s3-endpoint", FLAG_S3_ENDPOINT, TEXT, FIELD(s3_endpoint), "URL", "address of the S3 API [http://127.0.0.1:8333]" },
    { "catalog-endpoint", FLAG_CATALOG_ENDPOINT, TEXT, FIELD(catalog_endpoint), "URL", "address of the catalog (FIRN_CATALOG_ENDPOINT) [http://127.0.0.1:8181]" },
    { "data", FLAG_DATA, TEXT, FIELD(data), "DIR", "data directory of a server on this machine: address and credential are read from there (FIRN_DATA)" },
    { "catalog", FLAG_CATALOG, TEXT, FIELD(catalog), "NAME", "which catalog (FIRN_CATALOG); not needed if there is one alone" },
    { "region", FLAG_REGION, TEXT, FIELD(region), "NAME", "region to sign for, if the server wants one (FIRN_REGION) [us-east-1]" },
    { "profile", FLAG_PROFILE, TEXT, FIELD(profile_name), "NAME", "which section of ~/.config/firn/config (FIRN_PROFILE) [default]" },
    { "all", FLAG_ALL, BOOL, FIELD(is_all), NULL, "with everything below" },
    { "older-than", FLAG_OLDER_THAN, DURATION, FIELD(older_than_ms), "TIME", "age to expire from: 90s, 30m, 12h, 7d, 4w [the table's own, or 5d]" },
    { "keep", FLAG_KEEP, NUMBER, FIELD(keep), "N", "snapshots of each branch to keep whatever their age [the table's own, or 1]" },
    { "recursive", FLAG_RECURSIVE, BOOL, FIELD(is_recursive), NULL, "everything below" },
    { "purge", FLAG_PURGE, BOOL, FIELD(is_purge), NULL, "delete its files too" },
    { "snapshot", FLAG_SNAPSHOT, NUMBER, FIELD(snapshot), "ID", "which snapshot [the current one]" },
    { "ref", FLAG_REF, TEXT, FIELD(ref), "NAME", "the snapshot of a branch or tag" },
    { "state", FLAG_STATE, TEXT, FIELD(state), "WORD", "which files: live, queued, orphan [live]" },
    { "from", FLAG_FROM, TEXT, FIELD(from), "TIME", "not before: 2026-11-21T09:30:00Z, or an age such as 24h" },
    { "to", FLAG_TO, TEXT, FIELD(to), "TIME", "before: written as --from" },
    { "principal", FLAG_PRINCIPAL, TEXT, FIELD(principal), "NAME", "who did it" },
    { "operation", FLAG_OPERATION, TEXT, FIELD(operation), "NAME", "what was done" },
    { "object", FLAG_OBJECT, TEXT, FIELD(object), "NAME", "what it was done to: how its name begins" },
    { "outcome", FLAG_OUTCOME, TEXT, FIELD(outcome), "WORD", "how it ended: ok, denied, not found, failed" },
    { "limit", FLAG_LIMIT, NUMBER, FIELD(limit), "N", "at most so many events [100]" },
    { "location", FLAG_LOCATION, TEXT, FIELD(location), "URL", "where its tables lie [s3://NAME]" },
    { "markdown", FLAG_MARKDOWN, BOOL, FIELD(is_markdown), NULL, "as Markdown, not for man" },
    { "dry-run", FLAG_DRY_RUN, BOOL, FIELD(is_dry_run), NULL, "say what would be done, and do nothing" },
    { "yes", FLAG_YES, BOOL, FIELD(is_yes), NULL, "do not ask" },
    { "json", FLAG_JSON, BOOL, FIELD(is_json), NULL, "print JSON, for programs" },
    { "help", FLAG_HELP, BOOL, FIELD(is_help), NULL, "print this" },
};
/* clang-format on */
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static const struct flag_row *row_find(struct str name)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (str_is(name, rows[i].name)) return &rows[i];
    }
    return NULL;
}

static struct err number_of(const struct flag_row *row, const char *text, int64_t *ret)
{
    if (str_to_i64(str_from_z(text), ret) && *ret >= 1) return OK;
    return err_fail(ERR_INVALID_ARGUMENT, "flag --%s must be a number from 1, not '%s'", row->name, text);
}

static struct err unknown_flag(struct str name, unsigned allowed)
{
    struct suggestion s = suggest_for(name);

    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (rows[i].flag & (allowed | FLAG_HELP)) suggest_offer(&s, rows[i].name);
    }
    if (!s.best) return err_fail(ERR_INVALID_ARGUMENT, "unknown flag '--%.*s'; see --help", STR_ARG(name));
    return err_fail(ERR_INVALID_ARGUMENT, "unknown flag '--%.*s'; did you mean --%s?", STR_ARG(name), s.best);
}

static struct err value_set(const struct flag_row *row, struct options *o, const char *value)
{
    void *field = (char *)o + row->field;

    switch (row->type) {
    case TEXT: *(const char **)field = value; return OK;
    case BOOL: *(bool *)field = true; return OK;
    case NUMBER: return number_of(row, value, field);
    case DURATION:
        if (duration_parse(str_from_z(value), field)) return OK;
        return err_fail(ERR_INVALID_ARGUMENT, "flag --%s must be a time such as 12h or 7d, not '%s'",
                        row->name, value);
    }
    return OK;
}

/* argv[*i] begins with "--". *i is moved to the last word used. */
static struct err take_flag(int argc, char **argv, int *i, unsigned allowed, struct options *o,
                            unsigned *seen)
{
    const char *word = argv[*i] + 2, *equals = strchr(word, '='), *value = equals ? equals + 1 : NULL;
    const struct str name = equals ? str_of(word, (size_t)(equals - word)) : str_from_z(word);
    const struct flag_row *row = row_find(name);

    if (!row || !(row->flag & (allowed | FLAG_HELP))) return unknown_flag(name, allowed);
    if (*seen & row->flag) return err_fail(ERR_INVALID_ARGUMENT, "flag --%s is given twice", row->name);
    *seen |= row->flag;
    if (row->type == BOOL && value)
        return err_fail(ERR_INVALID_ARGUMENT, "flag --%s takes no value", row->name);
    if (row->type != BOOL && !value) {
        if (++*i >= argc)
            return err_fail(ERR_INVALID_ARGUMENT, "flag --%s needs a value: --%s %s", row->name, row->name,
                            row->value);
        value = argv[*i];
    }
    if (value && value[0] == '\0') return err_fail(ERR_INVALID_ARGUMENT, "flag --%s is empty", row->name);
    return value_set(row, o, value);
}

struct err options_parse(int argc, char **argv, unsigned allowed, struct options *ret)
{
    struct options o = { .older_than_ms = -1, .keep = -1, .snapshot = -1, .limit = -1 };
    bool is_flags_over = false;
    unsigned seen = 0;

    for (int i = 0; i < argc; i++) {
        if (!is_flags_over && strcmp(argv[i], "--") == 0) {
            is_flags_over = true;
        } else if (!is_flags_over && strcmp(argv[i], "-h") == 0) {
            o.is_help = true;
        } else if (!is_flags_over && strncmp(argv[i], "--", 2) == 0) {
            TRY(take_flag(argc, argv, &i, allowed, &o, &seen));
        } else {
            if (o.word_count == OPTIONS_WORDS_MAX)
                return err_fail(ERR_INVALID_ARGUMENT, "too many words, from '%s' on", argv[i]);
            o.words[o.word_count++] = argv[i];
        }
    }
    *ret = o;
    return OK;
}

bool options_flag(size_t i, struct flag_text *ret)
{
    if (i >= ROW_COUNT) return false;
    *ret = (struct flag_text){ rows[i].name, rows[i].value, rows[i].help, rows[i].flag };
    return true;
}

void options_help(unsigned flags, FILE *out)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (!(rows[i].flag & (flags | FLAG_HELP))) continue;
        const int used = fprintf(out, "  --%s%s%s", rows[i].name, rows[i].value ? " " : "",
                                 rows[i].value ? rows[i].value : "");
        fprintf(out, "%*s%s\n", used < 26 ? 26 - used : 1, "", rows[i].help);
    }
}
