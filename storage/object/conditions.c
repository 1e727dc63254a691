/*
 * conditions.c - may this be read, may that be written: RFC 9110 13 with S3's rules (s3.md 19-21).
 *
 * The order (RFC 9110 13.2.2): If-Match; without it If-Unmodified-Since; then If-None-Match; without it, on
 * reads, If-Modified-Since. Times are compared in whole seconds, since that is all that Last-Modified tells a
 * client. A time that cannot be read is as if it had not been sent (13.1.3, 13.1.4).
 *
 * If-Match compares strongly (13.1.1): an entity tag that somebody weakened on the way (W/) names no bytes,
 * so it matches nothing. If-None-Match compares weakly. Clients of S3 leave the quotes out often enough to be
 * understood; an unquoted tag ends at the comma.
 *
 * For writing, S3 has If-Match and If-None-Match: *. If-Unmodified-Since is honoured as well: whoever sends
 * it means it, and to write in spite of it could lose an update.
 */
#include "storage/base/clock.h"
#include "storage/object/object.h"

/* S3's sentence, which s3fs looks for, and which condition it was. */
#define FAILED(condition) "At least one of the pre-conditions you specified did not hold: " condition

bool conditions_any(const struct conditions *c)
{
    return c->if_match.data || c->if_none_match.data || c->if_modified_since.data
        || c->if_unmodified_since.data;
}

/* Take the next entity tag off *list: its text without quotes. False at the end. */
static bool next_etag(struct str *list, struct str *ret_etag, bool *ret_is_weak)
{
    struct str rest = *list;

    while (rest.len && (rest.data[0] == ' ' || rest.data[0] == '\t' || rest.data[0] == ','))
        rest = str_from(rest, 1);
    if (rest.len == 0) return false;
    *ret_is_weak = str_starts(rest, STR("W/"));
    if (*ret_is_weak) rest = str_from(rest, 2);

    if (rest.len && rest.data[0] == '"') {
        rest = str_from(rest, 1);
        const size_t end = str_find_char(rest, '"');
        *ret_etag = str_slice(rest, 0, end);
        *list = str_from(rest, end + 1);
    } else {
        const size_t end = str_find_char(rest, ',');
        *ret_etag = str_trim(str_slice(rest, 0, end));
        *list = str_from(rest, end);
    }
    return true;
}

/* Does a list of entity tags, or *, name this object, which is there? */
static bool names(struct str list, const struct object_info *info, bool is_weak_good)
{
    char own[ETAG_SIZE];
    struct str etag;
    bool is_weak;

    if (str_is(str_trim(list), "*")) return true;
    object_etag(info, own);
    while (next_etag(&list, &etag, &is_weak)) {
        if ((is_weak_good || !is_weak) && str_is(etag, own)) return true;
    }
    return false;
}

/* The time of a header in whole seconds; false when it was not sent or cannot be read. */
static bool seconds_of(struct str header, int64_t *ret_s)
{
    int64_t ms;

    if (!header.data || !clock_parse(str_trim(header), &ms)) return false;
    *ret_s = ms / 1000 - (ms % 1000 < 0);
    return true;
}

static struct err check_unmodified(struct str header, const struct object_info *info)
{
    int64_t since_s;

    if (seconds_of(header, &since_s) && info->mtime_ms / 1000 > since_s)
        return FAIL(ERR_PRECONDITION, FAILED("If-Unmodified-Since"));
    return OK;
}

struct err conditions_read(const struct conditions *c, const struct object_info *info)
{
    int64_t since_s;

    if (c->if_match.data) {
        if (!names(c->if_match, info, false)) return FAIL(ERR_PRECONDITION, FAILED("If-Match"));
    } else {
        TRY(check_unmodified(c->if_unmodified_since, info));
    }
    if (c->if_none_match.data) {
        if (names(c->if_none_match, info, true))
            return FAIL(ERR_NOT_MODIFIED, "If-None-Match: it is that one.");
    } else if (seconds_of(c->if_modified_since, &since_s) && info->mtime_ms / 1000 <= since_s) {
        return FAIL(ERR_NOT_MODIFIED, "If-Modified-Since: it was not.");
    }
    return OK;
}

struct err conditions_write(const struct conditions *c, const struct object_info *current)
{
    if (c->if_none_match.data && !str_is(str_trim(c->if_none_match), "*"))
        return FAIL(ERR_UNSUPPORTED, "If-None-Match on a write takes * alone.");

    if (c->if_match.data) {
        if (!current) return FAIL(ERR_NO_SUCH_KEY, err_text(ERR_NO_SUCH_KEY));
        if (!names(c->if_match, current, false)) return FAIL(ERR_PRECONDITION, FAILED("If-Match"));
    } else if (current) {
        TRY(check_unmodified(c->if_unmodified_since, current));
    }
    if (c->if_none_match.data && current) return FAIL(ERR_PRECONDITION, FAILED("If-None-Match"));
    return OK;
}
