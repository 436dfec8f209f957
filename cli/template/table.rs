//! Lists all templates, whose files are embedded in the program.

use rules::manifest::{ComponentName, Language};

use super::name::{self, Unsuitable};
use crate::arguments::World;

/// The projects of one language.
struct Set {
    /// The name of the language in run.toml.
    language: &'static str,
    /// The files that all of them have.
    shared: &'static [Text],
    /// The other files of each of them.
    worlds: [(World, &'static [Text]); 3],
}

/// The path of a file in a template, and its content.
type Text = (&'static str, &'static str);

/// A project with one component, which has no name yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Template {
    /// The language of its component.
    pub(crate) language: Language,
    /// The kind of its component.
    pub(crate) world: World,
    texts: [&'static [Text]; 3],
}

/// A file of a project that has a name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct File {
    /// Its path in the project.
    pub(crate) path: String,
    /// Its content.
    pub(crate) text: String,
}

/// Embeds files from a folder below `projects`.
macro_rules! texts {
    ($folder:literal: $($path:literal),+) => {
        &[$(($path, include_str!(concat!("projects/", $folder, "/", $path)))),+]
    };
}

static SETS: [Set; 8] = [
    Set {
        language: "rust",
        shared: texts!("rust": "gitignore"),
        worlds: [
            (World::Cli, texts!("rust/cli": "Cargo.toml", "Cargo.lock", "run.toml", "src/main.rs")),
            (
                World::Http,
                texts!("rust/http": "Cargo.toml", "Cargo.lock", "run.toml", "src/lib.rs"),
            ),
            (World::Lib, texts!("rust/lib": "Cargo.toml", "Cargo.lock", "run.toml", "src/lib.rs")),
        ],
    },
    Set {
        language: "python",
        shared: texts!("python": "gitignore"),
        worlds: [
            (World::Cli, texts!("python/cli": "run.toml", "src/app.py")),
            (World::Http, texts!("python/http": "run.toml", "src/app.py")),
            (World::Lib, texts!("python/lib": "run.toml", "src/app.py")),
        ],
    },
    Set {
        language: "go",
        shared: texts!("go": "gitignore", "go.mod"),
        worlds: [
            (World::Cli, texts!("go/cli": "main.go", "run.toml")),
            (
                World::Http,
                texts!("go/http": "exports/export_wasi_http_incoming_handler/handler.go", "main.go", "run.toml"),
            ),
            (
                World::Lib,
                texts!("go/lib": "exports/export_example_new_project_greetings/greetings.go", "main.go", "run.toml"),
            ),
        ],
    },
    Set {
        language: "javascript",
        shared: texts!("javascript": "gitignore", "package.json"),
        worlds: [
            (World::Cli, texts!("javascript/cli": "run.toml", "src/app.js")),
            (World::Http, texts!("javascript/http": "run.toml", "src/app.js")),
            (World::Lib, texts!("javascript/lib": "run.toml", "src/app.js")),
        ],
    },
    Set {
        language: "typescript",
        shared: texts!("typescript": "gitignore", "package.json"),
        worlds: [
            (World::Cli, texts!("typescript/cli": "run.toml", "src/app.ts")),
            (World::Http, texts!("typescript/http": "run.toml", "src/app.ts")),
            (World::Lib, texts!("typescript/lib": "run.toml", "src/app.ts")),
        ],
    },
    Set {
        language: "zig",
        shared: texts!("zig": "gitignore"),
        worlds: [
            (World::Cli, texts!("zig/cli": "run.toml", "src/main.zig")),
            (World::Http, texts!("zig/http": "run.toml", "src/service.zig")),
            (World::Lib, texts!("zig/lib": "run.toml", "src/greetings.zig")),
        ],
    },
    Set {
        language: "c",
        shared: texts!("c": "gitignore"),
        worlds: [
            (World::Cli, texts!("c/cli": "run.toml", "src/main.c")),
            (World::Http, texts!("c/http": "run.toml", "src/service.c")),
            (World::Lib, texts!("c/lib": "run.toml", "src/greetings.c")),
        ],
    },
    Set {
        language: "cpp",
        shared: texts!("cpp": "gitignore"),
        worlds: [
            (World::Cli, texts!("cpp/cli": "run.toml", "src/main.cpp")),
            (World::Http, texts!("cpp/http": "run.toml", "src/service.cpp")),
            (World::Lib, texts!("cpp/lib": "run.toml", "src/greetings.cpp")),
        ],
    },
];

/// Returns the WIT of a world, which is the same in every language.
fn wit(world: World) -> &'static [Text] {
    match world {
        World::Cli => &[("wit/world.wit", include_str!("projects/wit/cli.wit"))],
        World::Http => &[("wit/world.wit", include_str!("projects/wit/http.wit"))],
        World::Lib => &[("wit/world.wit", include_str!("projects/wit/lib.wit"))],
    }
}

impl Template {
    /// Returns all templates, in the order of the documentation.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        SETS.iter().flat_map(|set| {
            let language = set.language.parse().expect("a test parses the languages' names");
            set.worlds.iter().map(move |&(world, own)| Self {
                language,
                world,
                texts: [set.shared, own, wit(world)],
            })
        })
    }

    /// Returns the template of a language and a world.
    pub(crate) fn of(language: Language, world: World) -> Self {
        let found = Self::all().find(|one| (one.language, one.world) == (language, world));
        found.expect("a test looks for a template of every language and world")
    }

    /// Returns the files of the project with this name, ordered by path.
    ///
    /// # Errors
    /// If the project can't have this name in this language.
    pub(crate) fn named(&self, name: &ComponentName) -> Result<Vec<File>, Unsuitable> {
        name::check(self.language, name)?;
        let texts = self.texts.iter().copied().flatten();
        let mut files: Vec<File> =
            texts.map(|&text| name::named(text, name)).collect::<Result<_, _>>()?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    /// Returns the path of its main source file.
    pub(crate) fn source(&self) -> &'static str {
        let run_toml = self.texts[1].iter().find(|(path, _)| *path == "run.toml");
        let lines = run_toml.map_or("", |(_, text)| text).lines();
        let mut sources =
            lines.filter_map(|line| line.strip_prefix("source = \"")?.strip_suffix('"'));
        sources.next().expect("a test looks for the source of every template")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn there_is_a_template_of_every_language_and_world() {
        for language in Language::all() {
            for &world in World::value_variants() {
                let template = Template::of(language, world);
                let files = template.named(&"hello".parse().unwrap()).unwrap();
                let has = |path: &str| files.iter().any(|file| file.path == path);
                assert!(has("run.toml") && has("wit/world.wit") && has(".gitignore"), "{files:?}");
                assert!(
                    has(template.source()),
                    "{language} {world:?} has no {}",
                    template.source()
                );
            }
        }
    }

    #[test]
    fn every_file_that_lies_there_is_embedded() {
        fn walk(folder: &Path, below: &str, found: &mut BTreeSet<String>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                let path = format!("{below}{}", entry.file_name().to_str().unwrap());
                match entry.file_type().unwrap().is_dir() {
                    true => walk(&entry.path(), &format!("{path}/"), found),
                    false => drop(found.insert(path)),
                }
            }
        }
        let mut found = BTreeSet::new();
        walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cli/template/projects"), "", &mut found);
        let mut embedded: BTreeSet<String> =
            ["cli", "http", "lib"].map(|world| format!("wit/{world}.wit")).into();
        for set in &SETS {
            embedded.extend(set.shared.iter().map(|(path, _)| format!("{}/{path}", set.language)));
            for (world, own) in &set.worlds {
                let folder = format!("{}/{}", set.language, world.as_str());
                embedded.extend(own.iter().map(|(path, _)| format!("{folder}/{path}")));
            }
        }
        assert_eq!(found, embedded);
    }
}
