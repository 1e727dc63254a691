/*
 * log.c - one line an event, one write(2) a line.
 *
 * A line is built on the stack and is at most PIPE_BUF bytes: a pipe takes that much whole or not at all, and
 * a file's own lock keeps writes apart, so lines of many threads and processes never mix and there is no lock
 * here. What does not fit is cut: a value ends early inside its quotes, later fields are missing, and "..."
 * ends the line. In JSON the line ends with "cut":true instead, and is a whole object all the same.
 *
 * Text values are always quoted. Inside, what could end the quotes, the line, or fool a terminal is escaped:
 * " and \ with \, control characters as \n \r \t or \xHH, and so is every byte that is not part of valid
 * UTF-8. Numbers are bare. In JSON it is \u00HH for both: a byte that is not UTF-8 reads as the character of its number.
 *
 * A line that cannot be written is dropped: there is nobody to tell. It goes past sysio.c because a fault
 * there would be a fault in telling of it.
 */
#include "storage/base/log.h"

#include <inttypes.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "storage/base/clock.h"

#define LINE_SIZE PIPE_BUF
#define LINE_TAIL 24 /* kept free for what ends a cut line: quote, "..." or ,"cut":true}, newline */

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

static _Atomic int level_now = LOG_LEVEL_INFO;
static atomic_bool is_json_now;

struct line {
    size_t len;
    bool is_cut, is_json;
    char data[LINE_SIZE];
};

/* Put the piece whole, or mark the line as cut; after that it takes nothing more. */
static void line_put(struct line *line, const char *piece, size_t len)
{
    if (line->is_cut || line->len + len > LINE_SIZE - LINE_TAIL) {
        line->is_cut = true;
        return;
    }
    memcpy(line->data + line->len, piece, len);
    line->len += len;
}

static void line_put_z(struct line *line, const char *z)
{
    line_put(line, z, strlen(z));
}

/* In the tail, for which there is always room. */
static void line_end_put(struct line *line, const char *z)
{
    memcpy(line->data + line->len, z, strlen(z));
    line->len += strlen(z);
}

/* The bytes of the valid, harmless character that begins s; 0: its first byte must be escaped. */
static size_t plain_len(struct str s)
{
    const unsigned char first = (unsigned char)s.data[0];
    const size_t len = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

    if (len == 1) return first >= 0x20 && first != 0x7f && first != '"' && first != '\\';
    if (len > s.len || !str_is_utf8(str_of(s.data, len))) return 0;
    /* U+0080..U+009F are control characters; U+2028 and U+2029 begin a new line for some viewers. */
    if (first == 0xc2 && (unsigned char)s.data[1] < 0xa0) return 0;
    if (len == 3 && (!memcmp(s.data, "\xe2\x80\xa8", 3) || !memcmp(s.data, "\xe2\x80\xa9", 3))) return 0;
    return len;
}

static void line_put_escaped(struct line *line, char c)
{
    static const char from[] = "\"\\\n\r\t", to[] = "\"\\nrt";
    const char *at = c ? strchr(from, c) : NULL;
    char text[8];

    if (at) {
        (void)snprintf(text, sizeof(text), "\\%c", to[at - from]);
    } else {
        (void)snprintf(text, sizeof(text), line->is_json ? "\\u%04x" : "\\x%02x", (unsigned)(unsigned char)c);
    }
    line_put_z(line, text);
}

static void line_put_quoted(struct line *line, struct str s)
{
    line_put_z(line, "\"");
    if (line->is_cut) return;
    while (s.len && !line->is_cut) {
        const size_t len = plain_len(s);
        if (len) {
            line_put(line, s.data, len);
        } else {
            line_put_escaped(line, s.data[0]);
        }
        s = str_from(s, len ? len : 1);
    }
    line_put_z(line, "\"");
    if (line->is_cut) line_end_put(line, "\"");
}

static void line_put_field(struct line *line, const struct log_field *field)
{
    char number[24] = "";

    line_put_z(line, line->is_json ? ",\"" : " ");
    line_put_z(line, field->name);
    line_put_z(line, line->is_json ? "\":" : "=");
    switch (field->type) {
    case LOG_FIELD_U64: (void)snprintf(number, sizeof(number), "%" PRIu64, field->number); break;
    case LOG_FIELD_I64: (void)snprintf(number, sizeof(number), "%" PRId64, (int64_t)field->number); break;
    case LOG_FIELD_STR: line_put_quoted(line, field->text); return;
    }
    line_put_z(line, number);
}

static void line_begin(struct line *line, enum log_level level, const char *message)
{
    char time[CLOCK_ISO_SIZE];

    clock_iso(clock_now_ms(), time);
    line_put_z(line, line->is_json ? "{\"time\":\"" : "");
    line_put_z(line, time);
    line_put_z(line, line->is_json ? "\",\"level\":\"" : " ");
    line_put_z(line, level_names[level]);
    line_put_z(line, line->is_json ? "\",\"message\":" : " ");
    if (line->is_json) line_put_quoted(line, str_from_z(message));
    else line_put_z(line, message);
}

/* A field is whole, or its text ends early (line_put_quoted ends the quotes), or it is not there. */
static void line_put_whole_field(struct line *line, const struct log_field *field)
{
    const size_t before = line->len;
    const size_t room_for_name = strlen(field->name) + 32; /* and for a number behind it */

    if (before + room_for_name > LINE_SIZE - LINE_TAIL) line->is_cut = true;
    else line_put_field(line, field);
}

static void line_end(struct line *line)
{
    if (line->is_cut) line_end_put(line, line->is_json ? ",\"cut\":true" : "...");
    line_end_put(line, line->is_json ? "}\n" : "\n");
}

void log_event(enum log_level level, const char *message, const struct log_field *fields, int count)
{
    struct line line;

    line.len = 0;
    line.is_cut = false;
    line.is_json = atomic_load_explicit(&is_json_now, memory_order_relaxed);
    line_begin(&line, level, message);
    for (int i = 0; i < count && !line.is_cut; i++) line_put_whole_field(&line, &fields[i]);
    line_end(&line);

    const ssize_t written = write(STDERR_FILENO, line.data, line.len);
    (void)written;
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&level_now, (int)level, memory_order_relaxed);
}

void log_set_json(bool is_json)
{
    atomic_store_explicit(&is_json_now, is_json, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
    return (enum log_level)atomic_load_explicit(&level_now, memory_order_relaxed);
}

bool log_level_from(struct str name, enum log_level *ret)
{
    for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
        if (!str_is(name, level_names[i])) continue;
        *ret = (enum log_level)i;
        return true;
    }
    return false;
}
