/*
 * suggest.c - edit distance with swaps of neighbours (optimal string alignment), over three rows of its matrix.
 */
#include "admin/cli/suggest.h"

#include <string.h>

#define WORD_MAX 32 /* no noun, verb or flag is longer */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t distance_of(struct str a, struct str b)
{
    size_t rows[3][WORD_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *now = rows[2];

    for (size_t j = 0; j <= b.len; j++) last[j] = before[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        now[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            const bool is_same = a.data[i - 1] == b.data[j - 1];
            now[j] = least(least(last[j], now[j - 1]) + 1, last[j - 1] + (is_same ? 0 : 1));
            if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] && a.data[i - 2] == b.data[j - 1])
                now[j] = least(now[j], before[j - 2] + 1);
        }
        size_t *free_row = before;
        before = last;
        last = now;
        now = free_row;
    }
    return last[b.len];
}

struct suggestion suggest_for(struct str word)
{
    /* One mistake in a short word, two from four letters, three from eight. */
    return (struct suggestion){ .word = word, .distance = 2 + word.len / 4 };
}

void suggest_offer(struct suggestion *s, const char *candidate)
{
    const struct str known = str_from_z(candidate);

    if (known.len == 0 || s->word.len == 0 || s->word.len > WORD_MAX || known.len > WORD_MAX) return;
    const size_t distance = distance_of(s->word, known);
    if (distance >= s->distance || distance >= known.len) return;
    s->distance = distance;
    s->best = candidate;
}
