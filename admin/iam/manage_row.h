/*
 * manage_row.h - what the changes of manage.h share. For the files manage_*.c alone.
 */
#ifndef ADMIN_IAM_MANAGE_ROW_H
#define ADMIN_IAM_MANAGE_ROW_H

#include "admin/iam/iam_row.h"

/* Run fn in a transaction, and have what it changed in force. */
struct err manage_run(const struct iam_call *c, txn_fn *fn, void *arg);

/* A row with its key, in a transaction or a view. */
struct manage_row {
    enum iam_kind kind;
    uint64_t catalog_id;
    struct str key;
    json_t *json; /* the arena's; may be changed and put back */
    uint64_t id;
};
/* ERR_NOT_FOUND, named; ERR_NO_SUCH_WAREHOUSE. */
struct err manage_find(struct rows *r, const struct iam_ref *ref, struct arena *arena, struct manage_row *ret);
struct err manage_put(struct txn *txn, const struct manage_row *row);
/* The same with version and time grown. */
struct err manage_put_changed(struct txn *txn, const struct manage_row *row);

/* Principals of the configuration are not changed here: ERR_INVALID says where they are. */
struct err manage_check_stored(const struct iam_call *c, const struct iam_ref *ref);

/* The audit row of a change: what, to which entity ("prod/reader" of a catalog role). */
struct err manage_audit(struct txn *txn, const struct iam_call *c, const char *operation, const struct iam_ref *ref, const json_t *details);

/* The entities of a space for which keep says so, in the order of their keys. prefix: of the keys. */
struct manage_query {
    enum iam_kind kind;
    struct str prefix;
    bool (*keep)(const json_t *row, const struct iam_entity *entity, const void *arg); /* NULL: all */
    const void *arg;
};
struct err manage_list(const struct iam_call *c, const struct manage_query *q, struct iam_entity **ret, size_t *ret_count);

/* Is the id in the row's list of roles? */
bool manage_has_role(const json_t *row, uint64_t role_id);

#endif
