/*
 * recover_test.c - torn tails, damage, and recoveries that are cut short: surgery on the files of a closed store.
 *
 * A patient is a store of which the files are kept in memory. Every case lays them out in a new directory, changes bytes, and opens.
 */
#include "storage/meta/recover.h"

#include <stdlib.h>

#include "storage/base/limits.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "tests/unit/test.h"

#define BATCHES 6

struct file {
    char name[64];
    char *data;
    size_t len;
};

struct patient {
    struct file rows, segment;
    uint64_t offsets[BATCHES + 1]; /* where each batch of the segment begins; the last: the end */
};

static struct meta_options options_of(const char *dir)
{
    return (struct meta_options){
        .dir = dir, .segment_bytes = 256 * KIB, .disk_floor_bytes = MIB, .is_checkpoint_manual = true
    };
}

static struct err put_row(struct txn *txn, void *arg)
{
    const struct str key = str_from_z(arg);
    char value[3000]; /* batches of several blocks */

    memset(value, key.data[1], sizeof(value));
    return txn_put(txn, SPACE_OBJECTS, key, str_of(value, sizeof(value)));
}

static bool has_row(struct meta *m, const char *key)
{
    CLEANUP(view_closep) struct rows *view = NULL;
    struct err e;

    CHECK_OK(view_open(m, &view));
    const bool has_it = rows_have(view, SPACE_OBJECTS, str_from_z(key), &e);
    CHECK_OK(e);
    return has_it;
}

static void path_to(char out[600], const char *dir, const char *name)
{
    snprintf(out, 600, "%s/%s", dir, name);
}

static void file_read(struct file *f, const char *dir, const char *name)
{
    char path[600];

    snprintf(f->name, sizeof(f->name), "%s", name);
    path_to(path, dir, name);
    CHECK_OK(sys_read_file(path, 64 * MIB, &f->data, &f->len));
}

static void file_write(const struct file *f, const char *dir)
{
    char path[600];

    path_to(path, dir, f->name);
    CHECK_OK(sys_write_file(path, str_of(f->data, f->len), 0600));
}

static void offsets_find(struct patient *p)
{
    struct segment_header s;
    struct batch_header b;
    const uint8_t *data = (const uint8_t *)p->segment.data;
    uint64_t at = JOURNAL_BLOCK;

    CHECK(segment_header_decode(data, &s));
    for (int i = 0; i < BATCHES; i++) {
        p->offsets[i] = at;
        CHECK(batch_header_decode(data + at, s.salt, s.id, &b));
        at += batch_span(b.bytes);
    }
    p->offsets[BATCHES] = at;
}

/* Rows k0, k1, ... one batch each, all in segment 1. */
static struct patient patient_new(void)
{
    struct patient p = { 0 };
    struct meta *m;
    const char *dir = test_dir();
    char key[16];
    const struct meta_options options = options_of(dir);

    CHECK_OK(meta_open(&options, &m));
    for (int i = 0; i < BATCHES; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        CHECK_OK(meta_run(m, put_row, key));
    }
    meta_close(m);
    file_read(&p.rows, dir, "rows/data.mdb");
    file_read(&p.segment, dir, "journal/00000001.seg");
    offsets_find(&p);
    return p;
}

static void patient_done(struct patient *p)
{
    free(p->rows.data);
    free(p->segment.data);
}

static const char *laid_out(const struct patient *p)
{
    char path[600];
    const char *dir = test_dir();

    path_to(path, dir, "rows");
    CHECK_OK(sys_mkdir(path, 0700));
    path_to(path, dir, "journal");
    CHECK_OK(sys_mkdir(path, 0700));
    file_write(&p->rows, dir);
    file_write(&p->segment, dir);
    return dir;
}

/* Open what is in dir: rows k0 up to (excluding) k`rows` are there, and no more; and it goes on from there. */
static void check_opens_with(const char *dir, int rows)
{
    struct meta *m;
    char key[16];
    const struct meta_options options = options_of(dir);

    for (int round = 0; round < 2; round++) {
        CHECK_OK(meta_open(&options, &m));
        for (int i = 0; i < BATCHES; i++) {
            snprintf(key, sizeof(key), "k%d", i);
            CHECK(has_row(m, key) == (i < rows));
        }
        CHECK(has_row(m, "more") == (round > 0));
        CHECK_OK(meta_run(m, put_row, "more"));
        meta_close(m);
    }
}

static void check_corrupt(const char *dir)
{
    struct meta *m;
    const struct meta_options options = options_of(dir);
    struct file before = { 0 }, after = { 0 };

    file_read(&before, dir, "journal/00000001.seg");
    const struct err e = meta_open(&options, &m);
    CHECK_U64(e.code, ERR_CORRUPT);
    CHECK(strstr(e.why, "00000001.seg") != NULL);
    file_read(&after, dir, "journal/00000001.seg");
    CHECK(before.len == after.len && !memcmp(before.data, after.data, before.len));
    free(before.data);
    free(after.data);
}

TEST(a_last_batch_cut_at_any_place_is_a_torn_tail)
{
    CLEANUP(patient_done) struct patient p = patient_new();
    const uint64_t start = p.offsets[BATCHES - 1], end = p.offsets[BATCHES];
    char *whole = malloc(p.segment.len);
    memcpy(whole, p.segment.data, p.segment.len);

    for (uint64_t at = start; at < end - JOURNAL_BLOCK; at += at < start + 80 ? 16 : 377) {
        memset(p.segment.data + at, 0, end - at); /* as of a segment of zeros */
        check_opens_with(laid_out(&p), BATCHES - 1);
        memset(p.segment.data + at, 0x5a, p.segment.len - at); /* as of blocks with anything in them */
        check_opens_with(laid_out(&p), BATCHES - 1);
        memcpy(p.segment.data, whole, p.segment.len);
    }
    p.segment.len = end - 700; /* the file itself ends early */
    check_opens_with(laid_out(&p), BATCHES - 1);
    p.segment.len = end;
    check_opens_with(laid_out(&p), BATCHES);
    free(whole);
}

TEST(a_last_batch_without_any_one_of_its_blocks_is_a_torn_tail)
{
    CLEANUP(patient_done) struct patient p = patient_new();
    char block[JOURNAL_BLOCK];

    for (uint64_t at = p.offsets[BATCHES - 1]; at < p.offsets[BATCHES]; at += JOURNAL_BLOCK) {
        memcpy(block, p.segment.data + at, sizeof(block));
        memset(p.segment.data + at, 0, sizeof(block));
        check_opens_with(laid_out(&p), BATCHES - 1);
        memcpy(p.segment.data + at, block, sizeof(block));
    }
    check_opens_with(laid_out(&p), BATCHES);
}

TEST(a_damaged_batch_before_a_whole_one_is_told_and_nothing_is_changed)
{
    CLEANUP(patient_done) struct patient p = patient_new();

    for (int i = 0; i < BATCHES - 1; i++) {
        const uint64_t places[] = { p.offsets[i] + 1, p.offsets[i] + 40, p.offsets[i] + 200,
                                    p.offsets[i] + 2000 };
        for (size_t n = 0; n < sizeof(places) / sizeof(places[0]); n++) {
            p.segment.data[places[n]] ^= 4;
            check_corrupt(laid_out(&p));
            p.segment.data[places[n]] ^= 4;
        }
    }
    check_opens_with(laid_out(&p), BATCHES);
}

TEST(a_missing_batch_is_told)
{
    CLEANUP(patient_done) struct patient p = patient_new();
    const uint64_t cut = p.offsets[3] - p.offsets[2];

    memmove(p.segment.data + p.offsets[2], p.segment.data + p.offsets[3], p.segment.len - p.offsets[3]);
    p.segment.len -= cut;
    check_corrupt(laid_out(&p));
}

TEST(a_damaged_segment_header_is_told)
{
    CLEANUP(patient_done) struct patient p = patient_new();

    for (size_t i = 0; i < SEGMENT_HEADER_BYTES; i += 3) {
        p.segment.data[i] ^= 1;
        check_corrupt(laid_out(&p));
        p.segment.data[i] ^= 1;
    }
}

TEST(a_segment_without_its_rows_is_told)
{
    CLEANUP(patient_done) struct patient p = patient_new();
    const char *dir = laid_out(&p);
    char path[600];
    struct meta *m;
    const struct meta_options options = options_of(dir);

    path_to(path, dir, "rows/data.mdb");
    CHECK_OK(sys_unlink(path));
    CHECK_ERR(meta_open(&options, &m), ERR_CORRUPT);
    CHECK_ERR(meta_open(&options, &m), ERR_CORRUPT);
    path_to(path, dir, "elsewhere");
    char rows[600];
    path_to(rows, dir, "rows");
    CHECK_OK(sys_rename(rows, path));
    CHECK_ERR(meta_open(&options, &m), ERR_CORRUPT);
}

TEST(a_file_that_was_being_made_is_removed)
{
    CLEANUP(patient_done) struct patient p = patient_new();
    const char *dir = laid_out(&p);
    struct file half = { .name = "journal/00000002.seg", .data = calloc(1, 5000), .len = 5000 };
    char path[600];
    struct stat st;

    file_write(&half, dir);
    path_to(path, dir, half.name);
    check_opens_with(dir, BATCHES);
    CHECK_ERR(sys_stat(path, &st), ERR_NOT_FOUND);
    free(half.data);
}

TEST(a_file_that_is_no_segment_is_told)
{
    CLEANUP(patient_done) struct patient p = patient_new();
    const char *dir = laid_out(&p);
    struct file other = { .name = "journal/notes.txt", .data = calloc(1, 5), .len = 5 };
    struct meta *m;
    const struct meta_options options = options_of(dir);

    file_write(&other, dir);
    CHECK_ERR(meta_open(&options, &m), ERR_CORRUPT);
    free(other.data);
}

TEST(a_store_that_was_being_made_is_made_again)
{
    const char *dir = test_dir();
    char path[600];
    struct file half = { .name = "rows.new/data.mdb", .data = calloc(1, 5000), .len = 5000 };
    struct meta *m;
    const struct meta_options options = options_of(dir);

    path_to(path, dir, "rows.new");
    CHECK_OK(sys_mkdir(path, 0700));
    file_write(&half, dir);
    CHECK_OK(meta_open(&options, &m));
    CHECK_OK(meta_run(m, put_row, "k0"));
    meta_close(m);
    free(half.data);
}

/* The position of a checkpoint, then its segment is lost. */
TEST(a_segment_lost_behind_a_checkpoint_is_told)
{
    const char *dir = test_dir();
    const struct meta_options options = options_of(dir);
    char path[600];
    struct meta *m;

    CHECK_OK(meta_open(&options, &m));
    CHECK_OK(meta_run(m, put_row, "k0"));
    CHECK_OK(meta_checkpoint(m));
    CHECK_OK(meta_run(m, put_row, "k1"));
    meta_close(m);
    path_to(path, dir, "journal/00000001.seg");
    CHECK_OK(sys_unlink(path));
    CHECK_ERR(meta_open(&options, &m), ERR_CORRUPT);
}

/* Recovery is stopped at every one of its calls, then at every call of the next one, and so on: the end is the same. */
TEST(a_recovery_that_is_stopped_anywhere_can_be_done_again)
{
    CLEANUP(patient_done) struct patient p = patient_new();
    const uint64_t end = p.offsets[BATCHES];
    bool struck = true;

    memset(p.segment.data + end - 600, 0, 600); /* torn */
    const char *same = laid_out(&p);
    for (uint64_t n = 0; struck; n++) {
        const char *dir = laid_out(&p);
        const char *both[] = { dir, same };
        for (int i = 0; i < 2; i++) {
            const struct meta_options options = options_of(both[i]);
            struct meta *m = NULL;
            fault_arm_stop(n);
            const struct err e = meta_open(&options, &m);
            meta_close(m);
            struck = fault_disarm();
            CHECK(struck || !e.code);
        }
        check_opens_with(dir, BATCHES - 1);
    }
    check_opens_with(same, BATCHES - 1);
}
