/*
 * fault.h - system calls that fail when a test wants it. sysio.h is where they strike; its kinds are those of its table.
 *
 * Before a call is made it is decided whether a fault takes its place. Nothing is armed in a server: then the decision is one relaxed load.
 *
 * Why not LD_PRELOAD or a table of function pointers that tests replace: the decision must be made in one place, counted over all threads, and be there in the very binary that ships.
 *
 * Threads: any may be struck; arming and disarming is for one at a time.
 */
#ifndef STORAGE_BASE_FAULT_H
#define STORAGE_BASE_FAULT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fault_kind {
    FAULT_OPEN = 1 << 0,  /* open, dup, pipe, lock */
    FAULT_READ = 1 << 1,
    FAULT_WRITE = 1 << 2,
    FAULT_SYNC = 1 << 3,
    FAULT_SPACE = 1 << 4, /* fallocate, ftruncate, punch */
    FAULT_NAME = 1 << 5,  /* unlink, rename, mkdir, stat, list, free_bytes */
    FAULT_ALL = 0x3f,
    FAULT_SHORT = 1 << 8, /* a flag: the write that fails has written half of its bytes */
    FAULT_STICKY = 1 << 9, /* a flag: every later call of these kinds fails too, until disarmed */
    FAULT_HERE = 1 << 11,  /* a flag: only calls of the thread that arms are counted, and fail */
};

/* Fail the nth (from 0) call of these kinds, in any thread, with errno_value. */
void fault_arm(unsigned kinds, uint64_t nth, int errno_value);
/* The same, but the call does nothing and from then on *every* call of every kind does nothing and fails with EIO: as if the machine
 * had stopped there. Files keep what was written before. What a power cut takes away as well is for the replay tests. */
void fault_arm_stop(uint64_t nth);
/* Nothing fails: just before the nth call of these kinds fn is called, on the thread that makes it and with whatever locks that holds, and nothing is armed any more by then. */
void fault_arm_visit(unsigned kinds, uint64_t nth, void (*fn)(void *arg), void *arg);
/* An unreadable place of a disk: every pread that touches one of these bytes, of whichever file, fails with EIO. */
void fault_arm_unreadable(uint64_t offset, uint64_t len);
bool fault_disarm(void); /* did it strike? */
/* From now on every disk has so many bytes free, as sys_free_bytes says it, armed or not. UINT64_MAX: what it has. */
void fault_set_free(uint64_t bytes);
uint64_t fault_count(void); /* calls of any kind from the last arm until it was disarmed */

/* ---- for sysio.c ---- */

extern _Atomic unsigned fault_kinds; /* what is armed, with the flags; 0: nothing */
int fault_decide(unsigned kind);
int fault_decide_at(unsigned kind, uint64_t offset, size_t len);

/* 0, or the errno with which a call of this kind is to fail without being made. */
static inline int fault_strikes(unsigned kind)
{
    if (__builtin_expect(atomic_load_explicit(&fault_kinds, memory_order_relaxed) == 0, 1)) return 0;
    return fault_decide(kind);
}

/* The same for a pread of that place. */
static inline int fault_strikes_at(unsigned kind, uint64_t offset, size_t len)
{
    if (__builtin_expect(atomic_load_explicit(&fault_kinds, memory_order_relaxed) == 0, 1)) return 0;
    return fault_decide_at(kind, offset, len);
}

bool fault_is_short(void);   /* FAULT_SHORT is armed */
uint64_t fault_free(void);   /* as fault_set_free */

#endif
