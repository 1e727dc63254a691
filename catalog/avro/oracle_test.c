/* oracle_test.c - manifests and lists of PyIceberg, and one with foreign names, hold what fastavro reads in them (testdata/oracle/make.py). */
#include "catalog/avro/manifest.h"

#include <stdlib.h>

#include "storage/base/buf.h"
#include "storage/base/limits.h"
#include "storage/base/sysio.h"
#include "tests/unit/test.h"

static const char *const names[] = {
    "list-1-null",      "list-1-deflate",     "list-1-snappy",     "list-1-zstandard",
    "list-2-null",      "list-2-deflate",     "list-2-snappy",     "list-2-zstandard",
    "manifest-1-null",  "manifest-1-deflate", "manifest-1-snappy", "manifest-1-zstandard",
    "manifest-2-null",  "manifest-2-deflate", "manifest-2-snappy", "manifest-2-zstandard",
    "manifest-foreign",
};
#define NAME_COUNT (sizeof(names) / sizeof(names[0]))

static struct str file_of(const char *name, const char *suffix)
{
    char path[256];
    char *data = NULL;
    size_t len = 0;

    (void)snprintf(path, sizeof(path), "catalog/avro/testdata/oracle/%s%s", name, suffix);
    CHECK_OK(sys_read_file(path, 1 * MIB, &data, &len));
    return str_of(data, len);
}

/* ---- printed as testdata/make.py prints what fastavro read ---- */

static void print_file(const struct manifest_file *f, struct buf *out)
{
    const int64_t numbers[] = { f->length,          f->partition_spec_id,   f->content,
                                f->sequence_number, f->min_sequence_number, f->added_snapshot_id,
                                f->added_files,     f->existing_files,      f->deleted_files,
                                f->added_rows,      f->existing_rows,       f->deleted_rows,
                                f->first_row_id };

    buf_str(out, f->path);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        buf_printf(out, "\t%lld", (long long)numbers[i]);
    buf_char(out, '\n');
}

static void print_entry(const struct manifest_entry *e, struct buf *out)
{
    buf_printf(out, "%d\t%lld\t%lld\t%lld\t%d\t%.*s\t%.*s\t%lld\t%lld\t%.*s\t%lld\t%lld\t%lld\n", e->status,
               (long long)e->snapshot_id, (long long)e->sequence_number, (long long)e->file_sequence_number,
               e->content, STR_ARG(e->file_path), STR_ARG(e->file_format), (long long)e->record_count,
               (long long)e->file_size_bytes,
               STR_ARG(e->referenced_data_file.data ? e->referenced_data_file : STR("-")),
               (long long)e->content_offset, (long long)e->content_size, (long long)e->first_row_id);
}

static struct err print_list(struct input in, struct buf *out)
{
    struct manifest_list list;
    struct manifest_file file;

    TRY(manifest_list_open(in, &list));
    while (manifest_list_next(&list, &file)) print_file(&file, out);
    const struct err e = list.err;
    manifest_list_close(&list);
    manifest_list_close(&list);
    return e;
}

static struct err print_manifest(struct input in, struct buf *out)
{
    struct manifest_entry entry;
    struct manifest m;

    TRY(manifest_open(in, &m));
    while (manifest_next(&m, &entry)) print_entry(&entry, out);
    const struct err e = m.err;
    manifest_close(&m);
    manifest_close(&m);
    return e;
}

static struct err print_any(const char *name, struct input in, struct buf *out)
{
    return str_starts(str_from_z(name), STR("list")) ? print_list(in, out) : print_manifest(in, out);
}

TEST(files_of_real_writers_are_read_as_another_reader_reads_them)
{
    for (size_t i = 0; i < NAME_COUNT; i++) {
        const struct str bytes = file_of(names[i], ".avro"), wanted = file_of(names[i], ".txt");
        struct buf out;

        buf_init(&out, 1 * MIB);
        CHECK_OK(print_any(names[i], input_of_bytes(bytes), &out));
        CHECK_STR(buf_view(&out), wanted);
        buf_done(&out);
        free((void *)bytes.data);
        free((void *)wanted.data);
    }
}

struct reads {
    struct str bytes;
    int left; /* reads that succeed */
};

static struct err read_some(void *arg, uint64_t offset, void *out, size_t len)
{
    struct reads *r = arg;

    if (r->left-- == 0) return FAIL(ERR_IO, "the disk");
    CHECK(offset + len <= r->bytes.len);
    memcpy(out, r->bytes.data + offset, len);
    return OK;
}

TEST(a_file_behind_a_reader_is_the_same_file_and_its_failures_come_through)
{
    for (size_t i = 0; i < NAME_COUNT; i++) {
        const struct str bytes = file_of(names[i], ".avro"), wanted = file_of(names[i], ".txt");
        struct reads all = { bytes, -1 }, none = { bytes, 0 };
        struct buf out;

        buf_init(&out, 1 * MIB);
        CHECK_OK(print_any(names[i], input_of_reader(read_some, &all, bytes.len), &out));
        CHECK_STR(buf_view(&out), wanted);
        CHECK_ERR(print_any(names[i], input_of_reader(read_some, &none, bytes.len), &out), ERR_IO);
        buf_done(&out);
        free((void *)bytes.data);
        free((void *)wanted.data);
    }
}
