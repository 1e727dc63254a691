/*
 * privilege_word.h - "select on table prod.sales to analyst": the words of firn grant and firn revoke.
 *
 * SQL's words stand for privileges of the catalog; any other word is taken as the name of a privilege (TABLE_READ_DATA) and the server says whether there is one.
 */
#ifndef ADMIN_CLI_PRIVILEGE_WORD_H
#define ADMIN_CLI_PRIVILEGE_WORD_H

#include "storage/base/arena.h"
#include "storage/base/err.h"
#include "storage/base/str.h"

enum securable { ON_CATALOG, ON_NAMESPACE, ON_TABLE, ON_VIEW, SECURABLE_COUNT };

#define PRIVILEGES_MAX 32 /* of one command */

struct grant_words {
    enum securable on;
    const char *object, *role; /* object NULL: the catalog that is meant anyway */
    struct str privileges[PRIVILEGES_MAX];
    size_t count;
};

/* words end with NULL: PRIVILEGE[,PRIVILEGE] on KIND [NAME] to ROLE; preposition is "to" or "from". ERR_INVALID_ARGUMENT names the word that is wrong. */
struct err grant_words_parse(const char *const *words, const char *preposition, struct arena *arena, struct grant_words *ret);

/* "table" */
const char *securable_name(enum securable on);

#endif
