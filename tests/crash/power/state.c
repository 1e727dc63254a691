/*
 * state.c - what each slot is to hold, by the marks that came before the cut.
 *
 * A slot belongs to one writer, so one operation at most is under way on it: begun and not answered, it may have come to be or not; all that was answered counts.
 */
#include <string.h>

#include "tests/crash/power/power.h"

uint64_t random_next(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15ull;

    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

int slot_kind(uint32_t slot)
{
    if (slot == 0) return SLOT_SETUP;
    const uint32_t index = (slot - 1) % SLOTS_EACH;
    return index < OBJECTS ? SLOT_OBJECT : index < OBJECTS + UPLOADS ? SLOT_UPLOAD : SLOT_TABLES;
}

void state_mark(struct state *s, const struct mark *m)
{
    struct expected *x = &s->slots[m->slot];

    if (m->slot >= SLOTS) fatal("a mark of slot %u", m->slot);
    switch ((enum mark_kind)m->kind) {
    case MARK_BEGIN:
        x->maybe = m->value;
        x->is_begun = true;
        return;
    case MARK_END:
        x->sure = x->maybe;
        x->is_begun = false;
        return;
    case MARK_KNOWN: *x = (struct expected){ .sure = m->value }; return;
    }
}

void state_to_log(const struct state *s)
{
    for (uint32_t i = 0; i < SLOTS; i++) {
        record_mark(MARK_KNOWN, i, s->slots[i].sure);
        if (s->slots[i].is_begun) record_mark(MARK_BEGIN, i, s->slots[i].maybe);
    }
}
