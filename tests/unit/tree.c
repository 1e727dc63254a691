/*
 * tree.c - by nftw, whose callback has no argument: one directory at a time is looked at, on one thread.
 */
#include "tests/unit/tree.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/test.h"

static struct tree *reading;
static size_t prefix;

static int read_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)ftw;
    if (kind != FTW_F) return 0;
    reading->files = realloc(reading->files, (reading->count + 1) * sizeof(*reading->files));
    struct tree_file *f = &reading->files[reading->count++];
    FILE *in = fopen(path, "rb");

    snprintf(f->path, sizeof(f->path), "%s", path + prefix);
    f->len = (size_t)st->st_size;
    f->data = malloc(f->len + 1);
    CHECK(in && fread(f->data, 1, f->len, in) == f->len);
    fclose(in);
    return 0;
}

struct tree *tree_read(const char *dir)
{
    struct tree *t = reading = calloc(1, sizeof(*t));

    prefix = strlen(dir) + 1;
    CHECK(nftw(dir, read_one, 16, FTW_PHYS) == 0);
    return t;
}

struct tree *tree_free(struct tree *t)
{
    for (size_t i = 0; i < t->count; i++) free(t->files[i].data);
    free(t->files);
    free(t);
    return NULL;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)ftw;
    return kind == FTW_F ? unlink(path) : 0;
}

void tree_write(const struct tree *t, const char *dir)
{
    char path[600];

    CHECK(nftw(dir, remove_one, 16, FTW_PHYS) == 0);
    for (size_t i = 0; i < t->count; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, t->files[i].path);
        FILE *out = fopen(path, "wb");
        CHECK(out && fwrite(t->files[i].data, 1, t->files[i].len, out) == t->files[i].len);
        CHECK(fclose(out) == 0);
    }
}

struct tree_file *tree_file(struct tree *t, const char *path)
{
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->files[i].path, path) == 0) return &t->files[i];
    test_fail(__FILE__, __LINE__, "no file %s", path);
}
