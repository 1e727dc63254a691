/*
 * ids.h - names that nobody else has.
 */
#ifndef STORAGE_BASE_IDS_H
#define STORAGE_BASE_IDS_H

#include <stddef.h>
#include <stdint.h>

void ids_random(void *out, size_t len); /* from the kernel; aborts the process if the kernel has none */

#define UUID_TEXT_SIZE 37
void ids_uuid(char out[UUID_TEXT_SIZE]);         /* random (version 4), lower case */
void ids_hex(char *out, size_t hex_digits);      /* random lower-case hex, NUL-terminated: hex_digits + 1 bytes */
void ids_base32(char *out, size_t digits);       /* random A-Z2-7, NUL-terminated */

/* A 16-byte uid, unique for good: 8 bytes time (ms, big-endian, never going back within the process) and 8 random. Orders by time,
 * and those of one process are strictly ascending; so, within one millisecond, they are unique but not hard to guess. */
struct uid {
    uint8_t bytes[16];
};
struct uid ids_uid(void);

#endif
