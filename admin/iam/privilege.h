/*
 * privilege.h - what can be granted to a catalog role: the table of privileges (privileges.def), and sets of them.
 *
 * A privilege is wanted by an operation. It is held when it was granted itself, or one that includes it (catalog.md 3.1). Values; no state.
 */
#ifndef ADMIN_IAM_PRIVILEGE_H
#define ADMIN_IAM_PRIVILEGE_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/base/str.h"

enum privilege {
    PRIV_NONE = 0,
#define PRIVILEGE(name, code, on, ...) PRIV_##name = (code),
#include "admin/iam/privileges.def"
#undef PRIVILEGE
    PRIV_COUNT, /* one more than the highest code */
};

/* What a privilege may be granted on: bits. */
enum privilege_on { ON_CATALOG = 1, ON_NAMESPACE = 2, ON_TABLE = 4, ON_VIEW = 8, ON_POLICY = 16 };

const char *privilege_name(enum privilege p); /* "TABLE_READ_DATA"; "NONE" for no code of the table */
bool privilege_from_name(struct str name, enum privilege *ret);
/* May p be granted on that (one bit of enum privilege_on)? */
bool privilege_fits(enum privilege p, enum privilege_on what);

/* A set of privileges: one bit for each code. */
struct privilege_set {
    uint64_t bits[2];
};

static inline void privilege_set_add(struct privilege_set *s, enum privilege p)
{
    s->bits[p / 64] |= 1ull << (p % 64);
}

static inline bool privilege_set_has(struct privilege_set s, enum privilege p)
{
    return s.bits[p / 64] >> (p % 64) & 1;
}

static inline void privilege_set_merge(struct privilege_set *s, struct privilege_set more)
{
    s->bits[0] |= more.bits[0];
    s->bits[1] |= more.bits[1];
}

static inline bool privilege_set_is_empty(struct privilege_set s)
{
    return (s.bits[0] | s.bits[1]) == 0;
}

/* Does the set hold p, by itself or through one that includes it? */
bool privilege_set_gives(struct privilege_set s, enum privilege p);

#endif
