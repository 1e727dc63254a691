/* fuzz_jdbc.c - a JDBC URL, user and password (a line each): what is accepted is a libpq URL whose credentials end before the host, whatever bytes they have. */
#include <stdlib.h>

#include "server/jdbc.h"
#include "storage/base/encode.h"
#include "storage/base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool claim)
{
    if (!claim) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct arena *arena = arena_new(1 * MIB);
    struct jdbc j = { 0 };
    struct str store, rest = str_cut(str_of(data, len), '\n', &j.url), authority, credentials;

    j.password = str_cut(rest, '\n', &j.user);
    if (jdbc_store(&j, arena, &store).code == ERR_OK && store.len) {
        must(str_starts(store, STR("postgresql://")));
        (void)str_cut(str_from(store, 13), '/', &authority);
        const struct str host = str_cut(authority, '@', &credentials);
        must(!str_contains(host, STR("@")));
        if (j.user.len && j.password.len) {
            struct str user, decoded;
            const struct str password = str_cut(credentials, ':', &user);
            decoded = percent_str(arena, user, false);
            must(decoded.data && str_eq(decoded, j.user));
            decoded = percent_str(arena, password, false);
            must(decoded.data && str_eq(decoded, j.password));
        }
    }
    arena_free(arena);
    return 0;
}
