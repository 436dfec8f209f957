//! A program: `wasi:cli/run` calls `main`.

fn main() {
    println!("Hello from Rust!");
}
