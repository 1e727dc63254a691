/*
 * manifest.c - the manifest's bytes: a line of JSON, and a line with the CRC32C of the first in hex.
 *
 *   {"format":1,"number":3,"made":1790000000000,"store":"32 hex digits","files":[{"path":"...","file":"...","bytes":1,"mtime-ns":1,"crc32c":1},...]}
 *   e3069283
 */
#include "admin/store/manifest.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/base/digest.h"
#include "storage/base/encode.h"
#include "storage/base/json.h"
#include "storage/base/limits.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"

#define FORMAT 1
#define SUM_BYTES 9 /* the last line: 8 digits and a newline */
#define NAME_MAX_BYTES 200

static int compare_paths(const void *a, const void *b)
{
    return str_cmp(((const struct backup_file *)a)->path, ((const struct backup_file *)b)->path);
}

struct err manifest_add(struct manifest *m, const struct backup_file *file, struct arena *arena)
{
    struct backup_file *files = arena_grow(arena, m->files, m->count, &m->room, sizeof(*files));
    struct backup_file kept = *file;

    kept.path = arena_str(arena, file->path);
    kept.file = arena_str(arena, file->file);
    if (!files || !kept.path.data || !kept.file.data)
        return FAIL(ERR_NO_MEMORY, "no memory for the list of a backup's files");
    m->files = files;
    m->files[m->count++] = kept;
    return OK;
}

void manifest_sort(struct manifest *m)
{
    if (m->count) qsort(m->files, m->count, sizeof(m->files[0]), compare_paths);
}

const struct backup_file *manifest_find(const struct manifest *m, struct str path)
{
    const struct backup_file wanted = { .path = path };

    return m->count ? bsearch(&wanted, m->files, m->count, sizeof(wanted), compare_paths) : NULL;
}

bool manifest_has_file(const struct manifest *m, struct str file)
{
    for (size_t i = 0; i < m->count; i++) {
        if (str_eq(m->files[i].file, file)) return true;
    }
    return false;
}

/* ---- parsing ---- */

static struct err damaged(const char *what)
{
    return err_fail(ERR_CORRUPT, "the manifest of the backup is damaged: %s", what);
}

/* Letters, digits, '.', '_' and '-' in pieces that do not begin with a dot; `slashes` of them at most. */
static bool is_safe(struct str name, size_t slashes)
{
    bool at_start = true;

    if (!name.len || name.len > NAME_MAX_BYTES) return false;
    for (size_t i = 0; i < name.len; i++) {
        const char c = name.data[i];
        const bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
            || c == '_' || c == '-';
        if (c == '/' && (at_start || slashes-- == 0)) return false;
        if (c != '/' && !is_word && (c != '.' || at_start)) return false;
        at_start = c == '/';
    }
    return !at_start;
}

static struct err parse_file(const json_t *json, struct arena *arena, struct manifest *m)
{
    struct backup_file file = { .bytes = 0 };
    int64_t bytes, crc;

    TRY(json_need_str(json, "path", &file.path));
    TRY(json_need_str(json, "file", &file.file));
    TRY(json_need_i64(json, "bytes", &bytes));
    TRY(json_need_i64(json, "mtime-ns", &file.mtime_ns));
    TRY(json_need_i64(json, "crc32c", &crc));
    if (!is_safe(file.path, 2) || !is_safe(file.file, 0))
        return FAIL(ERR_INVALID, "a name that is not of a store");
    if (bytes < 0 || crc < 0 || crc > UINT32_MAX) return FAIL(ERR_INVALID, "a number out of its range");
    file.bytes = (uint64_t)bytes;
    file.crc32c = (uint32_t)crc;
    return manifest_add(m, &file, arena);
}

static struct err parse_json(const json_t *json, struct arena *arena, struct manifest *ret)
{
    struct manifest m = { .number = 0 };
    int64_t format, number;
    struct str store;
    json_t *files;

    TRY(json_need_i64(json, "format", &format));
    if (format != FORMAT) return err_fail(ERR_INVALID, "format %lld is not known", (long long)format);
    TRY(json_need_i64(json, "number", &number));
    TRY(json_need_i64(json, "made", &m.made_ms));
    TRY(json_need_str(json, "store", &store));
    TRY(json_need_array(json, "files", &files));
    if (number < 1 || !hex_from(store, m.store.bytes, sizeof(m.store.bytes)))
        return FAIL(ERR_INVALID, "its number or its store is none");
    m.number = (uint64_t)number;
    for (size_t i = 0; i < json_array_size(files); i++) TRY(parse_file(json_array_get(files, i), arena, &m));
    manifest_sort(&m);
    for (size_t i = 1; i < m.count; i++) {
        if (str_eq(m.files[i - 1].path, m.files[i].path)) return FAIL(ERR_INVALID, "a file is named twice");
    }
    *ret = m;
    return OK;
}

struct err manifest_parse(struct str text, struct arena *arena, struct manifest *ret)
{
    CLEANUP(json_freep) json_t *json = NULL;
    char sum[SUM_BYTES + 1];

    if (text.len < SUM_BYTES + 1) return damaged("it is too short");
    const struct str line = str_slice(text, 0, text.len - SUM_BYTES);
    (void)snprintf(sum, sizeof(sum), "%08x\n", crc32c(0, line.data, line.len));
    if (!str_is(str_from(text, line.len), sum)) return damaged("its checksum is wrong");
    struct err e = json_parse(line, &json);
    if (!e.code) e = parse_json(json, arena, ret);
    if (e.code == ERR_NO_MEMORY) return e;
    return e.code ? damaged(e.why) : OK;
}

/* ---- printing ---- */

static json_t *file_json(const struct backup_file *f)
{
    return json_pack("{s:o, s:o, s:I, s:I, s:I}", "path", json_of_str(f->path), "file", json_of_str(f->file),
                     "bytes", (json_int_t)f->bytes, "mtime-ns", (json_int_t)f->mtime_ns, "crc32c",
                     (json_int_t)f->crc32c);
}

struct err manifest_print(const struct manifest *m, struct buf *out)
{
    char store[2 * sizeof(m->store.bytes) + 1];
    json_t *files = json_array();

    hex_z(m->store.bytes, sizeof(m->store.bytes), store);
    for (size_t i = 0; i < m->count; i++) json_array_append_new(files, file_json(&m->files[i]));
    CLEANUP(json_freep)
    json_t *json = json_pack("{s:i, s:I, s:I, s:s, s:o}", "format", FORMAT, "number", (json_int_t)m->number,
                             "made", (json_int_t)m->made_ms, "store", store, "files", files);
    if (!json || json_array_size(files) != m->count)
        return FAIL(ERR_NO_MEMORY, "no memory for the manifest of a backup");
    TRY(json_print(json, out));
    buf_char(out, '\n');
    const struct str line = buf_view(out);
    buf_printf(out, "%08x\n", crc32c(0, line.data, line.len));
    return buf_err(out);
}

/* ---- of a directory ---- */

struct err manifest_read(const char *dir, struct arena *arena, struct manifest *ret)
{
    char path[PATH_MAX], *data;
    size_t len;

    (void)snprintf(path, sizeof(path), "%s/" MANIFEST_NAME, dir);
    const struct err e = sys_read_file(path, LIMIT_JSON_BYTES, &data, &len);
    if (e.code == ERR_NOT_FOUND) return err_fail(ERR_NOT_FOUND, "there is no whole backup in %s", dir);
    TRY(e);
    const struct err parsed = manifest_parse(str_of(data, len), arena, ret);
    free(data);
    return parsed;
}

struct err manifest_write(const char *dir, const struct manifest *m)
{
    char path[PATH_MAX];
    struct buf text;

    (void)snprintf(path, sizeof(path), "%s/" MANIFEST_NAME, dir);
    buf_init(&text, LIMIT_JSON_BYTES);
    struct err e = manifest_print(m, &text);
    if (!e.code) e = sys_write_file(path, buf_view(&text), 0600);
    buf_done(&text);
    return e;
}
