/*
 * pins.c - intrusive lists of pins in shards. The shard and the list are taken from the random half of the uid.
 */
#include "storage/volume/pins.h"

#include <assert.h>
#include <string.h>

static struct pins_shard *shard_of(struct pins *p, const struct uid *uid)
{
    return &p->shards[uid->bytes[15] % PINS_SHARDS];
}

static struct pin **list_of(struct pins_shard *shard, const struct uid *uid)
{
    return &shard->lists[uid->bytes[14] % PINS_LISTS];
}

void pins_init(struct pins *p)
{
    memset(p, 0, sizeof(*p));
    for (int i = 0; i < PINS_SHARDS; i++) mutex_init(&p->shards[i].lock, LOCK_PINS);
}

void pins_done(struct pins *p)
{
    for (int i = 0; i < PINS_SHARDS; i++) {
        for (int k = 0; k < PINS_LISTS; k++) assert(!p->shards[i].lists[k]);
        mutex_done(&p->shards[i].lock);
    }
}

void pins_add(struct pins *p, struct pin *pin, struct uid uid)
{
    struct pins_shard *shard = shard_of(p, &uid);
    struct pin **list = list_of(shard, &uid);

    pin->uid = uid;
    mutex_lock(&shard->lock);
    pin->next = *list;
    pin->link = list;
    if (pin->next) pin->next->link = &pin->next;
    *list = pin;
    mutex_unlock(&shard->lock);
}

void pins_remove(struct pins *p, struct pin *pin)
{
    struct pins_shard *shard = shard_of(p, &pin->uid);

    mutex_lock(&shard->lock);
    *pin->link = pin->next;
    if (pin->next) pin->next->link = pin->link;
    mutex_unlock(&shard->lock);
    pin->next = NULL;
    pin->link = NULL;
}

bool pins_have(struct pins *p, struct uid uid)
{
    struct pins_shard *shard = shard_of(p, &uid);

    mutex_lock(&shard->lock);
    const struct pin *pin = *list_of(shard, &uid);
    while (pin && memcmp(pin->uid.bytes, uid.bytes, sizeof(uid.bytes)) != 0) pin = pin->next;
    mutex_unlock(&shard->lock);
    return pin != NULL;
}
