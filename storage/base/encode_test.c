#include "storage/base/encode.h"

#include "storage/base/thread.h"
#include "tests/unit/test.h"

static char room[1024];

static void all_bytes(unsigned char bytes[256])
{
    for (int i = 0; i < 256; i++) bytes[i] = (unsigned char)i;
}

TEST(hex_goes_there_and_back)
{
    CLEANUP(buf_done) struct buf b;
    unsigned char bytes[256], back[256];

    all_bytes(bytes);
    buf_init(&b, 512);
    hex_to(&b, str_of(bytes, 256));
    CHECK(hex_from(buf_view(&b), back, 256) && memcmp(bytes, back, 256) == 0);

    hex_z("\x00\xaf\xff", 3, room);
    CHECK_STR(str_from_z(room), STR("00afff"));
    CHECK(hex_from(STR("00AfFF"), back, 3) && back[1] == 0xaf);
    CHECK(hex_from(STR_NONE, back, 0));
    CHECK(!hex_from(STR("0"), back, 0) && !hex_from(STR("000"), back, 1) && !hex_from(STR("00"), back, 2));
    CHECK(!hex_from(STR("0g"), back, 1) && !hex_from(STR(" 0"), back, 1) && !hex_from(STR("-1"), back, 1));
}

/* RFC 4648 section 10, and a pair that needs both special digits. */
static const struct {
    const char *bytes, *plain, *url;
} base64_rows[] = {
    { "", "", "" },
    { "f", "Zg==", "Zg" },
    { "fo", "Zm8=", "Zm8" },
    { "foo", "Zm9v", "Zm9v" },
    { "foob", "Zm9vYg==", "Zm9vYg" },
    { "fooba", "Zm9vYmE=", "Zm9vYmE" },
    { "foobar", "Zm9vYmFy", "Zm9vYmFy" },
    { "\xfb\xff\xfe", "+//+", "-__-" },
};

TEST(base64_is_that_of_rfc_4648)
{
    CLEANUP(arena_freep) struct arena *a = arena_new(1 << 16);
    size_t len;

    for (size_t i = 0; i < sizeof(base64_rows) / sizeof(base64_rows[0]); i++) {
        const struct str bytes = str_from_z(base64_rows[i].bytes);
        const struct str plain = str_from_z(base64_rows[i].plain), url = str_from_z(base64_rows[i].url);
        CLEANUP(buf_done) struct buf b;
        buf_init(&b, 100);
        base64_to(&b, bytes);
        CHECK_STR(buf_view(&b), plain);
        buf_clear(&b);
        base64url_to(&b, bytes);
        CHECK_STR(buf_view(&b), url);
        CHECK_STR(base64_str(a, bytes), plain);
        CHECK(base64_from(plain, room, bytes.len, &len));
        CHECK_STR(str_of(room, len), bytes);
        CHECK(base64url_from(url, room, bytes.len, &len));
        CHECK_STR(str_of(room, len), bytes);
        if (bytes.len) CHECK(!base64_from(plain, room, bytes.len - 1, &len));
    }
}

TEST(base64_of_another_form_is_refused)
{
    static const char *const bad[] = { "Zg",       "Zg=",    "Zg===", "Zh==", "Zm9=",  "Z===",    "====",
                                       "Zm8=Zm8=", "Zg==\n", " Zg==", "-__-", "Zm9v=", "Zm9v====" };
    static const char *const bad_url[] = { "Zg==", "Zh", "Zm9", "Z", "+//+", "Zm9vY" };
    size_t len = 77;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (base64_from(str_from_z(bad[i]), room, sizeof(room), &len))
            test_fail(__FILE__, __LINE__, "taken: '%s'", bad[i]);
    }
    for (size_t i = 0; i < sizeof(bad_url) / sizeof(bad_url[0]); i++) {
        if (base64url_from(str_from_z(bad_url[i]), room, sizeof(room), &len))
            test_fail(__FILE__, __LINE__, "taken: '%s'", bad_url[i]);
    }
    CHECK_U64(len, 77);
}

TEST(any_bytes_survive_base64_and_percent)
{
    CLEANUP(buf_done) struct buf b;
    unsigned char bytes[256], back[1024];
    size_t len;

    all_bytes(bytes);
    buf_init(&b, 1024);
    for (size_t n = 0; n <= 256; n++) {
        buf_clear(&b);
        base64_to(&b, str_of(bytes + 256 - n, n));
        CHECK(base64_from(buf_view(&b), back, 256, &len) && len == n
              && memcmp(back, bytes + 256 - n, n) == 0);
        buf_clear(&b);
        base64url_to(&b, str_of(bytes + 256 - n, n));
        CHECK(base64url_from(buf_view(&b), back, 256, &len) && len == n
              && memcmp(back, bytes + 256 - n, n) == 0);
    }
    buf_clear(&b);
    percent_to(&b, str_of(bytes, 256), "");
    CHECK(percent_from(buf_view(&b), false, (char *)back, &len) && len == 256
          && memcmp(back, bytes, 256) == 0);
}

TEST(percent_keeps_the_unreserved_and_what_it_is_told_to)
{
    CLEANUP(buf_done) struct buf b;

    buf_init(&b, 1024);
    percent_to(&b, STR("aZ09-_.~/ +%\xc3\xa4\0"), "/");
    CHECK_STR(buf_view(&b), STR("aZ09-_.~/%20%2B%25%C3%A4%00"));
    buf_clear(&b);
    percent_to(&b, STR("a/b"), "");
    CHECK_STR(buf_view(&b), STR("a%2Fb"));
}

TEST(percent_is_decoded_strictly)
{
    CLEANUP(arena_freep) struct arena *a = arena_new(1 << 16);
    static const char *const bad[] = { "%", "%2", "a%", "a%4", "%zz", "%2z", "%%20" };

    CHECK_STR(percent_str(a, STR("a%20b+c%2b"), false), STR("a b+c+"));
    CHECK_STR(percent_str(a, STR("a%20b+c%2b"), true), STR("a b c+"));
    CHECK_STR(percent_str(a, STR("%00"), true), STR("\0"));
    CHECK(percent_str(a, STR_NONE, true).data);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (percent_str(a, str_from_z(bad[i]), false).data)
            test_fail(__FILE__, __LINE__, "taken: '%s'", bad[i]);
    }
}

TEST(xml_text_is_escaped)
{
    CLEANUP(buf_done) struct buf b;

    buf_init(&b, 1024);
    xml_escape_to(&b, STR("a<b>&\"'c\xc3\xa4"));
    CHECK_STR(buf_view(&b), STR("a&lt;b&gt;&amp;&quot;&apos;c\xc3\xa4"));
    buf_clear(&b);
    xml_escape_to(&b, STR("\x01x\r\n\t\0\x1f"));
    CHECK_STR(buf_view(&b), STR("&#x1;x&#xD;&#xA;&#x9;&#x0;&#x1F;"));
    buf_clear(&b);
    xml_escape_to(&b, STR("\xef\xbf\xbd|\xef\xbf\xbe|\xef\xbf\xbf|\xef"));
    CHECK_STR(buf_view(&b), STR("\xef\xbf\xbd|&#xFFFE;|&#xFFFF;|\xef"));
    buf_clear(&b);
    xml_escape_to(&b, STR_NONE);
    CHECK_STR(buf_view(&b), STR(""));
}

TEST(fixed_width_numbers_have_their_byte_order)
{
    unsigned char p[8];

    put_be64(p, 0x0102030405060708);
    CHECK(memcmp(p, "\1\2\3\4\5\6\7\10", 8) == 0 && get_be64(p) == 0x0102030405060708);
    put_be32(p, 0x01020304);
    CHECK(memcmp(p, "\1\2\3\4", 4) == 0 && get_be32(p) == 0x01020304);
    put_le64(p, 0x0102030405060708);
    CHECK(memcmp(p, "\10\7\6\5\4\3\2\1", 8) == 0 && get_le64(p) == 0x0102030405060708);
    put_le32(p, 0x01020304);
    CHECK(memcmp(p, "\4\3\2\1", 4) == 0 && get_le32(p) == 0x01020304);
    put_le16(p, 0x0102);
    CHECK(memcmp(p, "\2\1", 2) == 0 && get_le16(p) == 0x0102);
}
