//! What each language builds, and what its users are told when they err.

mod c;
mod go;
mod javascript;
mod python;
mod rust;
mod typescript;
mod zig;

/// The names that a component imports, without versions, sorted.
fn imports(component: &[u8]) -> Vec<String> {
    let names = crate::harness::imports(component);
    let mut names: Vec<String> =
        names.iter().map(|name| name.split('@').next().unwrap().to_owned()).collect();
    names.sort();
    names
}
