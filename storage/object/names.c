/*
 * names.c - which names buckets and objects may have, and the key of an object's row.
 *
 * Bucket names follow AWS' rules for general purpose buckets, because clients put them into host names and
 * because a store that is looser today cannot be moved to AWS tomorrow. The rules for AWS' own aliases are
 * kept for the second reason. One is not: "amzn-s3-demo-", with which AWS' documentation begins its examples,
 * since people type them in.
 */
#include <assert.h>
#include <string.h>

#include "storage/base/encode.h"
#include "storage/base/limits.h"
#include "storage/object/object.h"

#define BUCKET_NAME_MIN 3
#define BUCKET_NAME_MAX 63

/* The first path segments of the server's own routes: a bucket of that name could not be reached in path
 * style. Those that are too short for a bucket stand here too, so that the list is whole. */
static const char *const own_routes[] = {
    "api", "cluster", "console", "health", "iceberg", "metrics", "minio", "q",
};

static const char *const reserved_prefixes[] = { "xn--", "sthree-" };
static const char *const reserved_suffixes[] = { "-s3alias", "--ol-s3", "--x-s3", "--table-s3", ".mrap" };

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z');
}

/* Four groups of digits: what a resolver may take for an address, whatever the numbers are. */
static bool looks_like_ip(struct str name)
{
    int groups = 0;
    struct str group;

    for (struct str_split it = str_split_on(name, '.'); str_split_next(&it, &group); groups++) {
        if (group.len == 0) return false;
        for (size_t i = 0; i < group.len; i++) {
            if (!is_digit(group.data[i])) return false;
        }
    }
    return groups == 4;
}

static bool has_good_bytes(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        const char c = name.data[i];
        if (!is_alnum(c) && c != '-' && c != '.') return false;
    }
    return is_alnum(name.data[0]) && is_alnum(name.data[name.len - 1]) && !str_contains(name, STR(".."));
}

static bool is_reserved(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(own_routes); i++) {
        if (str_is(name, own_routes[i])) return true;
    }
    for (size_t i = 0; i < COUNT_OF(reserved_prefixes); i++) {
        if (str_starts(name, str_from_z(reserved_prefixes[i]))) return true;
    }
    for (size_t i = 0; i < COUNT_OF(reserved_suffixes); i++) {
        if (str_ends(name, str_from_z(reserved_suffixes[i]))) return true;
    }
    return false;
}

struct err bucket_name_check(struct str name)
{
    if (name.len < BUCKET_NAME_MIN || name.len > BUCKET_NAME_MAX)
        return FAIL(ERR_INVALID_BUCKET_NAME, "A bucket's name has 3 to 63 characters.");
    if (!has_good_bytes(name))
        return FAIL(ERR_INVALID_BUCKET_NAME,
                    "A bucket's name has lower-case letters, digits, hyphens and single dots, and begins and "
                    "ends with a letter or digit.");
    if (looks_like_ip(name))
        return FAIL(ERR_INVALID_BUCKET_NAME, "A bucket's name may not look like an IP address.");
    if (is_reserved(name)) return FAIL(ERR_INVALID_BUCKET_NAME, "This bucket name is reserved.");
    return OK;
}

struct err object_key_check(struct str key)
{
    if (key.len == 0) return FAIL(ERR_INVALID_URI, "An object's key may not be empty.");
    if (key.len > LIMIT_KEY) return FAIL(ERR_KEY_TOO_LONG, err_text(ERR_KEY_TOO_LONG));
    if (!str_is_utf8(key)) return FAIL(ERR_INVALID_URI, "An object's key must be UTF-8.");
    return OK;
}

struct str object_row_key(uint64_t bucket_id, struct str key, uint8_t *out)
{
    assert(key.len <= LIMIT_KEY);
    put_be64(out, bucket_id);
    if (key.len) memcpy(out + 8, key.data, key.len);
    return str_of(out, 8 + key.len);
}
