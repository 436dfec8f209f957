//! A library: what its world exports, others can call.

wit_bindgen::generate!({ world: "library" });

use exports::example::new_project::greetings::Guest;

struct Library;

impl Guest for Library {
    fn greet(name: String) -> String {
        format!("Hello, {name}, from Rust!")
    }
}

export!(Library);
