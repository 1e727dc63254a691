#include "storage/base/arena.h"

#include <stdalign.h>

#include "storage/base/thread.h"
#include "tests/unit/test.h"

TEST(memory_is_zeroed_aligned_and_its_own)
{
    CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
    char *all[200];

    for (size_t i = 0; i < 200; i++) {
        all[i] = arena_alloc(a, i * 7);
        CHECK(all[i] && (uintptr_t)all[i] % alignof(max_align_t) == 0);
        for (size_t k = 0; k < i * 7; k++) CHECK(all[i][k] == 0);
        memset(all[i], (int)i, i * 7);
    }
    for (size_t i = 0; i < 200; i++) {
        for (size_t k = 0; k < i * 7; k++) CHECK(all[i][k] == (char)i);
    }
}

TEST(beyond_its_ceiling_an_arena_says_no_and_stays_usable)
{
    CLEANUP(arena_freep) struct arena *a = arena_new(1000);

    CHECK(!arena_alloc(a, 1001));
    CHECK(!arena_alloc(a, SIZE_MAX));
    CHECK(!arena_alloc_array(a, SIZE_MAX / 2, 3));
    CHECK(arena_alloc(a, 900));
    CHECK(!arena_alloc(a, 200));
    CHECK(arena_array(a, char, 60));
    CHECK(arena_bytes(a) >= 960 && arena_bytes(a) <= 1000);
    CHECK(!arena_str(a, STR("much more than what is left of this arena")).data);
    CHECK(!arena_printf(a, "%d", 1234567890 / 2).data || arena_bytes(a) <= 1000);
    CHECK_U64(arena_free(NULL) == NULL, true);
}

TEST(text_is_copied_and_terminated)
{
    CLEANUP(arena_freep) struct arena *a = arena_new(1 << 16);
    const struct str empty = arena_str(a, STR_NONE);

    CHECK(empty.data && empty.len == 0 && empty.data[0] == '\0');
    CHECK_STR(arena_str(a, STR("a\0b")), STR("a\0b"));
    CHECK_STR(str_from_z(arena_z(a, STR("firn"))), STR("firn"));
    CHECK_STR(arena_printf(a, "%s-%d", "x", 5), STR("x-5"));
    CHECK_STR(arena_join(a, STR("ab"), STR("cd")), STR("abcd"));
    CHECK_STR(arena_join(a, STR_NONE, STR_NONE), STR(""));
    CHECK_U64(arena_join(a, STR("ab"), STR("cd")).data[4], 0);
}

TEST(large_and_small_allocations_mix)
{
    CLEANUP(arena_freep) struct arena *a = arena_new((size_t)64 << 20);
    size_t asked = 0;

    for (size_t i = 0; i < 2000; i++) {
        const size_t size = i % 50 == 0 ? 300000 : 40 + i;
        memset(arena_alloc(a, size), 1, size);
        asked += size;
    }
    CHECK(arena_bytes(a) >= asked && arena_bytes(a) < asked + 2000 * 16);
}

static char calls[16];

static void note(void *arg)
{
    strncat(calls, arg, 1);
}

TEST(deferred_calls_run_last_first_at_reset_and_at_free)
{
    CLEANUP(arena_freep) struct arena *a = arena_new(4096);

    CHECK(arena_defer(a, note, "1") && arena_defer(a, note, "2"));
    arena_reset(a);
    CHECK_STR(str_from_z(calls), STR("21"));
    CHECK_U64(arena_bytes(a), 0);
    CHECK(arena_defer(a, note, "3"));
    a = arena_free(a);
    CHECK_STR(str_from_z(calls), STR("213"));

    a = arena_new(8);
    CHECK(!arena_defer(a, note, "4"));
    arena_reset(a);
    CHECK_STR(str_from_z(calls), STR("213"));
}

TEST(a_reset_arena_hands_out_zeroed_memory_again)
{
    CLEANUP(arena_freep) struct arena *a = arena_new(100000);

    for (int round = 0; round < 10; round++) {
        char *p = arena_alloc(a, 60000);
        char *q = arena_alloc(a, 30000);
        for (size_t i = 0; i < 30000; i++) CHECK(p[i] == 0 && q[i] == 0);
        memset(p, 0xff, 60000);
        memset(q, 0xff, 30000);
        memset(arena_alloc(a, 100), 0xff, 100);
        arena_reset(a);
    }
}

TEST(an_array_grows_and_keeps_what_it_had)
{
    struct arena *a = arena_new(1 << 20);
    size_t room = 0, count = 0;
    uint32_t *items = NULL;

    for (; count < 1000; count++) {
        uint32_t *grown = arena_grow(a, items, count, &room, sizeof(*items));
        CHECK(grown);
        items = grown;
        items[count] = (uint32_t)count;
    }
    for (size_t i = 0; i < count; i++) CHECK(items[i] == i);
    CHECK(room >= 1000 && room < 2048);
    arena_free(a);
}

TEST(an_array_that_cannot_grow_is_left_as_it_was)
{
    struct arena *a = arena_new(1 << 10);
    size_t room = 0, count = 0;
    uint64_t *items = NULL, *grown;

    while ((grown = arena_grow(a, items, count, &room, sizeof(*items)))) {
        items = grown;
        items[count] = count;
        count++;
    }
    CHECK(count > 0 && count == room);
    for (size_t i = 0; i < count; i++) CHECK(items[i] == i);
    arena_free(a);
}
