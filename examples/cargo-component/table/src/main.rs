//! Prints a table of miles and metres.

fn main() {
    for miles in 1..=3 {
        println!("{miles} mi = {:>8.3} m", f64::from(miles) * scale::MILE);
    }
}
