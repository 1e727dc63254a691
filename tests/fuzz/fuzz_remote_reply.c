/* fuzz_remote_reply.c - an error document of any bytes: nothing, or a short plain word out of it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "storage/remote/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const struct str body = str_of(data, len), word = remote_error_code(body);

    if (word.len > REMOTE_CODE_MAX) abort();
    if (word.len && (word.data < body.data || word.data + word.len > body.data + body.len)) abort();
    for (size_t i = 0; i < word.len; i++) {
        if (strchr("<>&\"'\r\n ", word.data[i])) abort();
    }
    return 0;
}
