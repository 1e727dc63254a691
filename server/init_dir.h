/*
 * init_dir.h - objects that are there at the first start: the files of a directory.
 *
 * DIR/BUCKET/a/b.json becomes the object a/b.json of the bucket BUCKET, which is made if it is absent. In place of the container with a client that stacks with
 * MinIO start for it.
 *
 * I1  An object that is there already is left as it is, whatever it holds: loading again changes nothing, and takes up what an interrupted one has left.
 * I2  Nothing outside of DIR is read: a symbolic link counts only where it leads to a regular file inside (as in a Kubernetes ConfigMap); links to directories are
 *     not followed. Names that begin with a dot are not loaded. What is neither file nor directory is not opened.
 * I3  When it returns OK, all that was loaded is durable.
 */
#ifndef SERVER_INIT_DIR_H
#define SERVER_INIT_DIR_H

#include "storage/object/object.h"

struct init_dir_options {
    struct store *store;
    struct str dir;
    struct str owner;          /* of buckets that are made */
    bool (*should_stop)(void); /* asked between batches; NULL: never. Then it returns OK with ret->is_stopped */
};

struct init_dir_result {
    uint64_t loaded, bytes; /* objects made now, and their sizes */
    uint64_t present;       /* files whose object was there */
    uint64_t passed_over;   /* by I2, and files beside the buckets */
    bool is_stopped;
};

/* On the caller's thread and LIMIT_INIT_THREADS others; waits for all. The first error ends it and names the file: ERR_INVALID (a name that no bucket or key can
 * have, too deep), ERR_ENTITY_TOO_LARGE, ERR_NOT_FOUND (no such directory), ERR_IO, ERR_NO_SPACE. */
struct err init_dir_load(const struct init_dir_options *options, struct init_dir_result *ret);

/* What the end of a name says of the content: "x.json" is application/json. Empty when it says nothing. */
struct str init_dir_content_type(struct str name);

#endif
