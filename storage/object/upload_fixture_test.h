/*
 * upload_fixture_test.h - uploads for tests, on the store of fixture_test.h.
 */
#ifndef STORAGE_OBJECT_UPLOAD_FIXTURE_TEST_H
#define STORAGE_OBJECT_UPLOAD_FIXTURE_TEST_H

#include "storage/object/fixture_test.h"
#include "storage/object/multipart.h"

#define FIXTURE_LARGE (3 * FIXTURE_SMALL + 77) /* bytes of a part that goes to a volume */

/* A part as a test knows it: what it put, or is going to put. */
struct sent_part {
    uint32_t number;
    struct str body;
};

struct err upload_begin(struct fixture *f, const char *key, struct uid *ret);
struct err upload_begin_with(struct fixture *f, const char *key, enum digest_kind kind, enum checksum_type type, struct uid *ret);
struct err upload_put(struct fixture *f, const char *key, struct uid id, uint32_t number, struct str body);
struct err upload_put_sum(struct fixture *f, const char *key, struct uid id, uint32_t number, struct str body, enum digest_kind kind);
struct err upload_put_all(struct fixture *f, const char *key, struct uid id, const struct sent_part *parts, size_t count);
/* A Complete of these parts, with the ETags of their bodies. In the arena of the fixture. */
struct upload_complete upload_list_of(struct fixture *f, const char *key, struct uid id, const struct sent_part *parts, size_t count);
struct err upload_finish(struct fixture *f, const char *key, struct uid id, const struct sent_part *parts, size_t count,
                         struct object_info *ret);
struct err upload_give_up(struct fixture *f, const char *key, struct uid id);

/* The key holds these parts: bytes, ETag, part count. */
void upload_check_object(struct fixture *f, const char *key, const struct sent_part *parts, size_t count);

/* Clear until there is nothing that could be. */
void upload_clear(struct fixture *f);
/* Every reference that objects and parts of uploads name is there, and no other but those that garbage names. */
void upload_check_references(struct fixture *f);
/* After clearing and settling: no uploads, no parts, no garbage, no references but those of objects, no space waiting. */
void upload_check_clean(struct fixture *f);
/* After everything was deleted or given up: besides, no bodies in volumes, and (after a restart) none in the journal. */
void upload_check_empty(struct fixture *f);

#endif
