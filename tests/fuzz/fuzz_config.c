/* fuzz_config.c - a configuration file of any bytes: refused, or read into settings whose numbers are within their bounds; and a refusal says why. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/config.h"
#include "storage/base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static char *no_environment[] = { NULL };
    const int fd = memfd_create("config", MFD_CLOEXEC);
    char flag[] = "--config", path[64];
    char *argv[] = { flag, path, NULL };
    struct arena *arena = arena_new(16 * MIB);
    struct config config;

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (fd < 0 || write(fd, data, len) != (ssize_t)len) abort();
    const struct err e = config_load(2, argv, no_environment, arena, &config);
    if (e.code != ERR_OK && !e.why) abort();
    if (e.code == ERR_OK && (config.token_ttl_s < 60 || config.vended_ttl_s > 604800 || config.catalogs.count > CONFIG_LIST_MAX)) abort();
    for (size_t i = 0; e.code == ERR_OK && i < config.catalogs.count; i++) {
        if (!config.catalogs.items[i].data) abort();
    }
    arena_free(arena);
    close(fd);
    return 0;
}
