//! `run new` and `run init`: make a project that can be built at once, in a new folder or in the current one.
//!
//! Existing files are not changed. git is not used: no repository is made, and one around the project is not
//! changed.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rules::manifest::{self, ComponentName, Language};
use serde_json::json;

use crate::arguments::{Init, Kind, New, World};
use crate::command_error::{CommandError, Kind as ErrorKind};
use crate::config::Config;
use crate::template::{File, Template, Unsuitable};
use crate::ui;

/// The files that show in which language an existing package is written.
const MARKS: [(&str, &str); 8] = [
    ("Cargo.toml", "rust"),
    ("go.mod", "go"),
    ("tsconfig.json", "typescript"),
    ("package.json", "javascript"),
    ("pyproject.toml", "python"),
    ("requirements.txt", "python"),
    ("build.zig", "zig"),
    ("CMakeLists.txt", "cpp"),
];

/// Runs `run new`.
pub(crate) fn run(arguments: &New, config: &Config) -> Result<ExitCode, CommandError> {
    let Some(name) = &arguments.name else {
        list(config);
        return Ok(ExitCode::SUCCESS);
    };
    let name = new_name(name, &config.directory)?;
    let folder = config.directory.join(name.as_str());
    let template = template(&arguments.kind, None);
    let files = named(&template, &name)?;
    let created = prepare(&folder, name.as_str())?;
    if let Err(error) = write_all(&folder, &files) {
        // Half a project would be in the way of the next try.
        let _ = match created {
            true => cache::remove_tree(&folder),
            false => files.iter().try_for_each(|file| fs::remove_file(folder.join(&file.path))),
        };
        return Err(error);
    }
    Created { template, name: &name, folder: &folder, written: &files, kept: &[] }
        .tell(config, true);
    Ok(ExitCode::SUCCESS)
}

/// Runs `run init`.
pub(crate) fn init(arguments: &Init, config: &Config) -> Result<ExitCode, CommandError> {
    let folder = &config.directory;
    if folder.join(manifest::FILE_NAME).symlink_metadata().is_ok() {
        return Err(CommandError::usage("this folder is a project already: it has a run.toml")
            .hint("`run info` shows it"));
    }
    let name = match &arguments.name {
        Some(name) => parsed(name)?,
        None => name_of(folder)?,
    };
    let template = template(&arguments.kind, Some(folder));
    let files = named(&template, &name)?;
    let (mut missing, kept): (Vec<File>, Vec<File>) =
        files.into_iter().partition(|file| folder.join(&file.path).symlink_metadata().is_err());
    for file in &kept {
        adapt(&mut missing, file, folder, &name);
    }
    write_all(folder, &missing)?;
    Created { template, name: &name, folder, written: &missing, kept: &kept }.tell(config, false);
    Ok(ExitCode::SUCCESS)
}

/// Adapts the files that are about to be written to an existing file of the folder.
fn adapt(missing: &mut Vec<File>, kept: &File, folder: &Path, name: &ComponentName) {
    match kept.path.as_str() {
        // The template's Cargo.lock belongs to the template's Cargo.toml, which is not written.
        "Cargo.toml" => missing.retain(|file| file.path != "Cargo.lock"),
        // Packages of the module are imported by the module's path, which is that of the existing go.mod.
        "go.mod" => {
            let text = fs::read_to_string(folder.join(&kept.path)).unwrap_or_default();
            let theirs = text.lines().find_map(|line| line.strip_prefix("module "));
            if let Some(theirs) = theirs.map(|path| path.trim().trim_matches('"')) {
                for file in missing.iter_mut().filter(|file| file.path.ends_with(".go")) {
                    let ours = format!("\"example.com/{name}/");
                    file.text = file.text.replace(&ours, &format!("\"{theirs}/"));
                }
            }
        }
        _ => {}
    }
}

/// Lists the languages and worlds for which there are projects.
fn list(config: &Config) {
    if config.printer.json {
        for template in Template::all() {
            ui::emit(&json!({
                "event": "template",
                "language": template.language.as_str(),
                "world": template.world.as_str(),
                "source": template.source(),
                "about": about(template.world),
            }));
        }
        return;
    }
    let mut rows =
        vec![["LANGUAGE", "WORLD", "SOURCE", "WHAT IT IS"].map(ToOwned::to_owned).to_vec()];
    rows.extend(Template::all().map(|template| {
        let Template { language, world, .. } = template;
        [language.as_str(), world.as_str(), template.source(), about(world)]
            .map(ToOwned::to_owned)
            .to_vec()
    }));
    config.printer.result(&ui::table(&rows));
}

/// Describes a kind of project in a few words.
const fn about(world: World) -> &'static str {
    match world {
        World::Cli => "a program that runs and ends: wasi:cli/command",
        World::Http => "a service that answers HTTP requests: wasi:http/proxy",
        World::Lib => "a library with an interface of its own, which others call",
    }
}

fn template(kind: &Kind, folder: Option<&Path>) -> Template {
    let named = |name: &str| Language::called(name).expect("a test looks for these languages");
    let there = || {
        let folder = folder?;
        let mut marks = MARKS.iter().filter(|(mark, _)| folder.join(mark).is_file());
        marks.next().map(|(_, language)| named(language))
    };
    let language = kind.language.or_else(there).unwrap_or_else(|| named("rust"));
    Template::of(language, kind.world)
}

/// Parses the name that `run new` was given. If it is a path instead, the error has a hint with the right
/// command for `directory`.
fn new_name(text: &str, directory: &Path) -> Result<ComponentName, CommandError> {
    let path = Path::new(text);
    match (path.parent().filter(|above| !above.as_os_str().is_empty()), path.file_name()) {
        (_, None) if !text.is_empty() => {
            let folder = match text {
                "." => String::new(),
                _ => format!("-C {} ", engine::quote(text)),
            };
            Err(CommandError::usage(format!("`{text}` is a folder and not a name"))
                .hint(format!("`run {folder}init` makes a project of it")))
        }
        (Some(above), Some(name)) => {
            let name = name.to_string_lossy();
            let name =
                ComponentName::like(&name).map_or(name.into_owned(), |name| name.to_string());
            let folder = engine::quote(&above.to_string_lossy());
            let make = match directory.join(above).is_dir() {
                true => String::new(),
                false => format!("mkdir -p {folder} && "),
            };
            let name = engine::quote(&name);
            Err(CommandError::usage(format!("`{text}` is a path and not a name"))
                .hint(format!("`{make}run -C {folder} new {name}` makes the project there")))
        }
        _ => parsed(text),
    }
}

fn parsed(text: &str) -> Result<ComponentName, CommandError> {
    text.parse().map_err(|invalid: manifest::Invalid| {
        let expected = invalid.expected.clone();
        let error = CommandError::from_error(ErrorKind::Usage, &invalid).hint(expected);
        invalid.help.into_iter().fold(error, CommandError::hint)
    })
}

/// Makes the name of a folder into that of a component.
fn name_of(folder: &Path) -> Result<ComponentName, CommandError> {
    let text = folder.file_name().unwrap_or_default().to_string_lossy();
    ComponentName::like(&text).ok_or_else(|| {
        CommandError::usage(format!(
            "`{text}`, the name of this folder, can't be made into the name of a component"
        ))
        .hint("give a name: `run init --name hello`")
    })
}

fn named(template: &Template, name: &ComponentName) -> Result<Vec<File>, CommandError> {
    template.named(name).map_err(|unsuitable| {
        let error = match unsuitable {
            Unsuitable::Reserved(language) => {
                format!("`{name}` cannot be the name of a {language} project: {language} has it for itself")
            }
            Unsuitable::Taken => {
                format!("`{name}` cannot be the name of this project: it is built with a package of this name")
            }
        };
        CommandError::usage(error).hint(format!("choose another, such as `my-{name}`"))
    })
}

/// Creates the folder of a new project. Returns false if there was an empty folder already.
fn prepare(folder: &Path, shown: &str) -> Result<bool, CommandError> {
    match fs::create_dir(folder) {
        Ok(()) => return Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(source) => return Err(cannot("create", folder).caused_by(&source)),
    }
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(CommandError::usage(format!(
                "`{shown}` is there already, and is not a folder"
            )));
        }
        Err(source) => return Err(cannot("read", folder).caused_by(&source)),
    };
    match entries.count() {
        0 => Ok(false),
        _ => Err(CommandError::usage(format!(
            "the folder `{shown}` is there already, and not empty"
        ))
        .hint(format!(
            "`run -C {shown} init` makes a project of it, and leaves what it has as it is"
        ))),
    }
}

/// Writes files, which must not exist yet.
fn write_all(folder: &Path, files: &[File]) -> Result<(), CommandError> {
    for File { path, text } in files {
        let path = folder.join(path);
        let above = path.parent().map_or(Ok(()), fs::create_dir_all);
        let written = above.and_then(|()| {
            fs::File::create_new(&path).and_then(|mut file| file.write_all(text.as_bytes()))
        });
        written.map_err(|source| cannot("create", &path).caused_by(&source))?;
    }
    Ok(())
}

fn cannot(action: &str, path: &Path) -> CommandError {
    CommandError::environment(format!("cannot {action} `{}`", path.display()))
}

/// A project that has just been made.
struct Created<'a> {
    template: Template,
    name: &'a ComponentName,
    folder: &'a PathBuf,
    written: &'a [File],
    /// The files of the template that the folder already had.
    kept: &'a [File],
}

impl Created<'_> {
    /// Says what was made and what to do next.
    fn tell(&self, config: &Config, in_new_folder: bool) {
        let Self { name, template, .. } = self;
        let Template { language, world, .. } = template;
        if config.printer.json {
            let paths = |files: &[File]| -> Vec<String> {
                files.iter().map(|file| file.path.clone()).collect()
            };
            ui::emit(&json!({
                "event": "created",
                "name": name.as_str(),
                "language": language.as_str(),
                "world": world.as_str(),
                "folder": self.folder.display().to_string(),
                "files": paths(self.written),
                "kept": paths(self.kept),
            }));
        }
        let what = about(*world);
        config.printer.status("Created", &format!("{name} ({language}): {what}"));
        for file in self.written.iter().filter(|_| !in_new_folder) {
            config.printer.status("Wrote", &file.path);
        }
        for file in self.kept {
            config.printer.status("Kept", &format!("{}, which was there already", file.path));
        }
        self.tell_what_to_ignore(config);
        if config.printer.verbosity >= 0 {
            config.printer.line(&self.next(in_new_folder));
        }
    }

    /// Warns of lines that an existing .gitignore lacks.
    fn tell_what_to_ignore(&self, config: &Config) {
        let Some(ours) = self.kept.iter().find(|file| file.path == ".gitignore") else { return };
        let theirs = fs::read_to_string(self.folder.join(&ours.path)).unwrap_or_default();
        let bare = |line: &str| line.trim().trim_matches('/').to_owned();
        let has = |line: &str| theirs.lines().any(|their| bare(their) == bare(line));
        let lacks = ours.text.lines().filter(|line| line.starts_with('/') && !has(line));
        let lacks: Vec<&str> = lacks.collect();
        if !lacks.is_empty() {
            let lines = lacks.join("` and `");
            config
                .printer
                .warning(&format!("`.gitignore` lacks `{lines}`, which `run build` creates"));
        }
    }

    /// Returns the commands that the user may run next.
    fn next(&self, in_new_folder: bool) -> String {
        let enter = match in_new_folder {
            true => format!("    cd {}\n", self.name),
            false => String::new(),
        };
        let call = match self.template.world {
            World::Cli => format!("run exec {}", self.name),
            World::Http => "run dev".to_owned(),
            World::Lib => {
                let name = &self.name;
                format!("run exec {name} --invoke 'example:{name}/greetings#greet(\"Ada\")'")
            }
        };
        format!("Next:\n{enter}    run build\n    {call}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_name_languages() {
        for (_, language) in MARKS {
            language.parse::<Language>().unwrap();
        }
    }

    #[test]
    fn what_is_no_name_is_told_with_what_to_type() {
        let check = |text: &str, message: &str, hint: &str| {
            let error = new_name(text, Path::new("/")).unwrap_err();
            assert!(error.message.contains(message), "{error:?}");
            assert!(error.hints.iter().any(|known| known.contains(hint)), "{error:?}");
        };
        check("My_App", "`My_App` cannot be the name of a component", "did you mean `my-app`?");
        check(
            "services/api",
            "is a path and not a name",
            "`mkdir -p services && run -C services new api`",
        );
        check("/tmp/api", "is a path and not a name", "`run -C /tmp new api`");
        check("/tmp/My App", "is a path and not a name", "`run -C /tmp new my-app`");
        check(".", "is a folder and not a name", "`run init`");
        check("..", "is a folder and not a name", "`run -C .. init`");
        check("", "component name is empty", "expected some text");
        check(&"a".repeat(65), "65 characters long", "at most 64");
        check("1st", "cannot be the name", "starting with a letter");
    }
}
