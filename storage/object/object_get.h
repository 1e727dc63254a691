/*
 * object_get.h - reading the body of an object, whatever kind it is.
 */
#ifndef STORAGE_OBJECT_OBJECT_GET_H
#define STORAGE_OBJECT_OBJECT_GET_H

#include "storage/object/object.h"

struct object_reader;

/* Open the body of info, read in the view r, which may be closed afterwards: what is needed is pinned. */
struct err object_reader_open(struct store *s, struct rows *r, const struct object_info *info, struct object_reader **ret);
struct object_reader *object_reader_close(struct object_reader *o); /* from any thread; NULL is fine; returns NULL */

/* len bytes from offset, verified, into out; ERR_INVALID_RANGE when they are not all inside. _warm: ERR_BUSY rather than waiting
 * for a disk, but for what lies in the journal (small bodies, and the part map when a reader is opened): meta.h has no such form. */
struct err object_read(struct object_reader *o, uint64_t offset, void *out, size_t len);
struct err object_read_warm(struct object_reader *o, uint64_t offset, void *out, size_t len);
/* One verified piece of one file for sendfile (blob.h), or ERR_UNSUPPORTED. */
struct err object_read_file(struct object_reader *o, uint64_t offset, uint64_t len, int *ret_fd, uint64_t *ret_offset);

/* Where part number `part` (from 1) of a multipart object lies; of any other object part 1 is the whole. ERR_INVALID_PART_NUMBER. */
struct err object_part_range(struct object_reader *o, uint32_t part, uint64_t *ret_offset, uint64_t *ret_len);

/* Is a reader open on this object in parts? Then its bodies may not be taken away, though no row names them any more (garbage.h). */
bool object_is_being_read(struct uid object);

/* A whole object, verified, into the arena: for small things (metadata files up to bytes_max; ERR_TOO_LARGE). */
struct err object_read_all(struct store *s, struct str bucket, struct str key, uint64_t bytes_max, struct arena *arena, struct str *ret);

#endif
