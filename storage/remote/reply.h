/*
 * reply.h - what an S3 endpoint says when it refuses: bytes of a stranger, of which no more than a code is taken.
 */
#ifndef STORAGE_REMOTE_REPLY_H
#define STORAGE_REMOTE_REPLY_H

#include "storage/base/str.h"

enum { REMOTE_CODE_MAX = 64 };

/* The text of the document's first <Code>: letters, digits and dots, REMOTE_CODE_MAX at most. Anything else: empty. */
struct str remote_error_code(struct str body);

#endif
