/*
 * tree.h - all files of a directory in memory, to be laid out again as they were, or with something changed.
 */
#ifndef TESTS_UNIT_TREE_H
#define TESTS_UNIT_TREE_H

#include <stddef.h>
#include <stdint.h>

struct tree_file {
    char path[300]; /* from the directory on: "rows/data.mdb" */
    char *data;
    size_t len;
};

struct tree {
    struct tree_file *files;
    size_t count;
};

/* What lies in dir, which nobody may change meanwhile. The caller's, to be given to tree_free. */
struct tree *tree_read(const char *dir);
struct tree *tree_free(struct tree *t); /* returns NULL */
/* Make dir hold these files and no others; directories must be there and stay. Nothing is flushed. */
void tree_write(const struct tree *t, const char *dir);
/* The file at path; the test fails without it. */
struct tree_file *tree_file(struct tree *t, const char *path);

#endif
