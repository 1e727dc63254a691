/* iam_test.c - opening identities: what is made, what is read, what is refused. */
#include "admin/iam/iam.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "admin/iam/fixture_test.h"
#include "storage/base/sysio.h"

static struct err reopen(const struct iam_options *o, bool *made_root)
{
    struct iam *iam = NULL;
    const struct err e = iam_open(o, &iam, made_root);

    iam_close(iam);
    return e;
}

TEST(g1_root_is_made_at_random_and_once)
{
    const char *dir = test_dir();
    struct iam_options o = options_in(dir);
    struct iam *first = NULL, *second = NULL;
    bool made_root = false;
    struct stat st;

    o.root_user = o.root_password = STR_NONE;
    CHECK_OK(iam_open(&o, &first, &made_root));
    CHECK(made_root);
    CHECK_OK(sys_stat(path_in(dir, "data.root"), &st));
    CHECK_U64(st.st_mode & 07777, 0600);
    o.is_new_store = false;
    CHECK_OK(iam_open(&o, &second, &made_root));
    CHECK(!made_root);
    CHECK_STR(iam_root_user(second), iam_root_user(first));
    CHECK_STR(iam_root_password(second), iam_root_password(first));
    CHECK_U64(iam_root_user(first).len, 20);
    CHECK_U64(iam_root_password(first).len, 40);
    iam_close(first);
    iam_close(second);
}

TEST(g1_two_stores_have_two_roots)
{
    struct iam_options a = options_in(test_dir()), b = options_in(test_dir());
    struct iam *x = NULL, *y = NULL;
    bool made_root;

    a.root_user = a.root_password = b.root_user = b.root_password = STR_NONE;
    CHECK_OK(iam_open(&a, &x, &made_root));
    CHECK_OK(iam_open(&b, &y, &made_root));
    CHECK(!str_eq(iam_root_user(x), iam_root_user(y)));
    CHECK(!str_eq(iam_root_password(x), iam_root_password(y)));
    iam_close(x);
    iam_close(y);
}

TEST(a_given_root_wins_and_is_not_written)
{
    const char *dir = test_dir();
    struct iam_options o = options_in(dir);
    struct iam *iam = NULL;
    struct stat st;
    struct secrets secret;
    bool made_root;

    CHECK_OK(iam_open(&o, &iam, &made_root));
    CHECK(!made_root);
    CHECK_ERR(sys_stat(path_in(dir, "data.root"), &st), ERR_NOT_FOUND);
    CHECK_OK(sys_stat(path_in(dir, "data.key"), &st));
    const struct directory *d = directory_of(iam);
    const struct principal *p = directory_find_key(d, STR(ROOT_USER), &secret);
    CHECK(p && principal_is_root(p));
    CHECK_STR(principal_name(p), STR("root"));
    CHECK_U64(secret.count, 1);
    CHECK_STR(secret.items[0], STR(ROOT_PASSWORD));
    CHECK(!directory_find_key(directory_of(iam), STR("AKIAIOSFODNN7EXAMPLF"), &secret));
    CHECK(!directory_find_key(directory_of(iam), STR(""), &secret));
    iam_close(iam);
}

TEST(half_a_root_is_refused)
{
    struct iam_options o = options_in(test_dir());
    bool made_root;

    o.root_password = STR_NONE;
    CHECK_ERR(reopen(&o, &made_root), ERR_INVALID);
    o = options_in(test_dir());
    o.root_user = STR_NONE;
    CHECK_ERR(reopen(&o, &made_root), ERR_INVALID);
    o = options_in(test_dir());
    o.root_user = o.root_password = STR(
        "x"); /* one character is enough: we are not to be stricter than who is replaced */
    CHECK_OK(reopen(&o, &made_root));
}

TEST(g3_a_store_without_its_key_does_not_open)
{
    const char *dir = test_dir();
    struct iam_options o = options_in(dir);
    struct stat st;
    bool made_root;

    o.is_new_store = false;
    CHECK_ERR(reopen(&o, &made_root), ERR_INVALID);
    CHECK_ERR(sys_stat(path_in(dir, "data.key"), &st), ERR_NOT_FOUND);
    o.is_new_store = true;
    CHECK_OK(reopen(&o, &made_root));
    o.is_new_store = false;
    CHECK_OK(reopen(&o, &made_root));
    o.store_id[0] = 8;
    CHECK_ERR(reopen(&o, &made_root), ERR_INVALID);
    o.is_new_store = true;
    CHECK_ERR(reopen(&o, &made_root), ERR_INVALID);
}

TEST(a_key_file_may_be_elsewhere)
{
    const char *dir = test_dir();
    struct iam_options o = options_in(dir);
    struct stat st;
    bool made_root;

    o.key_file = str_from_z(path_in(dir, "other"));
    CHECK_OK(reopen(&o, &made_root));
    CHECK_OK(sys_stat(path_in(dir, "other"), &st));
    CHECK_ERR(sys_stat(path_in(dir, "data.key"), &st), ERR_NOT_FOUND);
}

/* An earlier start was cut off before the store knew its id: the key's id is taken again. */
TEST(a_cut_off_first_start_can_be_repeated)
{
    struct iam_options o = options_in(test_dir());
    uint8_t first[16], second[16];
    bool made_root;

    CHECK_OK(iam_choose_store_id(o.data_dir, STR_NONE, first));
    CHECK_OK(iam_choose_store_id(o.data_dir, STR_NONE, second));
    CHECK(memcmp(first, second, 16) != 0);
    memcpy(o.store_id, first, 16);
    CHECK_OK(reopen(&o, &made_root));
    CHECK_OK(iam_choose_store_id(o.data_dir, STR_NONE, second));
    CHECK(memcmp(first, second, 16) == 0);
    CHECK_OK(reopen(&o, &made_root));
}

/* Whichever call fails, a later start finds the files whole or makes them. */
TEST(a_first_start_survives_any_failure)
{
    bool struck = true;

    for (uint64_t n = 0; struck; n++) {
        struct iam_options o = options_in(test_dir());
        struct iam *iam = NULL;
        bool made_root = false;
        o.root_user = o.root_password = STR_NONE;
        fault_arm(FAULT_ALL, n, EIO);
        const struct err e = iam_open(&o, &iam, &made_root);
        struck = fault_disarm();
        CHECK(struck || e.code == ERR_OK);
        iam_close(iam);
        iam = NULL;
        CHECK_OK(iam_open(&o, &iam, &made_root));
        CHECK_U64(iam_root_password(iam).len, 40);
        iam_close(iam);
    }
}

TEST(identities_are_found_by_key_and_by_name)
{
    struct iam *iam = iam_with(
        "{\"identities\":[{\"name\":\"a\",\"credentials\":[{\"accessKey\":\"k1\",\"secretKey\":\"s1\"},"
        "{\"accessKey\":\"k2\",\"secretKey\":\"s2\"}]},{\"name\":\"b\",\"credentials\":[{\"accessKey\":\"k3\","
        "\"secretKey\":\"s3\"}]}]}");
    struct secrets secret;

    CHECK(directory_find_key(directory_of(iam), STR("k1"), &secret) == principal_called(iam, "a"));
    CHECK_STR(secret.items[0], STR("s1"));
    CHECK(directory_find_key(directory_of(iam), STR("k2"), &secret) == principal_called(iam, "a"));
    CHECK(directory_find_key(directory_of(iam), STR("k3"), &secret) == principal_called(iam, "b"));
    CHECK_STR(secret.items[0], STR("s3"));
    CHECK(!directory_find_key(directory_of(iam), STR("k"), &secret));
    CHECK(!principal_called(iam, "c"));
    CHECK(!directory_anonymous(directory_of(iam)));
    CHECK(!principal_is_root(principal_called(iam, "a")));
    iam_close(iam);
}

static struct err open_with(const char *identities, const char *anonymous)
{
    struct iam_options o = options_in(test_dir());
    bool made_root;

    o.identities_file = str_from_z(file_with("s3.json", identities));
    if (anonymous) o.anonymous_principal = str_from_z(anonymous);
    return reopen(&o, &made_root);
}

TEST(what_is_given_twice_is_refused)
{
    const struct err name = open_with("{\"identities\":[{\"name\":\"a\"},{\"name\":\"a\"}]}", NULL);
    CHECK_ERR(name, ERR_INVALID);
    CHECK(strstr(name.why, "'a'"));
    const struct err key = open_with(
        "{\"identities\":[{\"name\":\"a\",\"credentials\":[{\"accessKey\":\"k\",\"secretKey\":\"hidden\"}]},"
        "{\"name\":\"b\",\"credentials\":[{\"accessKey\":\"k\",\"secretKey\":\"hidden\"}]}]}",
        NULL);
    CHECK_ERR(key, ERR_INVALID);
    CHECK(strstr(key.why, "'k'") && !strstr(key.why, "hidden"));
    CHECK_ERR(open_with("{\"identities\":[{\"name\":\"a\",\"credentials\":[{\"accessKey\":\"" ROOT_USER
                        "\",\"secretKey\":\"s\"}]}]}",
                        NULL),
              ERR_INVALID);
}

TEST(g3_a_wrong_identities_file_stops_the_start)
{
    struct iam_options o = options_in(test_dir());
    bool made_root;

    const struct err e = open_with("{\"identities\":[{\"name\":\"a\",\"actions\":[\"Raed\"]}]}", NULL);
    CHECK_ERR(e, ERR_INVALID);
    CHECK(strstr(e.why, "s3.json: identities[0] (a): unknown action 'Raed'"));
    o.identities_file = str_from_z(path_in(test_dir(), "none.json"));
    CHECK_ERR(reopen(&o, &made_root), ERR_INVALID);
}

TEST(anonymous_is_the_setting_or_the_identity_of_that_name)
{
    struct iam_options o = options_in(test_dir());
    struct iam *iam = iam_with(
        "{\"identities\":[{\"name\":\"anonymous\",\"actions\":[\"Read\"]},{\"name\":\"a\"}]}");
    bool made_root;

    CHECK(directory_anonymous(directory_of(iam))
          && str_is(principal_name(directory_anonymous(directory_of(iam))), "anonymous"));
    iam_close(iam);
    iam = NULL;
    o.identities_file = str_from_z(
        file_with("s3.json", "{\"identities\":[{\"name\":\"anonymous\"},{\"name\":\"a\"}]}"));
    o.anonymous_principal = STR("a");
    CHECK_OK(iam_open(&o, &iam, &made_root));
    CHECK(str_is(principal_name(directory_anonymous(directory_of(iam))), "a"));
    iam_close(iam);
    CHECK_ERR(open_with("{}", "nobody"), ERR_INVALID);
    CHECK_OK(open_with("{}", "root"));
}

TEST(derived_keys_differ_by_purpose_and_last)
{
    struct iam_options o = options_in(test_dir());
    struct iam *iam = NULL;
    uint8_t token[32], vended[32], again[32];
    bool made_root;

    CHECK_OK(iam_open(&o, &iam, &made_root));
    iam_derive_key(iam, "token", token);
    iam_derive_key(iam, "vended", vended);
    CHECK(memcmp(token, vended, 32) != 0);
    iam_close(iam);
    CHECK_OK(iam_open(&o, &iam, &made_root));
    iam_derive_key(iam, "token", again);
    CHECK(memcmp(token, again, 32) == 0);
    CHECK(!iam_close(iam));
    CHECK(!iam_close(NULL));
}
