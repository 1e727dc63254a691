/* Golden files: testdata/make.py wrote them; what they must say is here. Damage: every cut and every changed byte of them. */
#include "catalog/avro/manifest.h"

#include <stdlib.h>

#include "tests/unit/test.h"

static const char *const v2_manifests[] = { "manifest-v2-null",   "manifest-v2-deflate",
                                            "manifest-v2-snappy", "manifest-v2-bzip2",
                                            "manifest-v2-xz",     "manifest-v2-zstandard" };
static const char *const v2_lists[] = { "list-v2-null",  "list-v2-deflate", "list-v2-snappy",
                                        "list-v2-bzip2", "list-v2-xz",      "list-v2-zstandard" };

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The bytes are the test's to free. */
static struct str golden(const char *name)
{
    char path[256];
    struct str bytes;

    (void)snprintf(path, sizeof(path), "catalog/avro/testdata/%s.avro", name);
    FILE *f = fopen(path, "rb");
    if (!f) test_fail(__FILE__, __LINE__, "no file %s", path);
    char *data = malloc(65536);
    bytes = str_of(data, fread(data, 1, 65536, f));
    (void)fclose(f);
    return bytes;
}

static struct err read_range(void *arg, uint64_t offset, void *out, size_t len)
{
    memcpy(out, (const char *)arg + offset, len);
    return OK;
}

static struct err read_fails(void *arg, uint64_t offset, void *out, size_t len)
{
    (void)arg, (void)offset, (void)out, (void)len;
    return FAIL(ERR_IO, "the disk is gone");
}

static void check_v2_manifest(struct input in, int64_t format_version)
{
    struct manifest m;
    struct manifest_entry e;
    char path[64];
    int i = 0;

    CHECK_OK(manifest_open(in, &m));
    CHECK_U64(m.header.format_version, format_version);
    CHECK_U64(m.header.partition_spec_id, 3);
    CHECK_U64(m.header.content, MANIFEST_DATA);
    CHECK(str_contains(m.header.schema, STR("\"region\"")));
    CHECK(str_contains(m.header.partition_spec, STR("identity")));
    for (; manifest_next(&m, &e); i++) {
        (void)snprintf(path, sizeof(path), "s3://b/t/data/%d.parquet", i);
        CHECK_STR(e.file_path, str_from_z(path));
        CHECK_STR(e.file_format, STR("PARQUET"));
        CHECK_U64(e.status, i);
        CHECK_U64(e.snapshot_id, 77);
        CHECK_U64(e.sequence_number, format_version == 1 ? MANIFEST_NONE : 5);
        CHECK_U64(e.content, FILE_DATA);
        CHECK_U64(e.record_count, 10 + i);
        CHECK_U64(e.file_size_bytes, 1000 + i);
        CHECK_U64(e.content_offset, MANIFEST_NONE);
        CHECK(!e.referenced_data_file.data);
    }
    CHECK_OK(m.err);
    CHECK_U64(i, 3);
    manifest_close(&m);
}

TEST(a_manifest_reads_the_same_with_every_codec_and_from_both_inputs)
{
    for (size_t i = 0; i < COUNT(v2_manifests); i++) {
        const struct str bytes = golden(v2_manifests[i]);
        check_v2_manifest(input_of_bytes(bytes), 2);
        check_v2_manifest(input_of_reader(read_range, (void *)bytes.data, bytes.len), 2);
        free((void *)bytes.data);
    }
}

TEST(a_manifest_of_version_1_has_no_sequence_numbers)
{
    const struct str bytes = golden("manifest-v1");

    check_v2_manifest(input_of_bytes(bytes), 1);
    free((void *)bytes.data);
}

TEST(fields_are_found_by_id_whatever_their_names_and_order)
{
    const struct str bytes = golden("manifest-v3");
    struct manifest m;
    struct manifest_entry e;

    CHECK_OK(manifest_open(input_of_bytes(bytes), &m));
    CHECK_U64(m.header.content, MANIFEST_DELETES);
    CHECK_U64(m.header.format_version, 3);
    CHECK(manifest_next(&m, &e));
    CHECK_U64(e.status, MANIFEST_ADDED);
    CHECK_U64(e.content, FILE_POSITION_DELETES);
    CHECK_STR(e.file_path, STR("s3://b/t/data/dv.puffin"));
    CHECK_STR(e.referenced_data_file, STR("s3://b/t/data/0.parquet"));
    CHECK_U64(e.content_offset, 4);
    CHECK_U64(e.content_size, 40);
    CHECK_U64(e.sequence_number, MANIFEST_NONE);
    CHECK_U64(e.first_row_id, MANIFEST_NONE);
    CHECK(!manifest_next(&m, &e));
    CHECK_OK(m.err);
    manifest_close(&m);
    free((void *)bytes.data);
}

static void check_list(const char *name, int64_t manifests, int64_t sequence_number)
{
    const struct str bytes = golden(name);
    struct manifest_list list;
    struct manifest_file file;
    int64_t count = 0;

    CHECK_OK(manifest_list_open(input_of_bytes(bytes), &list));
    for (; manifest_list_next(&list, &file); count++) {
        CHECK_STR(file.path, STR("s3://b/t/metadata/m0.avro"));
        CHECK_U64(file.length, 4321);
        CHECK_U64(file.partition_spec_id, 3);
        CHECK_U64(file.content, MANIFEST_DATA);
        CHECK_U64(file.sequence_number, sequence_number);
        CHECK_U64(file.added_snapshot_id, 77);
        CHECK_U64(file.added_files, 1);
        CHECK_U64(file.existing_files, 1);
        CHECK_U64(file.deleted_files, 1);
        CHECK_U64(file.existing_rows, 10);
        CHECK_U64(file.added_rows, 11);
        CHECK_U64(file.deleted_rows, 12);
        CHECK_U64(file.first_row_id, MANIFEST_NONE);
    }
    CHECK_OK(list.err);
    CHECK_U64(count, manifests);
    manifest_list_close(&list);
    free((void *)bytes.data);
}

TEST(a_manifest_list_reads_the_same_with_every_codec)
{
    for (size_t i = 0; i < COUNT(v2_lists); i++) check_list(v2_lists[i], 2, 9);
}

TEST(a_manifest_list_of_version_1_has_defaults)
{
    check_list("list-v1", 1, 0);
}

TEST(a_manifest_is_no_manifest_list_nor_the_other_way_round)
{
    const struct str manifest = golden("manifest-v2-null"), list = golden("list-v2-null");
    struct manifest m;
    struct manifest_list l;

    CHECK_ERR(manifest_open(input_of_bytes(list), &m), ERR_INVALID);
    CHECK_ERR(manifest_list_open(input_of_bytes(manifest), &l), ERR_INVALID);
    free((void *)manifest.data);
    free((void *)list.data);
}

TEST(an_error_of_the_reader_is_passed_on)
{
    struct manifest m;

    CHECK_ERR(manifest_open(input_of_reader(read_fails, NULL, 100), &m), ERR_IO);
}

static struct err read_all(struct input in, int64_t *ret_entries)
{
    struct manifest m;
    struct manifest_entry e;
    int64_t entries = 0;

    TRY(manifest_open(in, &m));
    while (manifest_next(&m, &e)) entries++;
    const struct err err = m.err;
    manifest_close(&m);
    *ret_entries = entries;
    return err;
}

/* PyIceberg writes an entry a block: so a file that is cut between blocks is a good one, and any other is not. */
TEST(a_file_that_is_cut_is_refused_unless_between_blocks)
{
    for (size_t i = 0; i < COUNT(v2_manifests); i++) {
        const struct str bytes = golden(v2_manifests[i]);
        int64_t entries, whole = 0;
        for (size_t len = 0; len < bytes.len; len++) {
            char *copy = malloc(len + 1); /* of its exact length, so that the sanitizer sees a step too far */
            copy = realloc(memcpy(copy, bytes.data, len), len ? len : 1);
            const struct err e = read_all(input_of_bytes(str_of(copy, len)), &entries);
            if (!e.code) CHECK_U64(entries, whole++);
            else CHECK_U64(e.code, ERR_CORRUPT);
            free(copy);
        }
        CHECK_U64(whole, 3);
        free((void *)bytes.data);
    }
}

TEST(a_file_with_a_changed_byte_reads_or_is_refused)
{
    for (size_t i = 0; i < COUNT(v2_manifests); i++) {
        const struct str bytes = golden(v2_manifests[i]);
        int64_t entries = 0;
        for (size_t at = 0; at < bytes.len; at++) {
            ((char *)bytes.data)[at] ^= 0x41;
            const struct err e = read_all(input_of_bytes(bytes), &entries);
            CHECK(!e.code || e.why);
            CHECK(e.code || entries <= 3);
            ((char *)bytes.data)[at] ^= 0x41;
        }
        CHECK_OK(read_all(input_of_bytes(bytes), &entries));
        free((void *)bytes.data);
    }
}
