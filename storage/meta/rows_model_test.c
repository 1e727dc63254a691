/*
 * rows_model_test.c - the sorted array that the tests of rows compare with (rows_model.h).
 */
#include "storage/meta/rows_model.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/random.h"
#include "tests/unit/test.h"

static struct str copy_of(struct str s)
{
    char *data = malloc(s.len + 1);
    if (s.len) memcpy(data, s.data, s.len);
    return str_of(data, s.len);
}

static void row_done(struct model_row *r)
{
    free((char *)r->key.data);
    free((char *)r->value.data);
}

struct model *model_new(void)
{
    return calloc(1, sizeof(struct model));
}

struct model *model_copy(const struct model *m)
{
    struct model *copy = model_new();
    copy->count = copy->size = m->count;
    copy->rows = malloc((m->count + 1) * sizeof(*m->rows));
    for (size_t i = 0; i < m->count; i++) {
        const struct model_row *r = &m->rows[i];
        copy->rows[i] = (struct model_row){ r->space, r->is_deleted, copy_of(r->key), copy_of(r->value) };
    }
    return copy;
}

struct model *model_free(struct model *m)
{
    if (!m) return NULL;
    for (size_t i = 0; i < m->count; i++) row_done(&m->rows[i]);
    free(m->rows);
    free(m);
    return NULL;
}

void model_freep(struct model **m)
{
    *m = model_free(*m);
}

static int order_of(uint8_t space, struct str key, const struct model_row *r)
{
    if (space != r->space) return space < r->space ? -1 : 1;
    return str_cmp(key, r->key);
}

size_t model_lower(const struct model *m, uint8_t space, struct str key)
{
    size_t low = 0, high = m->count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (order_of(space, key, &m->rows[middle]) <= 0) high = middle;
        else low = middle + 1;
    }
    return low;
}

const struct model_row *model_find(const struct model *m, uint8_t space, struct str key)
{
    const size_t i = model_lower(m, space, key);
    return i < m->count && !order_of(space, key, &m->rows[i]) ? &m->rows[i] : NULL;
}

static void model_set(struct model *m, struct model_row row)
{
    const size_t i = model_lower(m, row.space, row.key);

    if (i < m->count && !order_of(row.space, row.key, &m->rows[i])) {
        row_done(&m->rows[i]);
        m->rows[i] = row;
        return;
    }
    if (m->count >= m->size) {
        m->size = m->size ? 2 * m->size : 64;
        m->rows = realloc(m->rows, m->size * sizeof(*m->rows));
    }
    memmove(&m->rows[i + 1], &m->rows[i], (m->count - i) * sizeof(*m->rows));
    m->rows[i] = row;
    m->count++;
}

void model_put(struct model *m, uint8_t space, struct str key, struct str value)
{
    model_set(m, (struct model_row){ space, false, copy_of(key), copy_of(value) });
}

void model_bury(struct model *m, uint8_t space, struct str key)
{
    model_set(m, (struct model_row){ space, true, copy_of(key), copy_of(STR_NONE) });
}

void model_del(struct model *m, uint8_t space, struct str key)
{
    const size_t i = model_lower(m, space, key);
    if (i >= m->count || order_of(space, key, &m->rows[i])) return;
    row_done(&m->rows[i]);
    m->count--;
    memmove(&m->rows[i], &m->rows[i + 1], (m->count - i) * sizeof(*m->rows));
}

struct str random_key(uint64_t *state, size_t bytes_max, char *out)
{
    static const char fills[] = { 'a', 'b', '\0', (char)0xff };
    static const size_t lengths[] = { 499, 500, 501, 999, 1000, 1001, 1500, 1501, 2000, 2001, 2048 };
    size_t len = 1 + random_below(state, bytes_max);

    if (random_below(state, 2)) len = lengths[random_below(state, sizeof(lengths) / sizeof(lengths[0]))];
    else if (random_below(state, 2)) len = 1 + random_below(state, 4);
    if (len > bytes_max) len = bytes_max;
    memset(out, fills[random_below(state, 4)], len);
    for (uint64_t changes = random_below(state, 4); changes; changes--) {
        const size_t near = random_below(state, 2) ? len - 1
                                                   : random_below(state, 5) * 500 + random_below(state, 3);
        out[near < len ? near : len - 1] = fills[random_below(state, 4)];
    }
    return str_of(out, len);
}

struct str random_value(uint64_t *state, char *out)
{
    const uint64_t kind = random_below(state, 20);
    const size_t len = kind == 0 ? 0
        : kind == 1              ? random_below(state, RANDOM_VALUE_MAX)
                                 : random_below(state, 80);
    for (size_t i = 0; i < len; i++) out[i] = (char)random_next(state);
    return str_of(out, len);
}

TEST(the_model_of_rows_is_sorted_and_forgets)
{
    struct model *m = model_new();
    model_put(m, 2, STR("b"), STR("1"));
    model_put(m, 1, STR("c"), STR("2"));
    model_put(m, 2, STR("ab"), STR("3"));
    model_put(m, 2, STR("ab"), STR("4"));
    CHECK_U64(m->count, 3);
    CHECK_STR(m->rows[0].key, STR("c"));
    CHECK_STR(m->rows[1].value, STR("4"));
    model_del(m, 2, STR("ab"));
    CHECK(!model_find(m, 2, STR("ab")));
    CHECK_STR(model_find(m, 2, STR("b"))->value, STR("1"));
    model_free(m);
}

struct str model_some_key(const struct model *m, uint64_t *state, char out[LIMIT_ROW_KEY])
{
    if (!m->count || random_below(state, 2))
        return random_key(state, random_below(state, 3) ? 6 : LIMIT_ROW_KEY, out);
    const struct str key = m->rows[random_below(state, m->count)].key;
    memcpy(out, key.data, key.len);
    return str_of(out, key.len);
}
