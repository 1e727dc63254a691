/*
 * layout.h - what a verb found, printed: aligned columns for people, JSON for programs.
 *
 * The JSON is the model: an array of objects, or one object. A column names a member and how people read it, so both forms say the same.
 */
#ifndef ADMIN_CLI_LAYOUT_H
#define ADMIN_CLI_LAYOUT_H

#include <stdio.h>

#include "storage/base/json.h"

enum column_kind {
    COLUMN_TEXT,   /* a string, or an array of strings joined by ", " */
    COLUMN_NUMBER, /* right-aligned; a string of digits too */
    COLUMN_SIZE,   /* bytes */
    COLUMN_TIME,   /* milliseconds since 1970, or an ISO text */
    COLUMN_BOOL,   /* yes or no */
};

/* Tables of columns end with a row whose field is NULL. A missing or null member is shown as "-". */
struct column {
    const char *field, *title;
    enum column_kind kind;
};

/* Rows under a line of titles; nothing for an empty array but the titles. */
struct err layout_rows(const struct column *columns, const json_t *rows, struct buf *out);

/* "title  value", a line for each column. */
struct err layout_facts(const struct column *columns, const json_t *object, struct buf *out);

/* Indented, with a line feed. */
struct err layout_json(const json_t *value, FILE *out);

#endif
