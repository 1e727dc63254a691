/*
 * suggest.h - "did you mean": the known word that is nearest to a mistyped one.
 *
 * Nearness is the number of letters put in, left out, changed or swapped with their neighbour. A word far from all is answered with nothing: a wrong
 * guess is worse than none.
 */
#ifndef ADMIN_CLI_SUGGEST_H
#define ADMIN_CLI_SUGGEST_H

#include <stddef.h>

#include "storage/base/str.h"

struct suggestion {
    struct str word;
    const char *best; /* NULL: nothing is near enough */
    size_t distance;  /* of best; only a nearer one replaces it */
};

/* Begin with the mistyped word, then offer every known one; NULL is passed over. */
struct suggestion suggest_for(struct str word);
void suggest_offer(struct suggestion *s, const char *candidate);

#endif
