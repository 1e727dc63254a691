/*
 * transfer.h - bodies on their way: up from a file, down to a file, or within the server. progress may be NULL.
 */
#ifndef ADMIN_CLI_TRANSFER_H
#define ADMIN_CLI_TRANSFER_H

#include "admin/cli/objects.h"

/* A file of any size: in one piece, or in parts, which are given up if one fails. ERR_INVALID_ARGUMENT: it is no regular file. */
struct err transfer_up(struct cli *cli, const char *file_name, struct remote to, struct progress *progress);

/* To a file, which is then there whole; on failure it is as it was. */
struct err transfer_down(struct cli *cli, struct remote from, const char *file_name, struct progress *progress);

/* Up to 5 GiB, which is S3's limit for one copy. */
struct err transfer_within(struct cli *cli, struct remote from, struct remote to);

#endif
