/*
 * segment.c - the set of the journal's files: making, finding, reading and pinning. What lives in them is counted in segment_live.c.
 *
 * Why one lock and not sharded counts: whoever reads or pins a body has to find its segment in a table that changes, and
 * comes from a view, which took three such locks. Nothing is done under it but looking up and counting; files are
 * opened, read and unlinked outside.
 */
#include "storage/meta/segment.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/base/digest.h"
#include "storage/base/encode.h"
#include "storage/base/ids.h"
#include "storage/base/limits.h"
#include "storage/base/metrics.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"
#include "storage/meta/segment_set.h"

#define ZERO_STEP (1 * MIB) /* written and flushed at once: a commit's flush never waits behind more */
#define NAME_DIGITS 8
#define NAME_LENGTH (NAME_DIGITS + 4)

/* ---- the table ---- */

size_t segments_index_of(const struct segment_set *s, uint32_t id)
{
    size_t low = 0, high = s->count;

    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (s->entries[middle].id < id) low = middle + 1;
        else high = middle;
    }
    return low;
}

struct segment_entry *segments_find_locked(struct segment_set *s, uint32_t id)
{
    assert(mutex_is_held(&s->lock));
    const size_t i = segments_index_of(s, id);
    return i < s->count && s->entries[i].id == id ? &s->entries[i] : NULL;
}

/* Room for two more, so that adding one that was made cannot fail (there is at most one made and not added). */
static struct err reserve_locked(struct segment_set *s)
{
    if (s->count + 2 <= s->size) return OK;
    const size_t size = s->size ? 2 * s->size : 64;
    struct segment_entry *more = realloc(s->entries, size * sizeof(*more));
    if (!more) return FAIL(ERR_NO_MEMORY, "no memory for the table of segments");
    s->entries = more;
    s->size = size;
    return OK;
}

static void add_locked(struct segment_set *s, uint32_t id, uint64_t bytes, int fd)
{
    const size_t i = segments_index_of(s, id);

    assert(s->count < s->size && (i == s->count || s->entries[i].id != id));
    memmove(&s->entries[i + 1], &s->entries[i], (s->count - i) * sizeof(s->entries[0]));
    s->entries[i] = (struct segment_entry){
        .live = { .id = id },
        .frozen = { .id = id },
        .bytes = bytes,
        .id = id,
        .fd = fd,
        .is_changed = true,
    };
    s->count++;
    if (id > s->id_max) s->id_max = id;
    METRIC_ADD(journal_live_bytes, bytes);
}

void segments_remove_locked(struct segment_set *s, struct segment_entry *e)
{
    METRIC_ADD(journal_live_bytes, -(int64_t)e->bytes);
    if (e->fd >= 0 && !e->is_written_to) s->open_files--;
    sys_close(e->fd);
    memmove(e, e + 1, (size_t)(s->entries + s->count - (e + 1)) * sizeof(*e));
    s->count--;
}

/* ---- opening ---- */

void segments_path(const struct segment_set *s, uint32_t id, char out[SEGMENT_PATH_MAX])
{
    (void)snprintf(out, SEGMENT_PATH_MAX, "%s/%08x.seg", s->dir, id);
}

void segments_spare_path(const struct segment_set *s, uint32_t id, char out[SEGMENT_PATH_MAX])
{
    (void)snprintf(out, SEGMENT_PATH_MAX, "%s/%08x.old", s->dir, id);
}

static bool id_from_name(const char *name, const char *suffix, uint32_t *ret)
{
    uint8_t bytes[4];

    if (strlen(name) != NAME_LENGTH || strcmp(name + NAME_DIGITS, suffix) != 0) return false;
    if (!hex_from(str_of(name, NAME_DIGITS), bytes, sizeof(bytes))) return false;
    *ret = get_be32(bytes);
    return *ret != 0;
}

bool segment_id_from(const char *name, uint32_t *ret)
{
    return id_from_name(name, ".seg", ret);
}

static struct err add_file(void *arg, const char *name)
{
    struct segment_set *s = arg;
    char path[SEGMENT_PATH_MAX];
    struct stat st;
    uint32_t id;

    if (id_from_name(name, ".old", &id)) { /* for a next segment that the process did not live to make */
        segments_spare_path(s, id, path);
        return sys_unlink(path);
    }
    if (!segment_id_from(name, &id))
        return err_fail(ERR_CORRUPT, "%s/%s is not a segment of a journal", s->dir, name);
    segments_path(s, id, path);
    TRY(sys_stat(path, &st));
    mutex_lock(&s->lock);
    const struct err e = reserve_locked(s);
    if (!e.code) add_locked(s, id, (uint64_t)st.st_size, -1);
    mutex_unlock(&s->lock);
    return e;
}

struct err segments_open(const char *dir, const uint8_t journal_id[16], uint64_t segment_bytes,
                         struct segment_set **ret)
{
    struct segment_set *s = calloc(1, sizeof(*s));
    if (!s) return FAIL(ERR_NO_MEMORY, "no memory for the set of segments");
    mutex_init(&s->lock, LOCK_JOURNAL);
    s->segment_bytes = segment_bytes;
    memcpy(s->journal_id, journal_id, sizeof(s->journal_id));
    struct err e = FAIL(ERR_INVALID, "the directory's path is too long");
    if (snprintf(s->dir, sizeof(s->dir), "%s", dir) < (int)sizeof(s->dir)) e = sys_list_dir(dir, add_file, s);
    if (e.code) {
        segments_close(s);
        return e;
    }
    *ret = s;
    return OK;
}

struct segment_set *segments_close(struct segment_set *s)
{
    if (!s) return NULL;
    for (size_t i = 0; i < s->count; i++) {
        METRIC_ADD(journal_live_bytes, -(int64_t)s->entries[i].bytes);
        sys_close(s->entries[i].fd);
    }
    mutex_done(&s->lock);
    free(s->entries);
    free(s);
    return NULL;
}

const uint8_t *segments_journal_id(const struct segment_set *s)
{
    return s->journal_id;
}

uint64_t segments_bytes_each(const struct segment_set *s)
{
    return s->segment_bytes;
}

/* The id that a segment made next may have. */
static uint32_t next_id(struct segment_set *s)
{
    mutex_lock(&s->lock);
    const uint32_t id = ++s->id_max;
    mutex_unlock(&s->lock);
    assert(id); /* 2^32 segments of 64 MiB: not in this life */
    return id;
}

bool segments_find(struct segment_set *s, uint32_t id, uint32_t *ret)
{
    mutex_lock(&s->lock);
    const size_t i = segments_index_of(s, id);
    const bool has_one = i < s->count;
    if (has_one) *ret = s->entries[i].id;
    mutex_unlock(&s->lock);
    return has_one;
}

/* ---- making and removing files ---- */

static struct err write_zeros(int fd, uint64_t bytes, const atomic_bool *is_stopping)
{
    uint8_t *zeros = calloc(1, ZERO_STEP);
    if (!zeros) return FAIL(ERR_NO_MEMORY, "no memory for zeros");

    struct err e = OK;
    for (uint64_t at = 0; at < bytes && !e.code; at += ZERO_STEP) {
        const uint64_t step = bytes - at < ZERO_STEP ? bytes - at : ZERO_STEP;
        e = atomic_load(is_stopping) ? FAIL(ERR_CLOSED, "closing") : sys_pwrite_all(fd, zeros, step, at);
        if (!e.code) e = sys_fdatasync(fd);
    }
    free(zeros);
    return e;
}

static struct err write_header(struct segment_set *s, const struct segment *made)
{
    uint8_t block[JOURNAL_BLOCK] = { 0 };
    struct segment_header h = { .id = made->id, .salt = made->salt, .bytes = made->bytes };

    memcpy(h.journal_id, s->journal_id, sizeof(h.journal_id));
    segment_header_encode(&h, block);
    TRY(sys_pwrite_all(made->fd, block, sizeof(block), 0));
    return sys_fsync(made->fd);
}

static struct err fill(struct segment_set *s, struct segment *made, bool is_zeroed,
                       const atomic_bool *is_stopping)
{
    TRY(sys_fallocate(made->fd, 0, 0, made->bytes));
    if (is_zeroed) TRY(write_zeros(made->fd, made->bytes, is_stopping));
    TRY(write_header(s, made));
    return sys_sync_dir(s->dir);
}

/* ---- files that are written over ---- */

bool segments_take_spare(struct segment_set *s, uint32_t *ret)
{
    mutex_lock(&s->lock);
    const bool has_one = s->spare_count > 0;
    if (has_one) *ret = s->spares[--s->spare_count];
    mutex_unlock(&s->lock);
    return has_one;
}

/* A file never has the name of one segment and the header of another: it has lost its old name, durably, before the new header is written, which is durable before it gets its new one. */
static struct err write_over(struct segment_set *s, const char *spare, const char *path, struct segment *made)
{
    TRY(sys_open(spare, O_RDWR, 0, &made->fd));
    TRY(sys_sync_dir(s->dir));
    TRY(write_header(s, made));
    TRY(sys_rename(spare, path));
    return sys_sync_dir(s->dir);
}

/* False: there is no spare file, or it is of no use. */
static bool reuse(struct segment_set *s, const char *path, struct segment *made)
{
    char spare[SEGMENT_PATH_MAX];
    uint32_t id = 0;

    if (made->bytes != s->segment_bytes || !segments_take_spare(s, &id)) return false;
    segments_spare_path(s, id, spare);
    if (!write_over(s, spare, path, made).code) {
        METRIC_ADD(journal_segments_reused, 1);
        return true;
    }
    sys_close(made->fd);
    made->fd = -1;
    err_ignore(sys_unlink(spare));
    err_ignore(sys_unlink(path));
    return false;
}

static struct err make(struct segment_set *s, const char *path, bool is_zeroed,
                       const atomic_bool *is_stopping, struct segment *made)
{
    TRY(sys_open(path, O_RDWR | O_CREAT | O_EXCL, 0600, &made->fd));
    const struct err e = fill(s, made, is_zeroed, is_stopping);
    if (!e.code) return OK;
    sys_close(made->fd); /* what cannot be removed now has no batches, and goes at the next start */
    err_ignore(sys_unlink(path));
    return e;
}

struct err segments_create(struct segment_set *s, uint64_t bytes, bool is_zeroed,
                           const atomic_bool *is_stopping, struct segment *ret)
{
    char path[SEGMENT_PATH_MAX];
    struct segment made = { .bytes = bytes, .id = next_id(s), .fd = -1 };

    mutex_lock(&s->lock);
    const struct err reserved = reserve_locked(s);
    mutex_unlock(&s->lock);
    TRY(reserved);
    segments_path(s, made.id, path);
    ids_random(&made.salt, sizeof(made.salt));
    if (!is_zeroed || !reuse(s, path, &made)) TRY(make(s, path, is_zeroed, is_stopping, &made));
    *ret = made;
    return OK;
}

void segments_add(struct segment_set *s, const struct segment *made)
{
    mutex_lock(&s->lock);
    add_locked(s, made->id, made->bytes, made->fd);
    segments_find_locked(s, made->id)->is_written_to = true;
    mutex_unlock(&s->lock);
}

struct err segments_remove(struct segment_set *s, uint32_t id)
{
    char path[SEGMENT_PATH_MAX];

    segments_path(s, id, path);
    TRY(sys_unlink_if_there(path));
    mutex_lock(&s->lock);
    struct segment_entry *entry = segments_find_locked(s, id);
    if (entry) segments_remove_locked(s, entry);
    mutex_unlock(&s->lock);
    return OK;
}

struct err segments_sync_dir(struct segment_set *s)
{
    return sys_sync_dir(s->dir);
}

void segments_set_bytes(struct segment_set *s, uint32_t id, uint64_t bytes)
{
    mutex_lock(&s->lock);
    struct segment_entry *e = segments_find_locked(s, id);
    if (e) {
        METRIC_ADD(journal_live_bytes, (int64_t)(bytes - e->bytes));
        e->bytes = bytes;
    }
    mutex_unlock(&s->lock);
}

/* ---- reading and pins ---- */

/* Close the file that was not read for the longest time, when too many are open. */
static void close_one_locked(struct segment_set *s)
{
    struct segment_entry *oldest = NULL;

    for (size_t i = 0; i < s->count; i++) {
        struct segment_entry *e = &s->entries[i];
        if (e->fd < 0 || e->is_written_to || e->users) continue;
        if (!oldest || e->used_at < oldest->used_at) oldest = e;
    }
    if (!oldest) return;
    sys_close(oldest->fd);
    oldest->fd = -1;
    s->open_files--;
}

void segments_retire(struct segment_set *s, uint32_t id)
{
    mutex_lock(&s->lock);
    if (s->open_files >= LIMIT_SEGMENT_FILES) close_one_locked(s);
    struct segment_entry *e = segments_find_locked(s, id);
    assert(e && e->is_written_to);
    e->is_written_to = false;
    e->used_at = ++s->uses;
    s->open_files++;
    mutex_unlock(&s->lock);
}

/* Keep fd as the segment's, unless another thread was first or the segment is gone. */
static void keep_fd(struct segment_set *s, uint32_t id, int fd)
{
    mutex_lock(&s->lock);
    struct segment_entry *e = segments_find_locked(s, id);
    if (e && e->fd < 0) {
        if (s->open_files >= LIMIT_SEGMENT_FILES) close_one_locked(s);
        e->fd = fd;
        e->used_at = ++s->uses;
        s->open_files++;
        fd = -1;
    }
    mutex_unlock(&s->lock);
    sys_close(fd);
}

/* The segment's descriptor, which stays open until use_end. ERR_CORRUPT: there is no such segment. */
static struct err use_begin(struct segment_set *s, uint32_t id, int *ret_fd)
{
    char path[SEGMENT_PATH_MAX];
    bool is_known = true;
    int fd = -1;

    for (;;) {
        mutex_lock(&s->lock);
        struct segment_entry *e = segments_find_locked(s, id);
        is_known = e != NULL;
        if (e && e->fd >= 0) {
            e->users++;
            e->used_at = ++s->uses;
            *ret_fd = e->fd;
        }
        const bool is_open = e && e->fd >= 0;
        mutex_unlock(&s->lock);
        if (is_open) return OK;
        segments_path(s, id, path);
        if (!is_known) return err_fail(ERR_CORRUPT, "%s: a body's segment is not there", path);
        const struct err opened = sys_open(path, O_RDONLY, 0, &fd);
        if (opened.code == ERR_NOT_FOUND) return FAIL(ERR_CORRUPT, opened.why);
        TRY(opened);
        keep_fd(s, id, fd);
    }
}

static void use_end(struct segment_set *s, uint32_t id)
{
    mutex_lock(&s->lock);
    struct segment_entry *e = segments_find_locked(s, id);
    assert(e && e->users); /* S2: what is used is not removed */
    e->users--;
    mutex_unlock(&s->lock);
}

struct err segments_read(struct segment_set *s, struct place p, void *out)
{
    int fd = -1;

    TRY(use_begin(s, p.segment_id, &fd));
    struct err e = sys_pread_all(fd, out, p.length, p.offset);
    use_end(s, p.segment_id);
    TRY(e);
    if (crc32c(0, out, p.length) != p.crc32c) {
        return err_fail(ERR_CORRUPT, "segment %08x: the body of %u bytes at %llu is damaged", p.segment_id,
                        p.length, (unsigned long long)p.offset);
    }
    return OK;
}

static bool is_dead(struct segment_set *s, uint32_t id)
{
    mutex_lock(&s->lock);
    const struct segment_entry *e = segments_find_locked(s, id);
    const bool is_it = !e || e->is_dead;
    mutex_unlock(&s->lock);
    return is_it;
}

struct err segments_read_bytes(struct segment_set *s, uint32_t id, uint64_t offset, void *out, size_t len,
                               size_t *ret_len)
{
    int fd = -1;

    *ret_len = 0;
    struct err e = use_begin(s, id, &fd);
    if (e.code && is_dead(s, id)) return FAIL(ERR_NOT_FOUND, "the segment is gone");
    TRY(e);
    for (size_t n = 1; !e.code && n && *ret_len < len; *ret_len += n)
        e = sys_pread(fd, (char *)out + *ret_len, len - *ret_len, offset + *ret_len, &n);
    use_end(s, id);
    return e;
}

void segments_pin(struct segment_set *s, struct place p)
{
    mutex_lock(&s->lock);
    struct segment_entry *e = segments_find_locked(s, p.segment_id);
    if (e) e->pins++; /* a segment that is lost stays so: reading says it */
    mutex_unlock(&s->lock);
}

void segments_unpin(struct segment_set *s, struct place p)
{
    mutex_lock(&s->lock);
    struct segment_entry *e = segments_find_locked(s, p.segment_id);
    assert(!e || e->pins);
    if (e) e->pins--;
    mutex_unlock(&s->lock);
}
