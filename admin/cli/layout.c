/*
 * layout.c - columns.
 *
 * Two passes over the rows: widths, then lines. A cell is made twice rather than kept: listings of a million names would hold it all.
 */
#include "admin/cli/layout.h"

#include "admin/cli/format.h"
#include "storage/base/clock.h"
#include "storage/base/limits.h"

#define COLUMNS_MAX 12
#define LIMIT_CELL (64 * KIB) /* a property's text; longer ones are cut */

static void time_cell(const json_t *value, struct buf *out)
{
    int64_t ms;

    if (json_is_integer(value)) time_to(out, json_integer_value(value));
    else if (clock_parse(json_str(value), &ms)) time_to(out, ms);
    else text_to(out, json_str(value));
}

static void text_cell(const json_t *value, struct buf *out)
{
    const json_t *piece;
    size_t i;

    if (json_is_integer(value)) buf_i64(out, json_integer_value(value));
    text_to(out, json_str(value));
    if (!json_is_array(value)) return;
    json_array_foreach((json_t *)value, i, piece)
    {
        if (i) buf_z(out, ", ");
        text_to(out, json_str(piece));
    }
}

/* The cell's text, in a buf that is cleared first. */
static struct str cell(const struct column *column, const json_t *row, struct buf *out)
{
    const json_t *value = json_object_get(row, column->field);
    uint64_t bytes = 0;

    buf_clear(out);
    switch (value && !json_is_null(value) ? column->kind : COLUMN_TEXT) {
    case COLUMN_TEXT:
    case COLUMN_NUMBER: text_cell(value, out); break;
    case COLUMN_TIME: time_cell(value, out); break;
    case COLUMN_BOOL: buf_z(out, json_is_true(value) ? "yes" : "no"); break;
    case COLUMN_SIZE:
        if (json_is_integer(value)) bytes = (uint64_t)json_integer_value(value);
        if (json_is_integer(value) || str_to_u64(json_str(value), &bytes)) size_to(out, bytes);
        break;
    }
    if (out->len == 0) buf_char(out, '-');
    return buf_view(out);
}

static bool is_right_aligned(const struct column *column)
{
    return column->kind == COLUMN_NUMBER || column->kind == COLUMN_SIZE;
}

static void pad(struct buf *out, size_t count)
{
    for (size_t i = 0; i < count; i++) buf_char(out, ' ');
}

static void put_cell(const struct column *column, struct str text, size_t width, struct buf *out)
{
    const size_t have = text_width(text), gap = width > have ? width - have : 0;

    if (is_right_aligned(column)) pad(out, gap);
    buf_str(out, text);
    if (column[1].field) pad(out, (is_right_aligned(column) ? 0 : gap) + 2);
}

static void measure(const struct column *columns, const json_t *rows, size_t *widths, struct buf *scratch)
{
    const json_t *row;
    size_t i;

    for (size_t c = 0; columns[c].field; c++) widths[c] = text_width(str_from_z(columns[c].title));
    json_array_foreach((json_t *)rows, i, row)
    {
        for (size_t c = 0; columns[c].field; c++) {
            const size_t width = text_width(cell(&columns[c], row, scratch));
            if (width > widths[c]) widths[c] = width;
        }
    }
}

struct err layout_rows(const struct column *columns, const json_t *rows, struct buf *out)
{
    size_t widths[COLUMNS_MAX], i;
    const json_t *row;
    struct buf scratch;

    buf_init(&scratch, LIMIT_CELL);
    measure(columns, rows, widths, &scratch);
    for (size_t c = 0; columns[c].field; c++)
        put_cell(&columns[c], str_from_z(columns[c].title), widths[c], out);
    buf_char(out, '\n');
    json_array_foreach((json_t *)rows, i, row)
    {
        for (size_t c = 0; columns[c].field; c++)
            put_cell(&columns[c], cell(&columns[c], row, &scratch), widths[c], out);
        buf_char(out, '\n');
    }
    buf_done(&scratch);
    return buf_err(out);
}

struct err layout_facts(const struct column *columns, const json_t *object, struct buf *out)
{
    size_t width = 0;
    struct buf scratch;

    for (size_t c = 0; columns[c].field; c++) {
        const size_t have = text_width(str_from_z(columns[c].title));
        if (have > width) width = have;
    }
    buf_init(&scratch, LIMIT_CELL);
    for (size_t c = 0; columns[c].field; c++) {
        buf_z(out, columns[c].title);
        pad(out, width - text_width(str_from_z(columns[c].title)) + 2);
        buf_str(out, cell(&columns[c], object, &scratch));
        buf_char(out, '\n');
    }
    buf_done(&scratch);
    return buf_err(out);
}

struct err layout_json(const json_t *value, FILE *out)
{
    if (json_dumpf(value, out, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)) != 0
        || fputc('\n', out) == EOF)
        return FAIL(ERR_IO, "the output cannot be written");
    return OK;
}
