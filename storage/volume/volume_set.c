/*
 * volume_set.c - slots, the list of open volumes, and their numbers.
 *
 * A slot's lock is held while its next volume is made, so that its writers make one and not many; writers of other slots go on. A new
 * file costs its name and an allocation here; its fsync and the directory's come with the first flush (volume.h V4).
 */
#include "storage/volume/volume_set.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "storage/base/sysio.h"

struct slot {
    struct mutex lock; /* guards: current, flusher */
    struct volume *current;
    struct flusher *flusher; /* from the first join on; does not change */
    int writers;             /* guarded by list_lock */
};

struct volume_set {
    const struct volume_place *place;
    _Atomic uint64_t next_id;
    struct mutex list_lock; /* guards: first, each volume's next and is_current, each slot's writers */
    struct volume *first;
    int slot_count;
    struct slot slots[VOLUME_SLOTS_MAX];
};

struct err volume_set_open(const struct volume_place *place, int slots, uint64_t next_id,
                           struct volume_set **ret)
{
    struct volume_set *set = calloc(1, sizeof(*set));

    if (!set) return FAIL(ERR_NO_MEMORY, "no memory for the volumes");
    set->place = place;
    set->slot_count = slots < 1 ? 1 : slots > VOLUME_SLOTS_MAX ? VOLUME_SLOTS_MAX : slots;
    atomic_init(&set->next_id, next_id);
    mutex_init(&set->list_lock, LOCK_VOLUME_LIST);
    for (int i = 0; i < set->slot_count; i++) mutex_init(&set->slots[i].lock, LOCK_VOLUME_SET);
    *ret = set;
    return OK;
}

/* What was allocated ahead is given back; if that fails the next start does it. */
static void close_volume(struct volume *v)
{
    if (!v->is_failed && v->allocated > v->tail) err_ignore(sys_ftruncate(v->fd, v->tail));
    volume_free(v);
}

struct volume_set *volume_set_close(struct volume_set *set)
{
    if (!set) return NULL;
    for (int i = 0; i < set->slot_count; i++) {
        assert(set->slots[i].writers == 0);
        flusher_stop(set->slots[i].flusher);
        mutex_done(&set->slots[i].lock);
    }
    while (set->first) {
        struct volume *v = set->first;
        set->first = v->next;
        close_volume(v);
    }
    mutex_done(&set->list_lock);
    free(set);
    return NULL;
}

static void list_add(struct volume_set *set, struct volume *v, bool is_current)
{
    mutex_lock(&set->list_lock);
    v->is_current = is_current;
    v->next = set->first;
    set->first = v;
    mutex_unlock(&set->list_lock);
}

bool volume_set_adopt(struct volume_set *set, struct volume *v)
{
    for (int i = 0; i < set->slot_count; i++) {
        struct slot *slot = &set->slots[i];
        mutex_lock(&slot->lock);
        const bool is_free = !slot->current;
        if (is_free) slot->current = v;
        mutex_unlock(&slot->lock);
        if (!is_free) continue;
        list_add(set, v, true);
        return true;
    }
    return false;
}

/* ---- writers ---- */

void volume_set_leave(struct volume_set *set, int slot)
{
    mutex_lock(&set->list_lock);
    assert(set->slots[slot].writers > 0);
    set->slots[slot].writers--;
    mutex_unlock(&set->list_lock);
}

struct err volume_set_join(struct volume_set *set, int *ret_slot)
{
    int least = 0;

    mutex_lock(&set->list_lock);
    for (int i = 1; i < set->slot_count; i++) {
        if (set->slots[i].writers < set->slots[least].writers) least = i;
    }
    set->slots[least].writers++;
    mutex_unlock(&set->list_lock);

    struct slot *slot = &set->slots[least];
    mutex_lock(&slot->lock);
    const struct err e = slot->flusher ? OK : flusher_start(least, &slot->flusher);
    mutex_unlock(&slot->lock);
    if (e.code) {
        volume_set_leave(set, least);
        return e;
    }
    *ret_slot = least;
    return OK;
}

static struct err create(struct volume_set *set, bool is_own, struct volume **ret)
{
    const uint64_t id = atomic_fetch_add(&set->next_id, 1);

    TRY(volume_create(set->place, id, is_own, ret));
    list_add(set, *ret, true);
    return OK;
}

struct err volume_set_create_own(struct volume_set *set, struct volume **ret)
{
    return create(set, true, ret);
}

void volume_set_retire(struct volume_set *set, struct volume *v)
{
    volume_close_to_writers(v);
    mutex_lock(&set->list_lock);
    v->is_current = false;
    mutex_unlock(&set->list_lock);
}

static struct err reserve_locked(struct volume_set *set, struct slot *slot, uint64_t bytes,
                                 uint64_t *ret_offset)
{
    if (slot->current) {
        const struct err e = volume_reserve(slot->current, bytes, ret_offset);
        if (e.code != ERR_BUSY) return e;
        volume_set_retire(set, slot->current);
        slot->current = NULL;
    }
    TRY(create(set, false, &slot->current));
    return volume_reserve(slot->current, bytes, ret_offset);
}

struct err volume_set_reserve(struct volume_set *set, int slot, uint64_t bytes, struct volume **ret,
                              uint64_t *ret_offset)
{
    struct slot *s = &set->slots[slot];

    mutex_lock(&s->lock);
    const struct err e = reserve_locked(set, s, bytes, ret_offset);
    if (!e.code) *ret = s->current;
    mutex_unlock(&s->lock);
    return e;
}

void volume_set_flush(struct volume_set *set, int slot, struct flush_request *r)
{
    flusher_submit(set->slots[slot].flusher, r);
}

/* ---- the reclaimer's ---- */

struct volume *volume_set_take_idle(struct volume_set *set)
{
    mutex_lock(&set->list_lock);
    struct volume **link = &set->first;
    while (*link && ((*link)->is_current || !volume_is_idle(*link))) link = &(*link)->next;
    struct volume *v = *link;
    if (v) *link = v->next;
    mutex_unlock(&set->list_lock);
    return v;
}

void volume_set_put_back(struct volume_set *set, struct volume *v)
{
    list_add(set, v, false);
}

void volume_set_state(struct volume_set *set, struct volume_set_state *ret)
{
    struct volume_set_state state = { 0 };

    mutex_lock(&set->list_lock);
    for (struct volume *v = set->first; v; v = v->next) {
        mutex_lock(&v->lock);
        state.volumes++;
        state.bytes_ahead += v->allocated > v->tail ? v->allocated - v->tail : 0;
        state.has_failed |= v->is_failed;
        mutex_unlock(&v->lock);
    }
    mutex_unlock(&set->list_lock);
    *ret = state;
}
