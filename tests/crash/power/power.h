/*
 * power.h - proof by power cut: a store at work is recorded call by call; from the record, images are built of what a disk may hold after the power went at any point; each is opened,
 * and must have all that was acknowledged.
 *
 *   record.c   stands before libc's calls: what is done to files below one directory, in one order, with the marks of who works there
 *   disk.c     the record as a disk: what is durable, what is not yet, and images of it
 *   work.c     the store at work: writers whose operations are marked before they begin and when they were answered
 *   state.c    what a slot (a key, an upload, two tables) is to hold, and what it holds
 *   check.c    one image: opened, compared, checked, written to, opened again
 *   main.c     rounds of lives: each life begins on an image that the one before left, so recoveries are recorded and cut off too
 *
 * All of it is one program; what is forked records, or checks.
 */
#ifndef TESTS_CRASH_POWER_POWER_H
#define TESTS_CRASH_POWER_POWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- the record ---- */

enum event_kind {
    EVENT_BASE_DIR = 1, /* what was there at the beginning, and durable: id, in other; name */
    EVENT_BASE_FILE,    /* the same; length of the name in offset, the content behind it */
    EVENT_CREATE,       /* id, in other; name */
    EVENT_MKDIR,        /* the same */
    EVENT_WRITE,        /* offset, bytes */
    EVENT_WRITE_SYNCED, /* by a descriptor with O_DSYNC */
    EVENT_ZERO,         /* offset, length in other */
    EVENT_SIZE,         /* ftruncate: the new size in offset */
    EVENT_EXTEND,       /* fallocate: at least this size */
    EVENT_RENAME,       /* id: the directory it was in, other: the one it goes to; "from\0to" */
    EVENT_UNLINK,       /* id: the directory; name */
    EVENT_SYNC_BEGIN,   /* id; other: a number */
    EVENT_SYNC_END,     /* id; other: the same number; offset: 1 if metadata went too (fsync) */
    EVENT_MARK,         /* struct mark */
    EVENT_KILL,         /* the process was killed, and the next one goes on with the same files */
};

struct event {
    uint32_t kind, len; /* of the bytes behind it */
    uint64_t id;        /* of a file or directory: not of its name */
    uint64_t offset, other;
};

/* What a slot holds; all zeros: nothing. */
struct value {
    uint64_t word[4];
};

enum mark_kind { MARK_BEGIN = 1, MARK_END, MARK_KNOWN };

struct mark {
    uint32_t kind, slot;
    struct value value; /* BEGIN: if it goes well; KNOWN: what it holds, for sure */
};

/* Before any process records: what they share. */
void record_prepare(void);
/* From here on calls that change files below dir go to the log. Once in a process, before it has threads. goes_on: after a process that was killed, and with what it had not synced. */
void record_begin(const char *dir, const char *log, bool goes_on);
/* As kill -9: between two calls. */
_Noreturn void record_die(void);
void record_mark(enum mark_kind kind, uint32_t slot, struct value value);
/* From here on fsync and fdatasync do nothing: an image is thrown away anyway. */
void record_ignore_syncs(void);

/* ---- the disk ---- */

struct disk;
struct disk *disk_new(void);
void disk_free(struct disk *d);
/* One event of the log, whose bytes stay where they are. */
void disk_apply(struct disk *d, const struct event *e, const void *bytes);

/* How a cut treats what was not synced. */
struct cut {
    uint64_t seed;
    bool is_ordered;   /* names, sizes and holes reach the disk in their order, as with the journals of ext4 and xfs. Else each alone, or not */
    bool is_torn;      /* of each write, some sectors of 512 bytes. Else whole writes */
    bool has_sizes;    /* files have their last length, also where their bytes did not come */
    unsigned keep;     /* of 100 sectors (or writes, or names), how many come */
};
struct cut cut_from(uint64_t seed);
void cut_print(const struct cut *c, char *out, size_t size);
/* An image of the disk as dir, which is made. */
void disk_image(const struct disk *d, const struct cut *c, const char *dir);

/* ---- what is to be there ---- */

enum { SLOT_SETUP, SLOT_OBJECT, SLOT_UPLOAD, SLOT_TABLES };
enum { WRITERS = 4, OBJECTS = 12, UPLOADS = 2, SLOTS_EACH = OBJECTS + UPLOADS + 1, SLOTS = 1 + WRITERS * SLOTS_EACH };
int slot_kind(uint32_t slot);

struct expected {
    struct value sure, maybe;
    bool is_begun; /* either of them */
};
struct state {
    struct expected slots[SLOTS];
};
void state_mark(struct state *s, const struct mark *m);
void state_to_log(const struct state *s); /* as marks at the beginning of the next record */

/* ---- the store ---- */

struct world;
/* The store in dir; NULL, with the reason in why, if it does not open. */
struct world *world_open(const char *dir, char *why, size_t size);
void world_close(struct world *w);
/* What a slot holds. False: something that was never put there, or that cannot be read; why says what. */
bool world_read(struct world *w, uint32_t slot, struct value *ret, char *why, size_t size);
/* Listings and reads agree, and a check of every row and body finds nothing. */
bool world_is_sound(struct world *w, char *why, size_t size);
/* Every open upload can be completed. */
bool world_completes(struct world *w, char *why, size_t size);
bool world_takes_writes(struct world *w, char *why, size_t size);

/* A life: open, look, work for so many operations, then stand still (or close) and exit; or be killed on the way. */
_Noreturn void work(const char *dir, uint64_t seed, unsigned operations, bool is_killed);
/* Check an image, and exit: 0 if all is well. */
_Noreturn void check_image(const char *dir, const struct state *s);

/* ---- small things ---- */

uint64_t random_next(uint64_t *state);
static inline uint64_t random_below(uint64_t *state, uint64_t n)
{
    return random_next(state) % n;
}
_Noreturn void fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
