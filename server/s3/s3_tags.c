/*
 * s3_tags.c - tags as clients write them. Sources: AWS "PutObjectTagging" and "Tag restrictions"; s3-tests test_put_excess_tags and its like.
 */
#include "server/s3/s3_tags.h"

#include "server/s3/xml.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"

/* Characters of UTF-8: all bytes but those that continue one. */
static size_t characters(struct str s)
{
    size_t count = 0;

    for (size_t i = 0; i < s.len; i++) count += ((unsigned char)s.data[i] & 0xc0) != 0x80;
    return count;
}

static struct err check_one(const struct pair *tag)
{
    const size_t name = characters(tag->name);

    if (name == 0 || name > LIMIT_TAG_KEY)
        return FAIL(ERR_INVALID_TAG, "The TagKey you have provided is invalid");
    if (characters(tag->value) > LIMIT_TAG_VALUE)
        return FAIL(ERR_INVALID_TAG, "The TagValue you have provided is invalid");
    if (str_starts(tag->name, STR("aws:")))
        return FAIL(ERR_INVALID_TAG, "System tags cannot be added/updated by requester");
    if (!str_is_utf8(tag->name) || !str_is_utf8(tag->value))
        return FAIL(ERR_INVALID_TAG, err_text(ERR_INVALID_TAG));
    return OK;
}

/* By name, as AWS gives them back. There are few. */
static void sort(struct pair *tags, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        const struct pair tag = tags[i];
        size_t j = i;
        for (; j > 0 && str_cmp(tags[j - 1].name, tag.name) > 0; j--) tags[j] = tags[j - 1];
        tags[j] = tag;
    }
}

struct err s3_tags_check(const struct pair *tags, size_t count, size_t count_max)
{
    if (count > count_max) return err_fail(ERR_INVALID_TAG, "Tags cannot be greater than %zu", count_max);
    for (size_t i = 0; i < count; i++) {
        TRY(check_one(&tags[i]));
        for (size_t j = 0; j < i; j++) {
            if (str_eq(tags[i].name, tags[j].name))
                return FAIL(ERR_INVALID_TAG, "Cannot provide multiple Tags with the same key");
        }
    }
    return OK;
}

struct err s3_tags_from_header(struct arena *arena, struct str text, const struct pair **ret,
                               size_t *ret_count)
{
    struct pair *tags = arena_array(arena, struct pair,
                                    LIMIT_TAGS + 1); /* one more shows that there are too many */
    size_t count = 0;
    struct str piece, name;

    if (!tags) return no_memory();
    for (struct str_split it = str_split_on(text, '&'); str_split_next(&it, &piece) && count <= LIMIT_TAGS;) {
        if (piece.len == 0) continue;
        const struct str value = str_cut(piece, '=', &name);
        tags[count].name = percent_str(arena, name, true);
        tags[count].value = percent_str(arena, value, true);
        if (!tags[count].name.data || !tags[count].value.data)
            return FAIL(
                ERR_INVALID_ARGUMENT,
                "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.");
        count++;
    }
    TRY(s3_tags_check(tags, count, LIMIT_TAGS));
    sort(tags, count);
    *ret = tags;
    *ret_count = count;
    return OK;
}

static struct err malformed(void)
{
    return FAIL(ERR_MALFORMED_XML, err_text(ERR_MALFORMED_XML));
}

struct err s3_tags_from_xml(struct arena *arena, struct str document, size_t count_max,
                            const struct pair **ret, size_t *ret_count)
{
    struct xml_node *root;
    size_t count = 0;

    TRY(xml_parse(document, "Tagging", arena, &root));
    const struct xml_node *set = xml_child(root, "TagSet");
    struct pair *tags = arena_array(arena, struct pair, count_max + 1);
    if (!set) return malformed();
    if (!tags) return no_memory();
    for (const struct xml_node *tag = set->children; tag && count <= count_max; tag = tag->next) {
        tags[count].name = xml_child_text(tag, "Key");
        tags[count].value = xml_child_text(tag, "Value");
        if (!str_is(tag->name, "Tag") || !tags[count].name.data || !tags[count].value.data)
            return malformed();
        count++;
    }
    TRY(s3_tags_check(tags, count, count_max));
    sort(tags, count);
    *ret = tags;
    *ret_count = count;
    return OK;
}
