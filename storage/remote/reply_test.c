#include "storage/remote/reply.h"

#include "tests/unit/test.h"

TEST(of_an_error_document_only_a_word_is_taken)
{
    static const struct {
        const char *body, *code;
    } rows[] = {
        { "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>x</Message></Error>",
          "AccessDenied" },
        { "<Error><Code>Invalid.Thing9</Code>", "Invalid.Thing9" },
        { "<Code>a</Code><Code>b</Code>", "a" },
        { "<Code></Code>", "" },
        { "<Code>two words</Code>", "" },
        { "<Code>&lt;</Code>", "" },
        { "<Code>cut", "" },
        { "</Code><Code>", "" },
        { "not xml", "" },
        { "", "" },
        { "<Code>aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa</Code>", "" },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CHECK_STR(remote_error_code(str_from_z(rows[i].body)), str_from_z(rows[i].code));
}
