//! Lengths in other units. `bindings` is written by cargo-component, from `wit/units.wit`.

#[allow(warnings)]
mod bindings;

use bindings::exports::demo::units::length::{Guest, Measure, Unit};

struct Units;

impl Guest for Units {
    fn convert(length: Measure, to: Unit) -> Measure {
        let metres = length.value * in_metres(length.in_);
        Measure { value: metres / in_metres(to), in_: to }
    }
}

fn in_metres(unit: Unit) -> f64 {
    match unit {
        Unit::Metre => 1.0,
        Unit::Foot => scale::FOOT,
        Unit::Mile => scale::MILE,
    }
}

bindings::export!(Units with_types_in bindings);
