/* pins_test.c - a body is pinned exactly as long as one of its pins is there. */
#include "storage/volume/pins.h"

#include "tests/unit/test.h"

TEST(a_body_is_pinned_until_its_last_pin_goes)
{
    struct pins pins;
    struct pin a, b, other;
    const struct uid body = ids_uid(), neighbour = ids_uid();

    pins_init(&pins);
    CHECK(!pins_have(&pins, body));
    pins_add(&pins, &a, body);
    pins_add(&pins, &b, body);
    pins_add(&pins, &other, neighbour);
    pins_remove(&pins, &a);
    CHECK(pins_have(&pins, body));
    pins_remove(&pins, &b);
    CHECK(!pins_have(&pins, body));
    CHECK(pins_have(&pins, neighbour));
    pins_remove(&pins, &other);
    pins_done(&pins);
}

TEST(pins_in_one_list_come_and_go_in_any_order)
{
    enum { COUNT = 100 };
    struct pins pins;
    struct pin pin[COUNT];
    struct uid uid[COUNT];

    pins_init(&pins);
    for (int i = 0; i < COUNT; i++) {
        uid[i] = ids_uid();
        uid[i].bytes[14] = uid[i].bytes[15] = 0; /* all in one list */
        pins_add(&pins, &pin[i], uid[i]);
    }
    for (int i = 0; i < COUNT; i++) {
        const int k = i * 37 % COUNT;
        CHECK(pins_have(&pins, uid[k]));
        pins_remove(&pins, &pin[k]);
        CHECK(!pins_have(&pins, uid[k]));
    }
    pins_done(&pins);
}
