/*
 * serial_test.c - many threads at once: are their transactions what one after the other would have given, in an order that agrees with time?
 *
 * Rows are lists, and transactions append a number of their own to some and read others; views read all. From the lists at the end follows who appended before whom; from how much of a list
 * a transaction saw, after whom it was and before whom. Together with who had ended before who began, these are edges of a graph, and transactions are strictly serialisable if and only if it has no
 * circle. A transaction that was refused, of which some are on purpose, must not be seen at all.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/base/log.h"
#include "storage/base/thread.h"
#include "storage/meta/meta.h"
#include "tests/unit/postgresql.h"
#include "tests/unit/random.h"
#include "tests/unit/test.h"

enum {
    THREADS = 8,
    LISTS = 6,
    READS = 2,
    ROUNDS_MAX = 400,
    NODES_MAX = THREADS * ROUNDS_MAX,
    LIST_MAX = NODES_MAX
};

/* What one transaction or view did: lengths of the lists that it saw, -1 where it did not look. */
struct node {
    uint64_t begin, end; /* by one clock that all threads turn */
    int32_t seen[LISTS];
    uint32_t appends; /* a bit for each list */
    bool is_view, is_refused;
};

struct history {
    struct meta *meta;
    _Atomic uint64_t clock;
    uint32_t rounds;
    struct node *nodes;              /* by thread, then round */
    uint32_t lists[LISTS][LIST_MAX]; /* at the end: who appended, in order */
    uint32_t lengths[LISTS];
};

struct member {
    struct history *history;
    uint32_t number;
};

struct append {
    struct node *node;
    uint32_t id;
};

static struct str list_key(unsigned list, uint8_t out[1])
{
    out[0] = (uint8_t)list;
    return str_of(out, 1);
}

static struct err read_list(struct rows *r, unsigned list, struct str *ret)
{
    uint8_t key[1];
    const struct err e = rows_get(r, SPACE_OBJECTS, list_key(list, key), ret);

    if (e.code != ERR_NOT_FOUND) return e;
    *ret = STR_NONE;
    return OK;
}

static struct err append_fn(struct txn *txn, void *arg)
{
    const struct append *a = arg;
    struct str list;

    for (unsigned i = 0; i < LISTS; i++) {
        char bytes[4 * LIST_MAX];
        uint8_t key[1];
        if (a->node->seen[i] < 0) continue;
        TRY(read_list(txn_rows(txn), i, &list));
        a->node->seen[i] = (int32_t)(list.len / 4);
        if (!(a->node->appends & 1u << i)) continue;
        if (list.len) memcpy(bytes, list.data, list.len);
        put_le32(bytes + list.len, a->id);
        TRY(txn_put(txn, SPACE_OBJECTS, list_key(i, key), str_of(bytes, list.len + 4)));
    }
    return a->node->is_refused ? FAIL(ERR_CONFLICT, "refused") : OK;
}

static void view_all(struct history *h, struct node *n)
{
    struct rows *view;
    struct str list;

    CHECK_OK(view_open(h->meta, &view));
    for (unsigned i = 0; i < LISTS; i++) {
        CHECK_OK(read_list(view, i, &list));
        n->seen[i] = (int32_t)(list.len / 4);
    }
    view_close(view);
}

static void live(void *arg)
{
    const struct member *me = arg;
    struct history *h = me->history;
    uint64_t random = 20261126 + me->number;

    for (uint32_t i = 0; i < h->rounds; i++) {
        const uint32_t id = me->number * h->rounds + i;
        struct node *n = &h->nodes[id];
        memset(n->seen, -1, sizeof(n->seen));
        n->is_view = random_below(&random, 3) == 0;
        n->is_refused = !n->is_view && random_below(&random, 10) == 0;
        for (int r = 0; r < READS && !n->is_view; r++) n->seen[random_below(&random, LISTS)] = 0;
        for (unsigned l = 0; l < LISTS; l++)
            if (n->seen[l] == 0 && random_below(&random, 3)) n->appends |= 1u << l;
        n->begin = atomic_fetch_add(&h->clock, 1);
        if (n->is_view) view_all(h, n);
        else
            CHECK_ERR(meta_run(h->meta, append_fn, &(struct append){ n, id }),
                      n->is_refused ? ERR_CONFLICT : ERR_OK);
        n->end = atomic_fetch_add(&h->clock, 1);
    }
}

/* ---- the graph ---- */

static void read_lists(struct history *h)
{
    struct rows *view;
    struct str list;

    CHECK_OK(view_open(h->meta, &view));
    for (unsigned i = 0; i < LISTS; i++) {
        CHECK_OK(read_list(view, i, &list));
        h->lengths[i] = (uint32_t)(list.len / 4);
        for (uint32_t at = 0; at < h->lengths[i]; at++)
            h->lists[i][at] = get_le32(list.data + 4 * (size_t)at);
    }
    view_close(view);
}

/* Each append that was acknowledged is in its list once, at the place that the transaction saw, and no other is. */
static void check_lists(const struct history *h)
{
    uint32_t wanted[LISTS] = { 0 };

    for (uint32_t id = 0; id < THREADS * h->rounds; id++) {
        const struct node *n = &h->nodes[id];
        for (int l = 0; l < LISTS && !n->is_refused; l++) {
            if (!(n->appends & 1u << l)) continue;
            CHECK((uint32_t)n->seen[l] < h->lengths[l]);
            CHECK_U64(h->lists[l][n->seen[l]], id);
            wanted[l]++;
        }
    }
    for (int l = 0; l < LISTS; l++) CHECK_U64(h->lengths[l], wanted[l]);
}

/* Is a before b in every order that explains what both saw? */
static bool is_before(const struct history *h, uint32_t a, uint32_t b)
{
    const struct node *x = &h->nodes[a], *y = &h->nodes[b];

    if (x->end < y->begin) return true;
    for (int l = 0; l < LISTS; l++) {
        if (x->seen[l] < 0 || y->seen[l] < 0) continue;
        if (x->appends & 1u << l && x->seen[l] < y->seen[l]) return true; /* y saw what x appended, or more */
        if (y->appends & 1u << l && x->seen[l] <= y->seen[l]) return true; /* x did not see what y appended */
    }
    return false;
}

/* Kahn: take away what nothing is before, until nothing is left; or a circle. */
static bool has_order(const struct history *h)
{
    const uint32_t total = THREADS * h->rounds;
    uint32_t *before = calloc(total, sizeof(*before)), *ready = malloc(total * sizeof(*ready)), count = 0,
             left = 0;

    for (uint32_t b = 0; b < total; b++) {
        for (uint32_t a = 0; a < total && !h->nodes[b].is_refused; a++)
            before[b] += a != b && !h->nodes[a].is_refused && is_before(h, a, b);
        if (h->nodes[b].is_refused) continue;
        left++;
        if (!before[b]) ready[count++] = b;
    }
    for (uint32_t i = 0; i < count; i++, left--) {
        for (uint32_t b = 0; b < total; b++) {
            if (b == ready[i] || h->nodes[b].is_refused || !is_before(h, ready[i], b)) continue;
            if (--before[b] == 0) ready[count++] = b;
        }
    }
    free(before);
    free(ready);
    return left == 0;
}

static struct history *history_of(const struct meta_options *options, uint32_t rounds)
{
    struct history *h = calloc(1, sizeof(*h));
    struct member members[THREADS];
    pthread_t threads[THREADS];

    log_set_level(LOG_LEVEL_ERROR);
    h->rounds = rounds;
    h->nodes = calloc(NODES_MAX, sizeof(*h->nodes));
    CHECK_OK(meta_open(options, &h->meta));
    for (uint32_t i = 0; i < THREADS; i++) {
        members[i] = (struct member){ h, i };
        CHECK_OK(thread_start("member", live, &members[i], &threads[i]));
    }
    for (int i = 0; i < THREADS; i++) thread_join(threads[i]);
    read_lists(h);
    return h;
}

static struct history *history_free(struct history *h)
{
    meta_close(h->meta);
    free(h->nodes);
    free(h);
    return NULL;
}

static struct history *embedded_history(uint32_t rounds)
{
    return history_of(&(struct meta_options){ .dir = test_dir(),
                                              .segment_bytes = 256 * KIB,
                                              .disk_floor_bytes = MIB,
                                              .map_bytes = 256 * MIB,
                                              .checkpoint_rows_bytes = 32 * KIB,
                                              .checkpoint_log_bytes = 512 * KIB },
                      rounds);
}

TEST(transactions_of_many_threads_are_strictly_serialisable)
{
    for (uint64_t i = 0; i < test_scale(); i++) {
        struct history *h = embedded_history(ROUNDS_MAX);
        check_lists(h);
        CHECK(has_order(h));
        history_free(h);
    }
}

TEST(transactions_in_postgresql_are_strictly_serialisable)
{
    for (uint64_t i = 0; i < test_scale(); i++) {
        struct history *h = history_of(
            &(struct meta_options){ .store = test_postgresql(), .schema = test_schema() }, ROUNDS_MAX / 4);
        check_lists(h);
        CHECK(has_order(h));
        history_free(h);
    }
}

/* The check can say no: of a view that is said to have seen less than one that had ended before it began. */
TEST(a_history_with_a_stale_view_has_no_order)
{
    struct history *h = embedded_history(40);
    const uint32_t last = THREADS * h->rounds - 1;
    struct node *n = &h->nodes[last];

    CHECK(has_order(h));
    n->is_view = true;
    n->appends = 0;
    n->is_refused = false;
    n->begin = atomic_fetch_add(&h->clock, 1);
    n->end = n->begin + 1;
    for (int l = 0; l < LISTS; l++) n->seen[l] = 0;
    CHECK(!has_order(h));
    history_free(h);
}
