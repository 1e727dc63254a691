/*
 * fault.c - which call a fault takes the place of.
 *
 * A stop (the machine halts at the nth call) is a sticky fault of all kinds.
 */
#include "storage/base/fault.h"

#include <errno.h>
#include <pthread.h>

_Atomic unsigned fault_kinds;

static struct {
    pthread_t here; /* who armed; published by fault_kinds */
    _Atomic uint64_t nth;
    _Atomic int errno_value;
    _Atomic uint64_t count;    /* calls of any kind since the last arm */
    _Atomic uint64_t matching; /* those of the armed kinds */
    _Atomic bool has_struck;
    void (*visit)(void *arg); /* what is called instead of failing; published by fault_kinds */
    void *visit_arg;
    _Atomic uint64_t free_bytes; /* what is said to be free; UINT64_MAX: the truth */
    _Atomic uint64_t unreadable_from, unreadable_len;
} fault = { .free_bytes = UINT64_MAX };

#define FAULT_UNREADABLE                                                                                     \
    (1u << 10) /* a flag: no calls fail by their number, those of pread do by their place */

/* ---- deciding ---- */

int fault_decide(unsigned kind)
{
    const unsigned kinds = atomic_load_explicit(&fault_kinds, memory_order_acquire);

    if ((kinds & FAULT_HERE) && !pthread_equal(fault.here, pthread_self())) return 0;
    atomic_fetch_add(&fault.count, 1);
    if (!(kinds & kind) || (kinds & FAULT_UNREADABLE)) return 0;

    const uint64_t index = atomic_fetch_add(&fault.matching, 1), nth = atomic_load(&fault.nth);
    if (index != nth && !(index > nth && (kinds & FAULT_STICKY))) return 0;
    atomic_store(&fault.has_struck, true);
    if (!fault.visit) return atomic_load(&fault.errno_value);
    atomic_store(&fault_kinds, 0);
    fault.visit(fault.visit_arg);
    return 0;
}

static int decide_place(uint64_t offset, size_t len)
{
    const uint64_t from = atomic_load(&fault.unreadable_from), to = from + atomic_load(&fault.unreadable_len);

    if (!(atomic_load_explicit(&fault_kinds, memory_order_acquire) & FAULT_UNREADABLE)) return 0;
    if (offset >= to || offset + len <= from) return 0;
    atomic_store(&fault.has_struck, true);
    return EIO;
}

int fault_decide_at(unsigned kind, uint64_t offset, size_t len)
{
    return fault_decide(kind) ?: decide_place(offset, len);
}

bool fault_is_short(void)
{
    return atomic_load(&fault_kinds) & FAULT_SHORT;
}

uint64_t fault_free(void)
{
    return atomic_load_explicit(&fault.free_bytes, memory_order_relaxed);
}

/* ---- arming ---- */

static void arm(unsigned kinds, uint64_t nth, int errno_value)
{
    fault.here = pthread_self();
    atomic_store(&fault.nth, nth);
    atomic_store(&fault.errno_value, errno_value);
    atomic_store(&fault.count, 0);
    atomic_store(&fault.matching, 0);
    atomic_store(&fault.has_struck, false);
    atomic_store_explicit(&fault_kinds, kinds, memory_order_release);
}

void fault_arm(unsigned kinds, uint64_t nth, int errno_value)
{
    atomic_store(&fault_kinds, 0);
    fault.visit = NULL;
    arm(kinds, nth, errno_value);
}

void fault_arm_visit(unsigned kinds, uint64_t nth, void (*fn)(void *arg), void *arg)
{
    atomic_store(&fault_kinds, 0);
    fault.visit = fn;
    fault.visit_arg = arg;
    arm(kinds, nth, 0);
}

void fault_arm_stop(uint64_t nth)
{
    fault_arm(FAULT_ALL | FAULT_STICKY, nth, EIO);
}

void fault_arm_unreadable(uint64_t offset, uint64_t len)
{
    atomic_store(&fault_kinds, 0);
    atomic_store(&fault.unreadable_from, offset);
    atomic_store(&fault.unreadable_len, len);
    fault_arm(FAULT_READ | FAULT_UNREADABLE, 0, EIO);
}

bool fault_disarm(void)
{
    atomic_store(&fault_kinds, 0);
    return atomic_load(&fault.has_struck);
}

void fault_set_free(uint64_t bytes)
{
    atomic_store(&fault.free_bytes, bytes);
}

uint64_t fault_count(void)
{
    return atomic_load(&fault.count);
}
