/*
 * progress.h - one line on the terminal that says how far long work is; nothing when stderr is not a terminal.
 */
#ifndef ADMIN_CLI_PROGRESS_H
#define ADMIN_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/base/str.h"

struct progress {
    bool is_shown;
    int64_t last_ms; /* it is written a few times a second, not for each step */
};

void progress_begin(struct progress *p);
/* "done of total: name"; total 0: not known. Bytes are printed as sizes. */
void progress_count(struct progress *p, uint64_t done, uint64_t total, struct str name);
void progress_bytes(struct progress *p, uint64_t done, uint64_t total, struct str name);
void progress_end(struct progress *p); /* takes the line away */

#endif
