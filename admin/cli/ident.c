/*
 * ident.c - names with dots and quotes.
 */
#include "admin/cli/ident.h"

#include "storage/base/encode.h"
#include "storage/base/limits.h"

/* *text begins with a quote. The level goes to the arena, *text behind the closing quote. */
static struct err quoted_level(struct str *text, struct arena *arena, struct str *ret)
{
    char *level = arena_alloc(arena, text->len);
    size_t len = 0;

    if (!level) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    for (size_t i = 1; i < text->len; i++) {
        if (text->data[i] != '"') {
            level[len++] = text->data[i];
        } else if (i + 1 < text->len && text->data[i + 1] == '"') {
            level[len++] = '"';
            i++;
        } else {
            *ret = str_of(level, len);
            *text = str_from(*text, i + 1);
            return OK;
        }
    }
    return FAIL(ERR_INVALID_ARGUMENT, "a quote is not closed");
}

static struct err level_next(struct str *text, struct arena *arena, struct str *ret)
{
    if (text->len && text->data[0] == '"') return quoted_level(text, arena, ret);
    const size_t end = str_find_char(*text, '.');
    *ret = str_slice(*text, 0, end);
    *text = str_from(*text, end);
    return OK;
}

struct err ident_parse(struct str text, struct arena *arena, struct ident *ret)
{
    const struct str whole = text;
    struct ident ident = { .count = 0 };

    for (;;) {
        struct str level;
        TRY(level_next(&text, arena, &level));
        if (level.len == 0)
            return err_fail(ERR_INVALID_ARGUMENT, "'%.*s': a level of the name is empty", STR_ARG(whole));
        if (ident.count == IDENT_LEVELS_MAX)
            return err_fail(ERR_INVALID_ARGUMENT, "'%.*s' has too many levels", STR_ARG(whole));
        ident.levels[ident.count++] = level;
        if (text.len == 0) break;
        if (text.data[0] != '.')
            return err_fail(ERR_INVALID_ARGUMENT, "'%.*s': a dot must stand behind a closing quote",
                            STR_ARG(whole));
        text = str_from(text, 1);
    }
    *ret = ident;
    return OK;
}

static void level_to(struct buf *out, struct str level)
{
    if (level.len && str_find_char(level, '.') == level.len && str_find_char(level, '"') == level.len) {
        buf_str(out, level);
        return;
    }
    buf_char(out, '"');
    for (size_t i = 0; i < level.len; i++) {
        if (level.data[i] == '"') buf_char(out, '"');
        buf_char(out, level.data[i]);
    }
    buf_char(out, '"');
}

static struct str taken(struct buf *b, struct arena *arena)
{
    const struct str text = buf_err(b).code == ERR_OK ? arena_str(arena, buf_view(b)) : STR_NONE;

    buf_done(b);
    return text;
}

struct str ident_print(const json_t *levels, struct str table, struct arena *arena)
{
    const json_t *level;
    struct buf out;
    size_t i;

    buf_init(&out, 64 * KIB);
    json_array_foreach((json_t *)levels, i, level)
    {
        if (i) buf_char(&out, '.');
        level_to(&out, json_str(level));
    }
    if (table.len) {
        buf_char(&out, '.');
        level_to(&out, table);
    }
    return taken(&out, arena);
}

json_t *ident_to_json(const struct ident *ident)
{
    json_t *levels = json_array();

    for (size_t i = 0; i < ident->count; i++) json_array_append_new(levels, json_of_str(ident->levels[i]));
    return levels;
}

struct str ident_to_path(const struct ident *ident, struct arena *arena)
{
    struct buf out;

    buf_init(&out, 64 * KIB);
    for (size_t i = 0; i < ident->count; i++) {
        if (i) buf_z(&out, "%1F");
        percent_to(&out, ident->levels[i], "");
    }
    return taken(&out, arena);
}
