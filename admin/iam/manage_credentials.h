/*
 * manage_credentials.h - the client id and the secrets in a principal's row. For the files manage_*.c alone.
 */
#ifndef ADMIN_IAM_MANAGE_CREDENTIALS_H
#define ADMIN_IAM_MANAGE_CREDENTIALS_H

#include "admin/iam/manage_row.h"

/* Random ones, in the form that Polaris has: 16 and 32 hex digits. */
struct err credentials_make(struct arena *arena, struct iam_credentials *ret);
/* Into the row (not yet put back): they alone are live. The client id is taken for it; ERR_EXISTS: it is another's. */
struct err credentials_put(struct txn *txn, const struct iam_call *c, struct manage_row *row, struct str principal, const struct iam_credentials *credentials);
/* The row goes: its client id is free. */
struct err credentials_forget(struct txn *txn, const json_t *row);

#endif
