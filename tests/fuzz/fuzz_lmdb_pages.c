/* fuzz_lmdb_pages.c - whatever a file of LMDB holds, it is taken apart without harm: entries have keys of a length that LMDB gives, in a file that passes they ascend, and what passes once passes again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "storage/meta/lmdb_pages.h"
#include "storage/meta/lmdb_rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool claim)
{
    if (!claim) abort();
}

struct last {
    char key[511];
    size_t len;
};

static struct err ascend(void *arg, struct str key, struct str value)
{
    struct last *last = arg;

    must(key.len > 0 && key.len <= sizeof(last->key) && (!value.len || value.data));
    must(!last->len || str_cmp(key, str_of(last->key, last->len)) > 0);
    memcpy(last->key, key.data, key.len);
    last->len = key.len;
    return OK;
}

static struct err row(void *arg, uint8_t space, struct str key, struct str value)
{
    (void)arg;
    must(space != 255 && key.len > 0 && value.len <= 1u << 20);
    return OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static int fd = -1;
    char path[64];
    struct last last = { .len = 0 };

    if (fd < 0) fd = memfd_create("lmdb", 0);
    must(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, data, len, 0) == (ssize_t)len);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    const struct err e = lmdb_pages_check(path, ascend, &last);
    must(!e.code || e.why);
    must(e.code || !lmdb_pages_look(path).code);
    must(!lmdb_rows_scavenge(path, row, NULL).code);
    return 0;
}
