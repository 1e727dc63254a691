/*
 * manifest_list.c - reading a snapshot's manifest list.
 *
 * The table says what is taken and where it goes; the rest is the meaning: what a missing number stands for, and which values
 * cannot be. A count that is negative is taken as not said, since nothing is decided by it; a length or a spec that is negative is damage.
 */
#include "catalog/avro/manifest_list.h"

#include "catalog/avro/record_reader.h"

/* A record as it is written: the numbers that become enums are still numbers. */
struct raw {
    struct manifest_file file;
    int64_t content;
};

#define AT(field) offsetof(struct raw, field)

static const struct want wants[] = {
    { 500, WANT_ROOT, WANT_STRING, true, AT(file.path), "manifest_path" },
    { 501, WANT_ROOT, WANT_NUMBER, true, AT(file.length), "manifest_length" },
    { 502, WANT_ROOT, WANT_NUMBER, true, AT(file.partition_spec_id), "partition_spec_id" },
    { 503, WANT_ROOT, WANT_NUMBER, false, AT(file.added_snapshot_id), "added_snapshot_id" },
    { 504, WANT_ROOT, WANT_NUMBER, false, AT(file.added_files), "added_files_count" },
    { 505, WANT_ROOT, WANT_NUMBER, false, AT(file.existing_files), "existing_files_count" },
    { 506, WANT_ROOT, WANT_NUMBER, false, AT(file.deleted_files), "deleted_files_count" },
    { 512, WANT_ROOT, WANT_NUMBER, false, AT(file.added_rows), "added_rows_count" },
    { 513, WANT_ROOT, WANT_NUMBER, false, AT(file.existing_rows), "existing_rows_count" },
    { 514, WANT_ROOT, WANT_NUMBER, false, AT(file.deleted_rows), "deleted_rows_count" },
    { 515, WANT_ROOT, WANT_NUMBER, false, AT(file.sequence_number), "sequence_number" },
    { 516, WANT_ROOT, WANT_NUMBER, false, AT(file.min_sequence_number), "min_sequence_number" },
    { 517, WANT_ROOT, WANT_NUMBER, false, AT(content), "content" },
    { 520, WANT_ROOT, WANT_NUMBER, false, AT(file.first_row_id), "first_row_id" },
};

/* What is not written. */
static const struct raw missing = {
    .file = { .added_snapshot_id = MANIFEST_NONE,
              .added_files = MANIFEST_NONE,
              .existing_files = MANIFEST_NONE,
              .deleted_files = MANIFEST_NONE,
              .added_rows = MANIFEST_NONE,
              .existing_rows = MANIFEST_NONE,
              .deleted_rows = MANIFEST_NONE,
              .first_row_id = MANIFEST_NONE },
    .content = MANIFEST_DATA,
};

struct err manifest_list_open(struct input in, struct manifest_list *ret)
{
    struct manifest_list list = { .err = OK };

    TRY(avro_reader_open(in, wants, sizeof(wants) / sizeof(wants[0]), &list.reader));
    *ret = list;
    return OK;
}

static void forget_negative(int64_t *count)
{
    if (*count < 0) *count = MANIFEST_NONE;
}

/* NULL: what is written can be so. */
static const char *what_is_wrong(const struct raw *raw)
{
    if (raw->file.path.len == 0) return "a manifest has an empty path";
    if (raw->file.length < 0) return "a manifest has a negative length";
    if (raw->file.partition_spec_id < 0) return "a manifest has a negative partition spec id";
    if (raw->content != MANIFEST_DATA && raw->content != MANIFEST_DELETES)
        return "a manifest's content is neither data (0) nor deletes (1)";
    return NULL;
}

static struct err next(struct manifest_list *list, struct manifest_file *ret, bool *ret_is_end)
{
    struct raw raw = missing;

    TRY(avro_reader_next(list->reader, &raw, ret_is_end));
    if (*ret_is_end) return OK;
    const char *wrong = what_is_wrong(&raw);
    if (wrong) return avro_reader_fail(list->reader, ERR_CORRUPT, wrong);
    int64_t *const counts[] = { &raw.file.added_files, &raw.file.existing_files, &raw.file.deleted_files,
                                &raw.file.added_rows,  &raw.file.existing_rows,  &raw.file.deleted_rows,
                                &raw.file.first_row_id };
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) forget_negative(counts[i]);
    raw.file.content = (enum manifest_content)raw.content;
    *ret = raw.file;
    return OK;
}

bool manifest_list_next(struct manifest_list *list, struct manifest_file *ret)
{
    bool is_end = true;

    if (list->err.code) return false;
    list->err = next(list, ret, &is_end);
    return !list->err.code && !is_end;
}

void manifest_list_close(struct manifest_list *list)
{
    list->reader = avro_reader_close(list->reader);
}
