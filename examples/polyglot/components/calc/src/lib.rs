//! Whole-number arithmetic behind an interface of our own.

wit_bindgen::generate!({ world: "calc" });

use exports::demo::calc::ops::Guest;
use num_integer::Integer;

struct Calc;

impl Guest for Calc {
    fn add(a: u32, b: u32) -> u32 {
        a.wrapping_add(b)
    }

    fn gcd(a: u32, b: u32) -> u32 {
        a.gcd(&b)
    }
}

export!(Calc);
