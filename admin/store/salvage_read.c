/*
 * salvage_read.c - reading from a disk that is failing. A read of many blocks fails for one of them; then they are asked for one by one, and zeros stand for those that do not come: nothing takes zeros for a batch, a footer or a row.
 */
#include <string.h>

#include "admin/store/salvage_state.h"
#include "storage/base/sysio.h"

#define BLOCK 4096u /* a page of the page cache, which is what fails for a sector in it */

static bool is_of_disk(struct err e)
{
    return e.code == ERR_IO;
}

/* One block or what the file has of it; *ret_len as of sys_pread. */
static struct err block_read(int fd, void *out, size_t len, uint64_t at, size_t *ret_len,
                             uint64_t *unreadable)
{
    const struct err e = sys_pread(fd, out, len, at, ret_len);

    if (!is_of_disk(e)) return e;
    memset(out, 0, len);
    *ret_len = len;
    ++*unreadable;
    return OK;
}

struct err salvage_read(int fd, void *out, size_t len, uint64_t at, size_t *ret_len, uint64_t *unreadable)
{
    struct stat st;
    size_t done = 0, n = 1;

    TRY(sys_fstat(fd, &st));
    const uint64_t size = (uint64_t)st.st_size, left = at < size ? size - at : 0;
    if (len > left) len = (size_t)left;
    while (n && done < len) {
        const struct err e = sys_pread(fd, (char *)out + done, len - done, at + done, &n);
        if (!is_of_disk(e)) TRY(e);
        if (e.code) break;
        done += n;
    }
    while (n && done < len) {
        const size_t block = BLOCK - (at + done) % BLOCK;
        TRY(block_read(fd, (char *)out + done, block < len - done ? block : len - done, at + done, &n,
                       unreadable));
        done += n;
    }
    *ret_len = done;
    return OK;
}

bool salvage_passes_over(struct err e, struct salvage_result *r)
{
    const bool is_passed = e.code == ERR_IO || e.code == ERR_TOO_LARGE;

    r->unreadable += is_passed;
    return is_passed;
}
