//! Uses a part of each kind of dependency, so that what is linked is not empty.

fn main() {
    let name = regex::Regex::new("[a-z]+").map(|pattern| pattern.is_match("name"));
    let time = chrono::DateTime::from_timestamp(0, 0).map(|time| time.to_rfc3339());
    println!("{}", serde_json::json!({ "name": name.unwrap_or_default(), "time": time }));
}
