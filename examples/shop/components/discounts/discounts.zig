//! Discounts: ten percent of whatever costs more than three.

export fn exports_shop_contracts_discounts_reduce(price: u32) u32 {
    return if (price > 300) price - price / 10 else price;
}
