//! The component that answers `asks`. It has a state, which must not outlive a request.

use std::cell::Cell;

wit_bindgen::generate!({ path: "wit", world: "teller" });

struct Teller;

thread_local! {
    static CALLS: Cell<u32> = const { Cell::new(0) };
}

impl exports::test::parts::words::Guest for Teller {
    fn shout(text: String) -> String {
        let calls = CALLS.get() + 1;
        CALLS.set(calls);
        format!("{}! ({calls})", text.to_uppercase())
    }
}

export!(Teller);
