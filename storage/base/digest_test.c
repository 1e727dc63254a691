/* digest_test.c - known answers of the standards, and sealed texts that notice any change. */
#include "storage/base/digest.h"

#include <stdlib.h>

#include "storage/base/encode.h"
#include "tests/unit/test.h"

static void check_value(struct digest_value got, const char *want_hex)
{
    char hex[2 * DIGEST_BYTES_MAX + 1];

    hex_z(got.bytes, got.len, hex);
    CHECK_STR(str_from_z(hex), str_from_z(want_hex));
}

#define TWO_BLOCKS "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"

/* RFC 1321 A.5; FIPS 180-4 examples (NIST CSRC); the CRC catalogue's check values. */
static const struct {
    enum digest_kind kind;
    const char *text, *hex;
} known[] = {
    { DIGEST_NONE, "abc", "" },
    { DIGEST_MD5, "", "d41d8cd98f00b204e9800998ecf8427e" },
    { DIGEST_MD5, "message digest", "f96b697d7cb7938d525a2f31aaf161d0" },
    { DIGEST_SHA1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d" },
    { DIGEST_SHA1, TWO_BLOCKS, "84983e441c3bd26ebaae4aa1f95129e5e54670f1" },
    { DIGEST_SHA256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
    { DIGEST_SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    { DIGEST_SHA256, TWO_BLOCKS, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
    { DIGEST_CRC32, "123456789", "cbf43926" },
    { DIGEST_CRC32C, "123456789", "e3069283" },
    { DIGEST_CRC64NVME, "123456789", "ae8b14860a799888" },
};

TEST(digests_give_the_known_answers)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        const size_t len = strlen(known[i].text);
        struct digest d;

        check_value(digest_of(known[i].kind, known[i].text, len), known[i].hex);
        CHECK_U64(digest_bytes(known[i].kind), strlen(known[i].hex) / 2);

        CHECK_OK(digest_init(&d, known[i].kind));
        for (size_t at = 0; at < len; at++) digest_update(&d, known[i].text + at, 1);
        digest_update(&d, NULL, 0);
        check_value(digest_final(&d), known[i].hex);
        digest_done(&d);
        digest_done(&d);
    }
}

/* FIPS 180-4: one million "a". */
TEST(a_long_text_gives_the_known_answer)
{
    struct digest d;
    char block[1000];

    memset(block, 'a', sizeof(block));
    CHECK_OK(digest_init(&d, DIGEST_SHA256));
    for (int i = 0; i < 1000; i++) digest_update(&d, block, sizeof(block));
    check_value(digest_final(&d), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    digest_done(&d);
}

TEST(a_zeroed_digest_may_be_done)
{
    struct digest d = { 0 };

    digest_done(&d);
    digest_done(&d);
}

/* RFC 4231, cases 1 to 4, 6 and 7 (5 is of a truncated tag). Keys are runs of one byte, but for 2 and 4. */
TEST(hmac_gives_the_answers_of_rfc_4231)
{
    char long_key[131], key_1[20], key_3[20], data_3[50], data_4[50], key_4[25], hex[65];
    uint8_t out[32];

    memset(long_key, 0xaa, sizeof(long_key));
    memset(key_1, 0x0b, sizeof(key_1));
    memset(key_3, 0xaa, sizeof(key_3));
    memset(data_3, 0xdd, sizeof(data_3));
    memset(data_4, 0xcd, sizeof(data_4));
    for (int i = 0; i < 25; i++) key_4[i] = (char)(i + 1);
    const struct {
        struct str key, data;
        const char *hex;
    } rows[] = {
        { str_of(key_1, 20), STR("Hi There"),
          "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
        { STR("Jefe"), STR("what do ya want for nothing?"),
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
        { str_of(key_3, 20), str_of(data_3, 50),
          "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
        { str_of(key_4, 25), str_of(data_4, 50),
          "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b" },
        { str_of(long_key, 131), STR("Test Using Larger Than Block-Size Key - Hash Key First"),
          "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
        { str_of(long_key, 131),
          STR("This is a test using a larger than block-size key and a larger than block-size data. The key needs "
              "to be hashed before being used by the HMAC algorithm."),
          "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2" },
        /* Not of the RFC: nothing at all. */
        { STR_NONE, STR_NONE, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad" },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        hmac_sha256(rows[i].key, rows[i].data, out);
        hex_z(out, sizeof(out), hex);
        CHECK_STR(str_from_z(hex), str_from_z(rows[i].hex));
    }
}

/* The output may be the key: a chain of keys (SigV4) needs no second place. */
TEST(hmac_may_write_over_its_key)
{
    uint8_t key[32] = "0123456789abcdef0123456789abcde", want[32];

    hmac_sha256(str_of(key, 32), STR("20261121"), want);
    hmac_sha256(str_of(key, 32), STR("20261121"), key);
    CHECK(!memcmp(key, want, 32));
}

TEST(secrets_are_equal_only_as_a_whole)
{
    CHECK(bytes_equal_secret(STR("abc"), STR("abc")));
    CHECK(!bytes_equal_secret(STR("abc"), STR("abd")));
    CHECK(!bytes_equal_secret(STR("abc"), STR("ab")));
    CHECK(bytes_equal_secret(STR_NONE, STR("")));
    CHECK(!bytes_equal_secret(STR_NONE, STR("a")));
}

TEST(wiped_bytes_are_zero)
{
    char secret[] = "secret";

    bytes_wipe(secret, sizeof(secret));
    for (size_t i = 0; i < sizeof(secret); i++) CHECK(!secret[i]);
    bytes_wipe(NULL, 0);
}

/* ---- sealing ---- */

static const uint8_t key_a[32] = { 1 }, key_b[32] = { 2 };

/* McGrew and Viega's GCM specification, test cases 13 and 14: zero key, zero nonce. */
TEST(unseal_takes_the_known_answers)
{
    static const uint8_t zero_key[32];
    uint8_t sealed[44], plain[16];

    CHECK(hex_from(STR("000000000000000000000000530f8afbc74536b9a963b4f1c4cb738b"), sealed, 28));
    CHECK_OK(unseal(zero_key, STR_NONE, str_of(sealed, 28), plain));
    CHECK(hex_from(
        STR("000000000000000000000000cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"),
        sealed, 44));
    CHECK_OK(unseal(zero_key, STR_NONE, str_of(sealed, 44), plain));
    CHECK(!memcmp(plain, zero_key, 16));
}

TEST(what_is_sealed_is_unsealed)
{
    static const size_t lens[] = { 0, 1, 15, 16, 17, 1000, 70000 };
    char *const plain = malloc(70000);
    uint8_t *const sealed = malloc(70000 + SEAL_OVERHEAD), *const back = malloc(70000);

    memset(plain, 'p', 70000);
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        CHECK_OK(seal(key_a, STR("for"), str_of(plain, lens[i]), sealed));
        CHECK_OK(unseal(key_a, STR("for"), str_of(sealed, lens[i] + SEAL_OVERHEAD), back));
        CHECK(!memcmp(plain, back, lens[i]));
    }
    free(plain);
    free(sealed);
    free(back);
}

TEST(any_change_of_a_sealed_text_is_noticed)
{
    uint8_t sealed[10 + SEAL_OVERHEAD], back[10];
    const struct str all = str_of(sealed, sizeof(sealed));

    CHECK_OK(seal(key_a, STR("for"), STR("0123456789"), sealed));
    for (size_t bit = 0; bit < 8 * sizeof(sealed); bit++) {
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK_ERR(unseal(key_a, STR("for"), all, back), ERR_CORRUPT);
        for (size_t i = 0; i < sizeof(back); i++) CHECK(!back[i]);
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t len = 0; len < all.len; len++)
        CHECK_ERR(unseal(key_a, STR("for"), str_slice(all, 0, len), back), ERR_CORRUPT);
    CHECK_ERR(unseal(key_a, STR("other"), all, back), ERR_CORRUPT);
    CHECK_ERR(unseal(key_b, STR("for"), all, back), ERR_CORRUPT);
    CHECK_OK(unseal(key_a, STR("for"), all, back));
}

TEST(the_same_text_is_never_sealed_the_same)
{
    uint8_t first[3 + SEAL_OVERHEAD], second[3 + SEAL_OVERHEAD];

    CHECK_OK(seal(key_a, STR_NONE, STR("abc"), first));
    CHECK_OK(seal(key_a, STR_NONE, STR("abc"), second));
    CHECK(memcmp(first, second, sizeof(first)) != 0);
}
