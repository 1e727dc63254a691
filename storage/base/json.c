/*
 * json.c - jansson with checked getters and bounded parsing.
 *
 * jansson's own limit of nesting is 2048, fixed when it was built, and everything that walks a tree later would inherit it. So
 * the text is scanned for its depth before it is parsed: the scan only tells strings from the rest, and leaves every other
 * judgement to the parser.
 */
#include "storage/base/json.h"

#include <string.h>

#include "storage/base/limits.h"

/* Offset of the bracket that opens one level too many; text.len if there is none. */
static size_t too_deep_at(struct str text)
{
    unsigned depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < text.len; i++) {
        const char c = text.data[i];
        if (in_string) {
            if (c == '\\') i++;
            else if (c == '"') in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > LIMIT_JSON_DEPTH) return i;
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return text.len;
}

/* A refusal that says where. */
static struct err refused_at(struct str text, size_t at, const char *why)
{
    size_t line = 1, line_start = 0;

    for (size_t i = 0; i < at; i++) {
        if (text.data[i] != '\n') continue;
        line++;
        line_start = i + 1;
    }
    return err_fail(ERR_INVALID, "not valid JSON: %s, at line %zu column %zu", why, line,
                    at - line_start + 1);
}

struct err json_parse(struct str text, json_t **ret)
{
    if (text.len > LIMIT_JSON_BYTES)
        return err_fail(ERR_TOO_LARGE, "JSON of %zu bytes is larger than the %llu allowed", text.len,
                        LIMIT_JSON_BYTES);
    /* jansson takes a NUL byte behind the value for the end of the text. */
    const size_t nul = str_find_char(text, '\0');
    if (nul < text.len) return refused_at(text, nul, "a NUL byte");
    const size_t deep = too_deep_at(text);
    if (deep < text.len) return refused_at(text, deep, "nested too deep");

    const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL;
    json_error_t e;
    json_t *value = json_loadb(text.len ? text.data : "", text.len, flags, &e);
    if (!value && json_error_code(&e) == json_error_out_of_memory)
        return FAIL(ERR_NO_MEMORY, "out of memory while reading JSON");
    if (!value)
        return err_fail(ERR_INVALID, "not valid JSON: %s, at line %d column %d", e.text, e.line, e.column);
    *ret = value;
    return OK;
}

static int print_to_buf(const char *bytes, size_t len, void *arg)
{
    struct buf *out = arg;

    buf_append(out, bytes, len);
    return out->is_failed ? -1 : 0;
}

struct err json_print(const json_t *value, struct buf *out)
{
    const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17);
    const int failed = json_dump_callback(value, print_to_buf, out, flags);

    TRY(buf_err(out));
    return failed ? FAIL(ERR_NO_MEMORY, "JSON could not be printed") : OK;
}

void json_freep(json_t **value)
{
    json_decref(*value);
    *value = NULL;
}

/* ---- getters ---- */

/* What a member may be, in the words of the error. */
static const char *const type_names[] = {
    [JSON_OBJECT] = "an object",   [JSON_ARRAY] = "an array", [JSON_STRING] = "a string",
    [JSON_INTEGER] = "an integer", [JSON_TRUE] = "a boolean",
};

/* The member if it is there and not null, else NULL. Booleans are asked for as JSON_TRUE. */
static struct err find(const json_t *obj, const char *field, json_type type, json_t **ret)
{
    json_t *value = json_object_get(obj, field);

    if (json_is_null(value)) value = NULL;
    const bool is_right = json_is_boolean(value) ? type == JSON_TRUE : value && json_typeof(value) == type;
    if (value && !is_right) return err_fail(ERR_INVALID, "field '%s' must be %s", field, type_names[type]);
    *ret = value;
    return OK;
}

static struct err need(const json_t *obj, const char *field, json_type type, json_t **ret)
{
    json_t *value;

    TRY(find(obj, field, type, &value));
    if (!value) return err_fail(ERR_INVALID, "field '%s' is missing", field);
    *ret = value;
    return OK;
}

struct err json_need_str(const json_t *obj, const char *field, struct str *ret)
{
    json_t *value;

    TRY(need(obj, field, JSON_STRING, &value));
    *ret = json_str(value);
    return OK;
}

struct err json_want_str(const json_t *obj, const char *field, struct str *ret)
{
    json_t *value;

    TRY(find(obj, field, JSON_STRING, &value));
    if (value) *ret = json_str(value);
    return OK;
}

struct err json_need_i64(const json_t *obj, const char *field, int64_t *ret)
{
    json_t *value;

    TRY(need(obj, field, JSON_INTEGER, &value));
    *ret = json_integer_value(value);
    return OK;
}

struct err json_want_i64(const json_t *obj, const char *field, int64_t *ret)
{
    json_t *value;

    TRY(find(obj, field, JSON_INTEGER, &value));
    if (value) *ret = json_integer_value(value);
    return OK;
}

struct err json_need_bool(const json_t *obj, const char *field, bool *ret)
{
    json_t *value;

    TRY(need(obj, field, JSON_TRUE, &value));
    *ret = json_is_true(value);
    return OK;
}

struct err json_want_bool(const json_t *obj, const char *field, bool *ret)
{
    json_t *value;

    TRY(find(obj, field, JSON_TRUE, &value));
    if (value) *ret = json_is_true(value);
    return OK;
}

struct err json_need_array(const json_t *obj, const char *field, json_t **ret)
{
    return need(obj, field, JSON_ARRAY, ret);
}

struct err json_need_object(const json_t *obj, const char *field, json_t **ret)
{
    return need(obj, field, JSON_OBJECT, ret);
}

static struct err want(const json_t *obj, const char *field, json_type type, json_t **ret)
{
    json_t *value;

    TRY(find(obj, field, type, &value));
    if (value) *ret = value;
    return OK;
}

struct err json_want_array(const json_t *obj, const char *field, json_t **ret)
{
    return want(obj, field, JSON_ARRAY, ret);
}

struct err json_want_object(const json_t *obj, const char *field, json_t **ret)
{
    return want(obj, field, JSON_OBJECT, ret);
}

struct err json_check_properties(const json_t *properties)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)properties, key, value)
    {
        if (!json_is_string(value)) return err_fail(ERR_INVALID, "property '%s' must be a string", key);
    }
    return OK;
}

struct str json_str(const json_t *value)
{
    return json_is_string(value) ? str_of(json_string_value(value), json_string_length(value)) : STR_NONE;
}

json_t *json_of_str(struct str s)
{
    return json_stringn(s.len ? s.data : "", s.len);
}
