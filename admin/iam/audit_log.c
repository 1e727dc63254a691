/*
 * audit_log.c - gathering events, and writing them in one transaction.
 *
 * The table is small and open-addressed; an event is found by a CRC of what makes it alike to another, and then compared. Texts are kept in the entry itself: adding takes no allocation, and the lock is held
 * for a copy of some hundred bytes.
 */
#include "admin/iam/audit_log.h"

#include <stdlib.h>
#include <string.h>

#include "storage/base/clock.h"
#include "storage/base/digest.h"
#include "storage/base/limits.h"
#include "storage/base/log.h"
#include "storage/base/metrics.h"
#include "storage/base/thread.h"

enum { PLACES = 2 * LIMIT_AUDIT_EVENTS }; /* half empty at most full */

/* Which texts an event has, and how much of each is kept. */
enum { PRINCIPAL, OPERATION, OBJECT, OUTCOME, CATALOG, ROLES, ADDRESS, REQUEST_ID, TEXT_COUNT };
enum { ALIKE = CATALOG + 1 }; /* the first so many make two events alike */
static const uint16_t text_max[TEXT_COUNT] = {
    [PRINCIPAL] = 128, [OPERATION] = 48, [OBJECT] = 256, [OUTCOME] = 16,
    [CATALOG] = 64,    [ROLES] = 128,    [ADDRESS] = 48, [REQUEST_ID] = 48,
};
enum { TEXT_BYTES = 128 + 48 + 256 + 16 + 64 + 128 + 48 + 48 };

struct entry {
    uint64_t count; /* 0: free */
    uint64_t alike;
    int64_t first_ms, last_ms;
    int status;
    uint16_t len[TEXT_COUNT];
    char text[TEXT_BYTES];
};

struct audit_log {
    struct store *store;
    struct mutex lock; /* guards: all that follows */
    struct entry places[PLACES];
    size_t used;
    uint64_t lost; /* events that found no place, or could not be written */
};

/* ---- adding ---- */

static void texts_of(const struct audit_event *e, struct str out[TEXT_COUNT])
{
    out[PRINCIPAL] = e->who.principal;
    out[OPERATION] = e->operation;
    out[OBJECT] = e->object;
    out[OUTCOME] = e->outcome;
    out[CATALOG] = e->who.catalog;
    out[ROLES] = e->who.roles;
    out[ADDRESS] = e->who.address;
    out[REQUEST_ID] = e->who.request_id;
    for (int i = 0; i < TEXT_COUNT; i++) out[i] = str_slice(out[i], 0, text_max[i]);
}

static struct str entry_text(const struct entry *entry, int which)
{
    size_t at = 0;

    for (int i = 0; i < which; i++) at += entry->len[i];
    return str_of(entry->text + at, entry->len[which]);
}

static uint64_t alike_of(const struct str texts[TEXT_COUNT], int status)
{
    uint64_t crc = (uint64_t)status;

    for (int i = 0; i < ALIKE; i++) {
        crc = crc64nvme(crc, texts[i].data, texts[i].len);
        crc = crc64nvme(crc, "", 1);
    }
    return crc;
}

static bool is_alike(const struct entry *entry, uint64_t alike, const struct str texts[TEXT_COUNT],
                     int status)
{
    if (entry->alike != alike || entry->status != status) return false;
    for (int i = 0; i < ALIKE; i++) {
        if (!str_eq(entry_text(entry, i), texts[i])) return false;
    }
    return true;
}

/* The entry of such events, or a free place: half of them are. */
static struct entry *find_locked(struct audit_log *log, uint64_t alike, const struct str texts[TEXT_COUNT],
                                 int status)
{
    size_t i = alike % PLACES;

    while (log->places[i].count && !is_alike(&log->places[i], alike, texts, status)) i = (i + 1) % PLACES;
    return &log->places[i];
}

static void fill(struct entry *entry, uint64_t alike, const struct str texts[TEXT_COUNT], int status)
{
    size_t at = 0;

    entry->alike = alike;
    entry->status = status;
    entry->first_ms = clock_now_ms();
    for (int i = 0; i < TEXT_COUNT; i++) {
        entry->len[i] = (uint16_t)texts[i].len;
        if (texts[i].len) memcpy(entry->text + at, texts[i].data, texts[i].len);
        at += texts[i].len;
    }
}

/* One more of such events, if there are any or there is room for less than `most` kinds. */
static bool count_locked(struct audit_log *log, const struct str texts[TEXT_COUNT], int status, size_t most)
{
    const uint64_t alike = alike_of(texts, status);
    struct entry *entry = find_locked(log, alike, texts, status);

    if (!entry->count) {
        if (log->used >= most) return false;
        fill(entry, alike, texts, status);
        log->used++;
    }
    entry->count++;
    entry->last_ms = clock_now_ms();
    return true;
}

void audit_log_add(struct audit_log *log, const struct audit_event *event)
{
    struct str texts[TEXT_COUNT];

    if (!log) return;
    texts_of(event, texts);
    mutex_lock(&log->lock);
    bool is_kept = count_locked(log, texts, event->status, LIMIT_AUDIT_EVENTS / 2);
    if (!is_kept) {
        texts[OBJECT] = texts[CATALOG] = STR("*");
        is_kept = count_locked(log, texts, event->status, LIMIT_AUDIT_EVENTS);
    }
    log->lost += !is_kept;
    mutex_unlock(&log->lock);
    if (!is_kept) METRIC_ADD(audit_events_lost, 1);
}

/* ---- writing ---- */

struct batch {
    struct entry *entries; /* those in use */
    size_t count;
    uint64_t lost;
};

static void take_locked(struct audit_log *log, struct batch *b)
{
    for (size_t i = 0; i < PLACES; i++) {
        if (!log->places[i].count) continue;
        b->entries[b->count++] = log->places[i];
        log->places[i].count = 0;
    }
    b->lost = log->lost;
    log->used = 0;
    log->lost = 0;
}

static struct err put_entry(struct txn *txn, const struct entry *entry)
{
    const struct audit_event e = {
        .who = { .principal = entry_text(entry, PRINCIPAL),
                 .request_id = entry_text(entry, REQUEST_ID),
                 .address = entry_text(entry, ADDRESS),
                 .roles = entry_text(entry, ROLES),
                 .catalog = entry_text(entry, CATALOG) },
        .operation = entry_text(entry, OPERATION),
        .object = entry_text(entry, OBJECT),
        .outcome = entry_text(entry, OUTCOME),
        .status = entry->status,
        .first_ms = entry->first_ms,
        .last_ms = entry->last_ms,
        .count = entry->count,
    };
    return audit_put_event(txn, &e);
}

static struct err flush_fn(struct txn *txn, void *arg)
{
    const struct batch *b = arg;
    const int64_t now = clock_now_ms();
    const struct audit_event lost = { .who = { .principal = STR("firn") },
                                      .operation = STR("NotRecorded"),
                                      .outcome = STR("failed"),
                                      .first_ms = now,
                                      .last_ms = now,
                                      .count = b->lost };

    for (size_t i = 0; i < b->count; i++) TRY(put_entry(txn, &b->entries[i]));
    return b->lost ? audit_put_event(txn, &lost) : OK;
}

static uint64_t events_of(const struct batch *b)
{
    uint64_t sum = b->lost;

    for (size_t i = 0; i < b->count; i++) sum += b->entries[i].count;
    return sum;
}

struct err audit_log_flush(struct audit_log *log)
{
    struct batch b = { .entries = calloc(LIMIT_AUDIT_EVENTS, sizeof(struct entry)) };

    if (!b.entries) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    mutex_lock(&log->lock);
    take_locked(log, &b);
    mutex_unlock(&log->lock);
    const struct err e = b.count || b.lost ? meta_run(log->store->meta, flush_fn, &b) : OK;
    if (e.code != ERR_OK) {
        mutex_lock(&log->lock);
        log->lost += events_of(&b);
        mutex_unlock(&log->lock);
    }
    free(b.entries);
    return e;
}

/* ---- the log ---- */

struct err audit_log_new(struct store *s, struct audit_log **ret)
{
    struct audit_log *log = calloc(1, sizeof(*log));

    if (!log) return FAIL(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
    log->store = s;
    mutex_init(&log->lock, LOCK_IAM);
    *ret = log;
    return OK;
}

struct audit_log *audit_log_free(struct audit_log *log)
{
    if (!log) return NULL;
    mutex_done(&log->lock);
    free(log);
    return NULL;
}
