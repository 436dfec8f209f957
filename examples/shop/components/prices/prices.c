// What things cost.

#include <string.h>

#include "prices.h"

struct listed {
    const char *name;
    uint32_t cents;
};

static const struct listed LIST[] = {{"apples", 250}, {"pears", 420}};

exports_shop_contracts_prices_cents_t exports_shop_contracts_prices_price(prices_string_t *item) {
    uint32_t cents = 0;
    for (size_t i = 0; i < sizeof LIST / sizeof *LIST; i++) {
        size_t length = strlen(LIST[i].name);
        if (length == item->len && memcmp(LIST[i].name, item->ptr, length) == 0)
            cents = LIST[i].cents;
    }
    prices_string_free(item);
    return shop_contracts_discounts_reduce(cents);
}
