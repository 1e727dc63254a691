/*
 * privilege.c - the table of privileges. A check looks at no more than nine bits.
 */
#include "admin/iam/privilege.h"

#define C ON_CATALOG
#define N ON_NAMESPACE
#define T ON_TABLE
#define V ON_VIEW
#define P ON_POLICY

static const struct row {
    const char *name;
    unsigned on;
    uint8_t included_in[14]; /* the longest row has 8 */
} rows[PRIV_COUNT] = {
#define PRIVILEGE(name_, code, on_, ...) [code] = { #name_, (on_), { __VA_ARGS__ } },
#include "admin/iam/privileges.def"
#undef PRIVILEGE
};

_Static_assert(PRIV_COUNT <= 128, "a privilege_set has 128 bits");

const char *privilege_name(enum privilege p)
{
    return p > PRIV_NONE && p < PRIV_COUNT ? rows[p].name : "NONE";
}

bool privilege_from_name(struct str name, enum privilege *ret)
{
    for (int p = PRIV_NONE + 1; p < PRIV_COUNT; p++) {
        if (!str_is(name, rows[p].name)) continue;
        *ret = (enum privilege)p;
        return true;
    }
    return false;
}

bool privilege_fits(enum privilege p, enum privilege_on what)
{
    return p > PRIV_NONE && p < PRIV_COUNT && (rows[p].on & what);
}

bool privilege_set_gives(struct privilege_set s, enum privilege p)
{
    if (p <= PRIV_NONE || p >= PRIV_COUNT) return false;
    if (privilege_set_has(s, p)) return true;
    for (const uint8_t *q = rows[p].included_in; *q; q++) {
        if (privilege_set_has(s, (enum privilege) * q)) return true;
    }
    return false;
}
