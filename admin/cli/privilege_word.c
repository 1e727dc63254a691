/*
 * privilege_word.c - the table of SQL's words, and the grammar around them.
 */
#include "admin/cli/privilege_word.h"

#include "admin/cli/suggest.h"

#define ROW_PRIVILEGES 8

static const char *const kinds[SECURABLE_COUNT] = {
    [ON_CATALOG] = "catalog", [ON_NAMESPACE] = "namespace", [ON_TABLE] = "table", [ON_VIEW] = "view"
};

/* What a word means on each kind; an empty list: it means nothing there. Listing is included, so that what may be read is also seen. */
static const struct {
    const char *word;
    const char *privileges[SECURABLE_COUNT][ROW_PRIVILEGES];
} sugar[] = {
    { "select",
      { [ON_CATALOG] = { "TABLE_READ_DATA", "TABLE_LIST", "VIEW_READ_PROPERTIES", "VIEW_LIST",
                         "NAMESPACE_READ_PROPERTIES", "NAMESPACE_LIST" },
        [ON_NAMESPACE] = { "TABLE_READ_DATA", "TABLE_LIST", "VIEW_READ_PROPERTIES", "VIEW_LIST",
                           "NAMESPACE_READ_PROPERTIES", "NAMESPACE_LIST" },
        [ON_TABLE] = { "TABLE_READ_DATA", "TABLE_LIST" },
        [ON_VIEW] = { "VIEW_READ_PROPERTIES", "VIEW_LIST" } } },
    { "insert",
      { [ON_CATALOG] = { "TABLE_WRITE_DATA", "TABLE_LIST", "NAMESPACE_LIST" },
        [ON_NAMESPACE] = { "TABLE_WRITE_DATA", "TABLE_LIST", "NAMESPACE_LIST" },
        [ON_TABLE] = { "TABLE_WRITE_DATA", "TABLE_LIST" } } },
    { "update",
      { [ON_CATALOG] = { "TABLE_WRITE_DATA", "TABLE_LIST", "NAMESPACE_LIST" },
        [ON_NAMESPACE] = { "TABLE_WRITE_DATA", "TABLE_LIST", "NAMESPACE_LIST" },
        [ON_TABLE] = { "TABLE_WRITE_DATA", "TABLE_LIST" } } },
    { "delete",
      { [ON_CATALOG] = { "TABLE_WRITE_DATA", "TABLE_LIST", "NAMESPACE_LIST" },
        [ON_NAMESPACE] = { "TABLE_WRITE_DATA", "TABLE_LIST", "NAMESPACE_LIST" },
        [ON_TABLE] = { "TABLE_WRITE_DATA", "TABLE_LIST" } } },
    { "create",
      { [ON_CATALOG] = { "NAMESPACE_CREATE", "TABLE_CREATE", "VIEW_CREATE" },
        [ON_NAMESPACE] = { "NAMESPACE_CREATE", "TABLE_CREATE", "VIEW_CREATE" } } },
    { "drop",
      { [ON_CATALOG] = { "NAMESPACE_DROP", "TABLE_DROP", "VIEW_DROP" },
        [ON_NAMESPACE] = { "NAMESPACE_DROP", "TABLE_DROP", "VIEW_DROP" },
        [ON_TABLE] = { "TABLE_DROP" },
        [ON_VIEW] = { "VIEW_DROP" } } },
    { "all",
      { [ON_CATALOG] = { "CATALOG_MANAGE_CONTENT" },
        [ON_NAMESPACE] = { "NAMESPACE_FULL_METADATA", "TABLE_FULL_METADATA", "TABLE_WRITE_DATA",
                           "VIEW_FULL_METADATA" },
        [ON_TABLE] = { "TABLE_FULL_METADATA", "TABLE_WRITE_DATA" },
        [ON_VIEW] = { "VIEW_FULL_METADATA" } } },
};
#define SUGAR_COUNT (sizeof(sugar) / sizeof(sugar[0]))

const char *securable_name(enum securable on)
{
    return kinds[on];
}

static struct err kind_parse(const char *word, enum securable *ret)
{
    struct suggestion s = suggest_for(str_from_z(word));

    for (int i = 0; i < SECURABLE_COUNT; i++) {
        suggest_offer(&s, kinds[i]);
        if (!str_is_nocase(str_from_z(word), kinds[i])) continue;
        *ret = (enum securable)i;
        return OK;
    }
    return err_fail(ERR_INVALID_ARGUMENT, "'%s' must be one of catalog, namespace, table, view%s%s%s", word,
                    s.best ? "; did you mean " : "", s.best ? s.best : "", s.best ? "?" : "");
}

static struct err privilege_add(struct grant_words *g, struct str name)
{
    for (size_t i = 0; i < g->count; i++) {
        if (str_eq(g->privileges[i], name)) return OK; /* select and insert both list */
    }
    if (g->count == PRIVILEGES_MAX) return FAIL(ERR_INVALID_ARGUMENT, "too many privileges in one command");
    g->privileges[g->count++] = name;
    return OK;
}

/* In the spelling of the enumeration: upper case, with underscores. */
static struct err privilege_name(struct str word, struct arena *arena, struct str *ret)
{
    char *name = arena_z(arena, word);

    if (!name) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    for (size_t i = 0; i < word.len; i++) {
        if (name[i] >= 'a' && name[i] <= 'z') name[i] = (char)(name[i] - 'a' + 'A');
        if (name[i] == '-') name[i] = '_';
        if (name[i] != '_' && (name[i] < 'A' || name[i] > 'Z'))
            return err_fail(ERR_INVALID_ARGUMENT, "'%.*s' is not a privilege", STR_ARG(word));
    }
    *ret = str_of(name, word.len);
    return OK;
}

static struct err take_privilege(struct grant_words *g, struct str word, struct arena *arena)
{
    struct suggestion s = suggest_for(word);
    struct str name;

    for (size_t i = 0; i < SUGAR_COUNT; i++) {
        suggest_offer(&s, sugar[i].word);
        if (!str_is_nocase(word, sugar[i].word)) continue;
        const char *const *list = sugar[i].privileges[g->on];
        if (!list[0])
            return err_fail(ERR_INVALID_ARGUMENT, "'%.*s' means nothing on a %s", STR_ARG(word),
                            kinds[g->on]);
        for (size_t j = 0; j < ROW_PRIVILEGES && list[j]; j++) TRY(privilege_add(g, str_from_z(list[j])));
        return OK;
    }
    TRY(privilege_name(word, arena, &name));
    if (word.len == 0 || str_find_char(name, '_') == name.len)
        return err_fail(ERR_INVALID_ARGUMENT, "'%.*s' is not a privilege%s%s%s", STR_ARG(word),
                        s.best ? "; did you mean " : "", s.best ? s.best : "", s.best ? "?" : "");
    return privilege_add(g, name);
}

static struct err need_word(const char *word, const char *wanted, const char *behind)
{
    if (!word) return err_fail(ERR_INVALID_ARGUMENT, "'%s' is missing behind '%s'", wanted, behind);
    if (str_is_nocase(str_from_z(word), wanted)) return OK;
    return err_fail(ERR_INVALID_ARGUMENT, "'%s' stands where '%s' must", word, wanted);
}

struct err grant_words_parse(const char *const *words, const char *preposition, struct arena *arena,
                             struct grant_words *ret)
{
    struct grant_words g = { .object = NULL };
    const char *const *next = words + 2; /* behind "PRIVILEGES on" */
    struct str word;

    if (!words[0]) return FAIL(ERR_INVALID_ARGUMENT, "a privilege is missing");
    TRY(need_word(words[1], "on", words[0]));
    if (!*next)
        return FAIL(ERR_INVALID_ARGUMENT, "'catalog', 'namespace', 'table' or 'view' is missing behind 'on'");
    TRY(kind_parse(*next++, &g.on));
    if (g.on != ON_CATALOG && !*next)
        return err_fail(ERR_INVALID_ARGUMENT, "the name of the %s is missing", kinds[g.on]);
    if (*next && (g.on != ON_CATALOG || !str_is_nocase(str_from_z(*next), preposition))) g.object = *next++;
    TRY(need_word(*next, preposition, next[-1]));
    g.role = *++next;
    if (!g.role) return err_fail(ERR_INVALID_ARGUMENT, "a role is missing behind '%s'", preposition);
    if (next[1]) return err_fail(ERR_INVALID_ARGUMENT, "'%s' is one word too many", next[1]);
    for (struct str_split it = str_split_on(str_from_z(words[0]), ','); str_split_next(&it, &word);)
        TRY(take_privilege(&g, str_trim(word), arena));
    *ret = g;
    return OK;
}
