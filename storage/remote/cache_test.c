#include "storage/remote/cache.h"

#include <stdlib.h>

#include "storage/base/thread.h"
#include "tests/unit/test.h"

static struct str name_of(int i, char out[16])
{
    (void)snprintf(out, 16, "file%d", i);
    return str_from_z(out);
}

TEST(what_was_used_least_lately_goes)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct file_cache *c;
    char name[16], bytes[100] = { 1 };
    struct str got;

    CHECK_OK(file_cache_new(1000, &c));
    for (int i = 0; i < 10; i++) file_cache_put(c, name_of(i, name), str_of(bytes, sizeof(bytes)));
    CHECK(file_cache_get(c, STR("file0"), arena, &got));
    CHECK_STR(got, str_of(bytes, sizeof(bytes)));
    file_cache_put(c, STR("new"), str_of(bytes, sizeof(bytes)));
    CHECK(file_cache_get(c, STR("file0"), arena, &got));
    CHECK(!file_cache_get(c, STR("file1"), arena, &got));
    CHECK(file_cache_get(c, STR("new"), arena, &got));
    c = file_cache_free(c);
}

TEST(a_file_is_replaced_forgotten_and_not_kept_when_large_or_empty)
{
    CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct file_cache *c;
    char large[300] = { 0 };
    struct str got;

    CHECK_OK(file_cache_new(1000, &c));
    file_cache_put(c, STR("a"), STR("one"));
    file_cache_put(c, STR("a"), STR("two"));
    CHECK(file_cache_get(c, STR("a"), arena, &got));
    CHECK_STR(got, STR("two"));
    file_cache_forget(c, STR("a"));
    file_cache_forget(c, STR("a"));
    CHECK(!file_cache_get(c, STR("a"), arena, &got));
    file_cache_put(c, STR("large"), str_of(large, sizeof(large)));
    CHECK(!file_cache_get(c, STR("large"), arena, &got));
    file_cache_put(c, STR("empty"), STR(""));
    CHECK(!file_cache_get(c, STR("empty"), arena, &got));
    c = file_cache_free(c);
}

struct worker {
    struct file_cache *cache;
    int seed;
};

static void work(void *arg)
{
    const struct worker *w = arg;
    char name[16];
    struct str got;

    for (int i = 0; i < 2000; i++) {
        CLEANUP(arena_freep) struct arena *arena = arena_new(1 << 16);
        const struct str n = name_of((i * w->seed) % 40, name);
        if (file_cache_get(w->cache, n, arena, &got)) CHECK_STR(got, n);
        else file_cache_put(w->cache, n, n);
        if (i % 7 == 0) file_cache_forget(w->cache, n);
    }
}

TEST(threads_share_it)
{
    struct file_cache *c;
    pthread_t threads[4];
    struct worker workers[4];

    CHECK_OK(file_cache_new(120, &c));
    for (int i = 0; i < 4; i++) {
        workers[i] = (struct worker){ c, 3 + 2 * i };
        CHECK_OK(thread_start("worker", work, &workers[i], &threads[i]));
    }
    for (int i = 0; i < 4; i++) thread_join(threads[i]);
    c = file_cache_free(c);
}
