//! A WASI command: `wasi:cli/run` calls `main`.

fn main() {
    println!("Hello from a hermetic build!");
}
