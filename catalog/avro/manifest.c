/*
 * manifest.c - reading a manifest: which files it names.
 *
 * As manifest_list.c; an entry's fields lie in two records, the entry (fields 0 to 4) and its data_file (field 2). Lengths and counts that others
 * compute with are checked here, so that they can be relied upon; where a deletion vector lies is held against the length of its file.
 */
#include "catalog/avro/manifest.h"

#include "catalog/avro/record_reader.h"

#define DATA_FILE 2
#define FORMAT_VERSION_MAX 3

struct raw {
    struct manifest_entry entry;
    int64_t status, content;
};

#define AT(field) offsetof(struct raw, field)

static const struct want wants[] = {
    { 0, WANT_ROOT, WANT_NUMBER, true, AT(status), "status" },
    { 1, WANT_ROOT, WANT_NUMBER, false, AT(entry.snapshot_id), "snapshot_id" },
    { 3, WANT_ROOT, WANT_NUMBER, false, AT(entry.sequence_number), "sequence_number" },
    { 4, WANT_ROOT, WANT_NUMBER, false, AT(entry.file_sequence_number), "file_sequence_number" },
    { DATA_FILE, WANT_ROOT, WANT_RECORD, true, 0, "data_file" },
    { 100, DATA_FILE, WANT_STRING, true, AT(entry.file_path), "file_path" },
    { 101, DATA_FILE, WANT_STRING, true, AT(entry.file_format), "file_format" },
    { 103, DATA_FILE, WANT_NUMBER, true, AT(entry.record_count), "record_count" },
    { 104, DATA_FILE, WANT_NUMBER, true, AT(entry.file_size_bytes), "file_size_in_bytes" },
    { 134, DATA_FILE, WANT_NUMBER, false, AT(content), "content" },
    { 142, DATA_FILE, WANT_NUMBER, false, AT(entry.first_row_id), "first_row_id" },
    { 143, DATA_FILE, WANT_STRING, false, AT(entry.referenced_data_file), "referenced_data_file" },
    { 144, DATA_FILE, WANT_NUMBER, false, AT(entry.content_offset), "content_offset" },
    { 145, DATA_FILE, WANT_NUMBER, false, AT(entry.content_size), "content_size_in_bytes" },
};

/* What is not written. */
static const struct raw missing = {
    .entry = { .snapshot_id = MANIFEST_NONE,
               .sequence_number = MANIFEST_NONE,
               .file_sequence_number = MANIFEST_NONE,
               .content_offset = MANIFEST_NONE,
               .content_size = MANIFEST_NONE,
               .first_row_id = MANIFEST_NONE },
    .content = FILE_DATA,
};

/* ---- header ---- */

/* A number that the header has as text; if it is missing, *ret stays. */
static struct err header_number(const struct avro_reader *r, const char *key, int64_t *ret)
{
    struct str text;

    if (!avro_reader_meta(r, key, &text)) return OK;
    if (str_to_i64(text, ret) && *ret >= 0) return OK;
    return err_fail(ERR_INVALID, "the header's '%s' is '%.32s', not a number", key, text.data);
}

static struct err header_content(const struct avro_reader *r, enum manifest_content *ret)
{
    struct str text;

    if (!avro_reader_meta(r, "content", &text) || str_is(text, "data")) {
        *ret = MANIFEST_DATA;
    } else if (str_is(text, "deletes")) {
        *ret = MANIFEST_DELETES;
    } else {
        return err_fail(ERR_INVALID, "the header's 'content' is '%.32s', neither data nor deletes",
                        text.data);
    }
    return OK;
}

static struct err read_header(const struct avro_reader *r, struct manifest_header *ret)
{
    struct manifest_header header = { .format_version = 1 };

    (void)avro_reader_meta(r, "schema", &header.schema);
    (void)avro_reader_meta(r, "partition-spec", &header.partition_spec);
    TRY(header_number(r, "partition-spec-id", &header.partition_spec_id));
    TRY(header_number(r, "format-version", &header.format_version));
    TRY(header_content(r, &header.content));
    if (header.format_version < 1 || header.format_version > FORMAT_VERSION_MAX)
        return err_fail(ERR_UNSUPPORTED, "format version %lld of a manifest is not one that is read here",
                        (long long)header.format_version);
    *ret = header;
    return OK;
}

struct err manifest_open(struct input in, struct manifest *ret)
{
    struct manifest m = { .err = OK };

    TRY(avro_reader_open(in, wants, sizeof(wants) / sizeof(wants[0]), &m.reader));
    const struct err e = read_header(m.reader, &m.header);
    if (e.code) {
        manifest_close(&m);
        return e;
    }
    *ret = m;
    return OK;
}

/* ---- entries ---- */

/* A deletion vector is a piece of its file. */
static bool is_piece(const struct manifest_entry *e)
{
    if (e->content_offset == MANIFEST_NONE && e->content_size == MANIFEST_NONE) return true;
    return e->content_offset >= 0 && e->content_size >= 0 && e->content_offset <= e->file_size_bytes
        && e->content_size <= e->file_size_bytes - e->content_offset;
}

/* NULL: what is written can be so. */
static const char *what_is_wrong(const struct raw *raw)
{
    const struct manifest_entry *e = &raw->entry;

    if (raw->status < MANIFEST_EXISTING || raw->status > MANIFEST_DELETED)
        return "an entry's status is not existing (0), added (1) or deleted (2)";
    if (raw->content < FILE_DATA || raw->content > FILE_EQUALITY_DELETES)
        return "a file's content is not data (0), position deletes (1) or equality deletes (2)";
    if (e->file_path.len == 0) return "a file has an empty path";
    if (e->record_count < 0) return "a file has a negative record count";
    if (e->file_size_bytes < 0) return "a file has a negative size";
    if (!is_piece(e)) return "a deletion vector does not lie inside its file";
    return NULL;
}

static struct err next(struct manifest *m, struct manifest_entry *ret, bool *ret_is_end)
{
    struct raw raw = missing;

    TRY(avro_reader_next(m->reader, &raw, ret_is_end));
    if (*ret_is_end) return OK;
    const char *wrong = what_is_wrong(&raw);
    if (wrong) return avro_reader_fail(m->reader, ERR_CORRUPT, wrong);
    raw.entry.status = (enum manifest_status)raw.status;
    raw.entry.content = (enum file_content)raw.content;
    if (raw.entry.first_row_id < 0) raw.entry.first_row_id = MANIFEST_NONE;
    *ret = raw.entry;
    return OK;
}

bool manifest_next(struct manifest *m, struct manifest_entry *ret)
{
    bool is_end = true;

    if (m->err.code) return false;
    m->err = next(m, ret, &is_end);
    return !m->err.code && !is_end;
}

void manifest_close(struct manifest *m)
{
    m->reader = avro_reader_close(m->reader);
}
