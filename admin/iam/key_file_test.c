/* key_file_test.c - the two files beside the data directory. */
#include "admin/iam/key_file.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "admin/iam/fixture_test.h"
#include "storage/base/sysio.h"

static const uint8_t store_id[16] = { 1, 2, 3 };

static mode_t mode_of(const char *path)
{
    struct stat st;

    CHECK_OK(sys_stat(path, &st));
    return st.st_mode & 07777;
}

TEST(a_key_is_read_as_it_was_made)
{
    const char *path = path_in(test_dir(), "data.key");
    struct master_key made, read;

    CHECK_ERR(key_file_read(path, &read), ERR_NOT_FOUND);
    CHECK_OK(key_file_make(path, store_id, &made));
    CHECK_U64(mode_of(path), 0600);
    CHECK_OK(key_file_read(path, &read));
    CHECK(memcmp(&made, &read, sizeof(made)) == 0);
    CHECK(memcmp(read.store_id, store_id, sizeof(store_id)) == 0);
}

TEST(two_keys_differ)
{
    struct master_key a, b;

    CHECK_OK(key_file_make(path_in(test_dir(), "a"), store_id, &a));
    CHECK_OK(key_file_make(path_in(test_dir(), "b"), store_id, &b));
    CHECK(memcmp(a.key, b.key, sizeof(a.key)) != 0);
}

TEST(g3_a_key_that_others_may_read_is_refused)
{
    static const mode_t modes[] = { 0604, 0640, 0644, 0666, 0620, 0610 };
    const char *path = path_in(test_dir(), "data.key");
    struct master_key key;

    CHECK_OK(key_file_make(path, store_id, &key));
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        CHECK(chmod(path, modes[i]) == 0);
        const struct err e = key_file_read(path, &key);
        CHECK_ERR(e, ERR_INVALID);
        CHECK(strstr(e.why, "chmod 600"));
    }
    CHECK(chmod(path, 0400) == 0);
    CHECK_OK(key_file_read(path, &key));
}

TEST(a_damaged_key_is_refused)
{
    static const char *const texts[] = {
        "",
        "firn-key 1\n",
        "firn-key 2\nstore 0\n",
        "firn-key 1\nstore 01020300000000000000000000000000\n"
        "key 0000000000000000000000000000000000000000000000000000000000000000\ncheck 0000000000000000\n",
    };
    struct master_key key;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        CHECK_ERR(key_file_read(file_with("data.key", texts[i]), &key), ERR_INVALID);
    CHECK_ERR(key_file_read(test_dir(), &key), ERR_INVALID);
}

TEST(one_wrong_digit_of_a_key_is_noticed)
{
    const char *path = path_in(test_dir(), "data.key");
    struct master_key key;
    char *text;
    size_t len;

    CHECK_OK(key_file_make(path, store_id, &key));
    CHECK_OK(sys_read_file(path, 4096, &text, &len));
    for (size_t i = 0; i < len; i++) {
        const char was = text[i];
        if (was == '\n' || i + 1 == len) continue;
        text[i] = was == '0' ? '1' : '0';
        CHECK_ERR(key_file_read(file_with("changed.key", text), &key), ERR_INVALID);
        text[i] = was;
    }
    free(text);
}

TEST(root_is_read_as_it_was_made)
{
    const char *path = path_in(test_dir(), "data.root");
    struct arena *arena = arena_new(1 << 16);
    struct str user, password, user_read, password_read;

    CHECK_OK(root_file_make(path, arena, &user, &password));
    CHECK_U64(mode_of(path), 0600);
    CHECK_U64(user.len, 20);
    CHECK_U64(password.len, 40);
    CHECK_OK(root_file_read(path, arena, &user_read, &password_read));
    CHECK_STR(user_read, user);
    CHECK_STR(password_read, password);
    arena_free(arena);
}

TEST(a_wrong_root_file_is_refused_by_its_line)
{
    static const struct {
        const char *text, *named;
    } rows[] = {
        { "", "must have" },
        { "FIRN_ROOT_USER=a\n", "must have" },
        { "FIRN_ROOT_USER=a\nFIRN_ROOT_PASSWORD=\n", "line 2" },
        { "FIRN_ROOT_USER=a\nFIRN_ROOT_USER=b\n", "line 2" },
        { "# x\n\nexport FIRN_ROOT_USER=a\n", "line 3" },
        { "FIRN_ROOT_PASSWORD\n", "line 1" },
    };
    struct arena *arena = arena_new(1 << 16);
    struct str user, password;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct err e = root_file_read(file_with("data.root", rows[i].text), arena, &user, &password);
        CHECK_ERR(e, ERR_INVALID);
        CHECK(strstr(e.why, rows[i].named));
    }
    arena_free(arena);
}

TEST(files_stand_beside_the_directory)
{
    static const struct {
        const char *dir, *path; /* NULL: refused */
    } rows[] = {
        { "/var/lib/firn/data", "/var/lib/firn/data.key" },
        { "/d/", "/d.key" },
        { "d", "d.key" },
        { "./d//", "./d.key" },
        { "", NULL },
        { ".", NULL },
        { "..", NULL },
        { "/", NULL },
        { "a/..", NULL },
        { "a/./", NULL },
    };
    struct arena *arena = arena_new(1 << 16);
    const char *path;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct err e = path_beside(str_from_z(rows[i].dir), ".key", arena, &path);
        CHECK_ERR(e, rows[i].path ? ERR_OK : ERR_INVALID);
        if (rows[i].path) CHECK_STR(str_from_z(path), str_from_z(rows[i].path));
    }
    arena_free(arena);
}
