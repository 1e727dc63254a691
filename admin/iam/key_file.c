/*
 * key_file.c - reading and making DIR.key and DIR.root.
 *
 * DIR.key:
 *   firn-key 1
 *   store 32 hex digits
 *   key 64 hex digits
 *   check 16 hex digits      the first 8 bytes of HMAC-SHA256(key, "check" || store): a mistyped key is told from a right one
 * DIR.root: lines VARIABLE=value that a shell and the server's environment take as they are; '#' begins a comment.
 */
#include "admin/iam/key_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/iam/s3_json.h"
#include "storage/base/buf.h"
#include "storage/base/digest.h"
#include "storage/base/encode.h"
#include "storage/base/ids.h"
#include "storage/base/sysio.h"
#include "storage/base/thread.h"

#define FILE_BYTES_MAX 4096 /* ours have 200; people may add comments */
#define CHECK_BYTES 8
#define ROOT_USER_DIGITS 18     /* with "FR" before them the 20 characters that an AWS access key has */
#define ROOT_PASSWORD_DIGITS 40 /* 200 bits; no '+' and '/', which get lost in URLs and shells */

/* What a secret is read from or written to: wiped before it is freed. */
struct secret_text {
    char *data;
    size_t len;
};

static void secret_text_done(struct secret_text *t)
{
    if (t->data) bytes_wipe(t->data, t->len);
    free(t->data);
}

/* ---- both files ---- */

struct err path_beside(struct str dir, const char *suffix, struct arena *arena, const char **ret)
{
    while (dir.len > 1 && str_ends(dir, STR("/"))) dir.len--;
    const size_t slash = str_rfind_char(dir, '/');
    const struct str name = slash < dir.len ? str_from(dir, slash + 1) : dir;
    if (!name.len || str_is(name, ".") || str_is(name, ".."))
        return err_fail(ERR_INVALID,
                        "data directory '%.*s': call it by its name, since files stand beside it",
                        STR_ARG(dir));
    const struct str path = arena_printf(arena, "%.*s%s", STR_ARG(dir), suffix);
    if (!path.data) return no_memory();
    *ret = path.data;
    return OK;
}

static struct err read_secret_file(const char *path, struct secret_text *ret)
{
    struct stat st;

    TRY(sys_stat(path, &st));
    if (!S_ISREG(st.st_mode)) return err_fail(ERR_INVALID, "%s is not a file", path);
    if (st.st_mode & 077)
        return err_fail(ERR_INVALID, "%s is open to others than its owner: chmod 600 %s", path, path);
    const struct err e = sys_read_file(path, FILE_BYTES_MAX, &ret->data, &ret->len);
    if (e.code == ERR_TOO_LARGE) return err_fail(ERR_INVALID, "%s is too large to be what it should", path);
    return e;
}

/* ---- the master key ---- */

static void check_of(const struct master_key *k, uint8_t out[32])
{
    char message[5 + sizeof(k->store_id)] = "check";

    memcpy(message + 5, k->store_id, sizeof(k->store_id));
    hmac_sha256(str_of(k->key, sizeof(k->key)), str_of(message, sizeof(message)), out);
}

/* "word HEX": the bytes. */
static bool read_line(struct str_split *lines, const char *word, uint8_t *out, size_t len)
{
    struct str line, name;

    if (!str_split_next(lines, &line)) return false;
    const struct str value = str_cut(line, ' ', &name);
    return str_is(name, word) && hex_from(value, out, len);
}

static bool parse_key(struct str text, struct master_key *key)
{
    struct str_split lines = str_split_on(text, '\n');
    uint8_t given[CHECK_BYTES], check[32];
    struct str line;

    if (!str_split_next(&lines, &line) || !str_is(line, "firn-key 1")) return false;
    if (!read_line(&lines, "store", key->store_id, sizeof(key->store_id))) return false;
    if (!read_line(&lines, "key", key->key, sizeof(key->key))) return false;
    if (!read_line(&lines, "check", given, sizeof(given))) return false;
    check_of(key, check);
    return memcmp(given, check, sizeof(given)) == 0;
}

struct err key_file_read(const char *path, struct master_key *ret)
{
    CLEANUP(secret_text_done) struct secret_text text = { NULL, 0 };
    struct master_key key;

    TRY(read_secret_file(path, &text));
    const bool is_good = parse_key(str_of(text.data, text.len), &key);
    if (is_good) *ret = key;
    bytes_wipe(&key, sizeof(key));
    return is_good ? OK
                   : err_fail(ERR_INVALID, "%s is not a key file of this version, or it is damaged", path);
}

static struct err write_key(const char *path, const struct master_key *key)
{
    char store[2 * sizeof(key->store_id) + 1], hex[2 * sizeof(key->key) + 1], check_hex[2 * CHECK_BYTES + 1];
    char text[256];
    uint8_t check[32];

    check_of(key, check);
    hex_z(key->store_id, sizeof(key->store_id), store);
    hex_z(key->key, sizeof(key->key), hex);
    hex_z(check, CHECK_BYTES, check_hex);
    const int len = snprintf(text, sizeof(text), "firn-key 1\nstore %s\nkey %s\ncheck %s\n", store, hex,
                             check_hex);
    const struct err e = sys_write_file(path, str_of(text, (size_t)len), 0600);
    bytes_wipe(hex, sizeof(hex));
    bytes_wipe(text, sizeof(text));
    return e;
}

struct err key_file_make(const char *path, const uint8_t store_id[16], struct master_key *ret)
{
    struct master_key key;

    memcpy(key.store_id, store_id, sizeof(key.store_id));
    ids_random(key.key, sizeof(key.key));
    const struct err e = write_key(path, &key);
    if (e.code == ERR_OK) *ret = key;
    bytes_wipe(&key, sizeof(key));
    return e;
}

/* ---- root ---- */

static struct err bad_line(const char *path, int number, const char *why)
{
    return err_fail(ERR_INVALID, "%s, line %d: %s", path, number, why);
}

/* One line; the views are into the file's text. */
static struct err read_root_line(const char *path, int number, struct str line, struct str *user,
                                 struct str *password)
{
    struct str name;
    const struct str value = str_cut(line, '=', &name);

    if (!str_trim(line).len || line.data[0] == '#') return OK;
    struct str *field = str_is(name, "FIRN_ROOT_USER") ? user
        : str_is(name, "FIRN_ROOT_PASSWORD")           ? password
                                                       : NULL;
    if (!field) return bad_line(path, number, "wanted FIRN_ROOT_USER= or FIRN_ROOT_PASSWORD=");
    if (field->data) return bad_line(path, number, "given twice");
    if (!value.len || value.len > LIMIT_CREDENTIAL)
        return bad_line(path, number, "the value is empty or too long");
    *field = value;
    return OK;
}

struct err root_file_read(const char *path, struct arena *arena, struct str *ret_user,
                          struct str *ret_password)
{
    CLEANUP(secret_text_done) struct secret_text text = { NULL, 0 };
    struct str user = STR_NONE, password = STR_NONE, line;
    int number = 0;

    TRY(read_secret_file(path, &text));
    for (struct str_split it = str_split_on(str_of(text.data, text.len), '\n'); str_split_next(&it, &line);)
        TRY(read_root_line(path, ++number, line, &user, &password));
    if (!user.data || !password.data)
        return err_fail(ERR_INVALID, "%s must have FIRN_ROOT_USER and FIRN_ROOT_PASSWORD", path);
    user = arena_str(arena, user);
    password = arena_str(arena, password);
    if (!user.data || !password.data) return no_memory();
    *ret_user = user;
    *ret_password = password;
    return OK;
}

struct err root_file_make(const char *path, struct arena *arena, struct str *ret_user,
                          struct str *ret_password)
{
    char user[2 + ROOT_USER_DIGITS + 1] = "FR", password[ROOT_PASSWORD_DIGITS + 1], text[512];

    ids_base32(user + 2, ROOT_USER_DIGITS);
    ids_base32(password, ROOT_PASSWORD_DIGITS);
    const int len = snprintf(
        text, sizeof(text),
        "# Root of the store beside this file: access key and secret key, client id and secret. Keep it to yourself.\n"
        "# Made at the first start. To have others made, stop the server and remove this file.\n"
        "FIRN_ROOT_USER=%s\nFIRN_ROOT_PASSWORD=%s\n",
        user, password);
    const struct err e = sys_write_file(path, str_of(text, (size_t)len), 0600);
    if (e.code == ERR_OK) {
        *ret_user = arena_str(arena, str_from_z(user));
        *ret_password = arena_str(arena, str_from_z(password));
    }
    bytes_wipe(password, sizeof(password));
    bytes_wipe(text, sizeof(text));
    if (e.code == ERR_OK && (!ret_user->data || !ret_password->data)) return no_memory();
    return e;
}
