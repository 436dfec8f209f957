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
    let mut names = Vec::new();
    let mut depth = 0;
    for payload in wasmparser::Parser::new(0).parse_all(component) {
        match payload.unwrap() {
            wasmparser::Payload::Version { .. } => depth += 1,
            wasmparser::Payload::End(_) => depth -= 1,
            wasmparser::Payload::ComponentImportSection(section) if depth == 1 => {
                names.extend(section.into_iter().map(|import| {
                    let name = import.unwrap().name.name;
                    name.split('@').next().unwrap().to_owned()
                }));
            }
            _ => {}
        }
    }
    names.sort();
    names
}
