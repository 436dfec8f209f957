//! Reads what a build script printed, and makes of it what other units are called with.
//!
//! The syntax is Cargo's (the Cargo book, "Build Scripts"): lines `cargo::KEY=VALUE`, and `cargo:KEY=VALUE` of older
//! scripts, where an unknown key is metadata for the scripts of dependent packages.

use engine::{Builtin, BuiltinContext, BuiltinError, Report};

use super::unit::CrateKind;

/// The builtin that reads the output. Its input is `output`. Its outputs are [`ENVIRONMENT`], [`SEARCH`], [`METADATA`],
/// [`HANDED_ON`], and one for each [caller](Caller).
pub(super) struct ReadOutput {
    /// The package, as messages name it: `name@version`.
    pub(super) package: String,
    /// True if its warnings are shown. Cargo shows those of the user's own packages.
    pub(super) shows_warnings: bool,
    /// The beginning of the variables' names by which other scripts see the metadata, such as `DEP_Z_`.
    pub(super) metadata: String,
    /// The crates of the package that are compiled.
    pub(super) callers: Vec<Caller>,
}

/// A crate that is compiled with the output of its package's script.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Caller {
    pub(super) kind: CrateKind,
    pub(super) crate_name: String,
}

/// The output with the variables for rustc, each as a line `NAME=VALUE`.
pub(super) const ENVIRONMENT: &str = "environment";
/// The output with the folders in which the linker looks for libraries, as arguments of rustc, one per line.
pub(super) const SEARCH: &str = "search";
/// The output with the variables for the scripts of dependent packages, each as a line `NAME=VALUE`.
pub(super) const METADATA: &str = "metadata";
/// The output with the arguments for components of dependent packages, one per line. Cargo hands them on.
pub(super) const HANDED_ON: &str = "handed-on";

impl Caller {
    /// Returns the name of the output with the arguments for this crate, one per line.
    pub(super) fn output(&self) -> String {
        format!("arguments/{:?}-{}", self.kind, self.crate_name)
    }
}

impl Builtin for ReadOutput {
    fn name(&self) -> &str {
        "cargo-script-output"
    }

    fn version(&self) -> &str {
        "2"
    }

    fn arguments(&self) -> Vec<String> {
        let shown = if self.shows_warnings { "with warnings" } else { "without warnings" };
        let own = [self.package.clone(), shown.to_owned(), self.metadata.clone()];
        own.into_iter().chain(self.callers.iter().map(Caller::output)).collect()
    }

    fn run(&self, cx: &BuiltinContext) -> Result<(), BuiltinError> {
        let output = cx.read("output")?;
        let said = Said::read(&output).map_err(|problem| {
            let text = format!("the build script of {} {problem}", self.package);
            BuiltinError::Failed(Report::text(text))
        })?;
        if self.shows_warnings {
            said.warnings
                .iter()
                .for_each(|warning| cx.note(&format!("warning: {}: {warning}", self.package)));
        }
        let folder = cx.out()?;
        let write = |name: &str, text: String| {
            let path = folder.join(name);
            let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
            made.and_then(|()| std::fs::write(path, text))
                .map_err(|error| BuiltinError::infrastructure(&error))
        };
        write(ENVIRONMENT, variables("", &said.environment))?;
        write(METADATA, variables(&self.metadata, &said.metadata))?;
        write(SEARCH, lines(&said.search()))?;
        write(HANDED_ON, lines(&said.linked(|crates| *crates == LinkedCrates::Cdylibs)))?;
        let has_library = self.callers.iter().any(|caller| caller.kind != CrateKind::Binary);
        self.callers.iter().try_for_each(|caller| {
            write(&caller.output(), lines(&said.arguments(caller, has_library)))
        })
    }
}

fn lines(words: &[String]) -> String {
    words.iter().map(|word| format!("{word}\n")).collect()
}

/// Returns lines that set variables, whose names begin with `start`.
fn variables(start: &str, values: &[(String, String)]) -> String {
    values.iter().map(|(name, value)| format!("{start}{name}={value}\n")).collect()
}

/// Everything that a build script said.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    cfgs: Vec<String>,
    check_cfgs: Vec<String>,
    libraries: Vec<String>,
    folders: Vec<String>,
    /// The arguments for the linker, each with the crates that it is for.
    link_args: Vec<(LinkedCrates, String)>,
    environment: Vec<(String, String)>,
    metadata: Vec<(String, String)>,
    warnings: Vec<String>,
}

/// The crates of a package that an argument for the linker is for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum LinkedCrates {
    All,
    Cdylibs,
    Binaries,
    Binary(String),
}

impl LinkedCrates {
    fn has(&self, caller: &Caller) -> bool {
        match self {
            Self::All => true,
            Self::Cdylibs => caller.kind == CrateKind::Cdylib,
            Self::Binaries => caller.kind == CrateKind::Binary,
            Self::Binary(name) => {
                caller.kind == CrateKind::Binary && caller.crate_name == name.replace('-', "_")
            }
        }
    }
}

impl Said {
    /// Reads the output of a script. The error is the end of a sentence that begins with the script.
    fn read(output: &[u8]) -> Result<Self, String> {
        let mut said = Self::default();
        let mut errors = Vec::new();
        let lines = output.split(|byte| *byte == b'\n');
        for line in lines.filter_map(|line| std::str::from_utf8(line).ok()).map(str::trim) {
            let (instruction, is_new) = match line.strip_prefix("cargo::") {
                Some(rest) => (rest, true),
                None => match line.strip_prefix("cargo:") {
                    Some(rest) => (rest, false),
                    None => continue,
                },
            };
            let Some((key, value)) = instruction.split_once('=') else {
                if is_new {
                    return Err(format!("printed `{line}`, which has no value"));
                }
                continue;
            };
            let value = value.trim_end();
            match key {
                "error" if is_new => errors.push(value.to_owned()),
                "metadata" if is_new => {
                    let (name, value) = pair(line, value)?;
                    said.metadata.push((as_variable(&name), value));
                }
                _ if said.take(line, key, value)? => {}
                _ if is_new => {
                    return Err(format!("printed `{line}`, and Cargo knows no such key"));
                }
                _ => said.metadata.push((as_variable(key), value.to_owned())),
            }
        }
        match errors.as_slice() {
            [] => Ok(said),
            errors => Err(format!("says: {}", errors.join("; "))),
        }
    }

    /// Takes an instruction that both syntaxes have. Returns `false` if it is none.
    fn take(&mut self, line: &str, key: &str, value: &str) -> Result<bool, String> {
        let text = value.to_owned();
        match key {
            "rustc-cfg" => self.cfgs.push(text),
            "rustc-check-cfg" => self.check_cfgs.push(text),
            "rustc-link-lib" => self.libraries.push(text),
            "rustc-link-search" => self.folders.push(text),
            "rustc-flags" => self.take_flags(line, value)?,
            "rustc-link-arg" => self.link_args.push((LinkedCrates::All, text)),
            "rustc-link-arg-cdylib" | "rustc-cdylib-link-arg" => {
                self.link_args.push((LinkedCrates::Cdylibs, text));
            }
            "rustc-link-arg-bins" => self.link_args.push((LinkedCrates::Binaries, text)),
            "rustc-link-arg-bin" => {
                let (name, argument) = pair(line, value)?;
                self.link_args.push((LinkedCrates::Binary(name), argument));
            }
            "rustc-env" => {
                let (name, value) = pair(line, value)?;
                if name == "RUSTC_BOOTSTRAP" {
                    return Err("sets RUSTC_BOOTSTRAP, which Cargo refuses, too".to_owned());
                }
                self.environment.push((name, value));
            }
            "warning" => self.warnings.push(text),
            // Tests, examples and benchmarks are no components, and an action's inputs say when it runs again.
            "rustc-link-arg-tests"
            | "rustc-link-arg-test"
            | "rustc-link-arg-examples"
            | "rustc-link-arg-example"
            | "rustc-link-arg-benches"
            | "rustc-link-arg-bench"
            | "rerun-if-changed"
            | "rerun-if-env-changed" => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Takes flags `-l` and `-L`, the only ones that Cargo allows.
    fn take_flags(&mut self, line: &str, flags: &str) -> Result<(), String> {
        let mut words = flags.split_whitespace();
        while let Some(word) = words.next() {
            let refused = || format!("printed `{line}`, and Cargo allows only `-l` and `-L` there");
            let (flag, rest) = word.split_at_checked(2).ok_or_else(refused)?;
            let value = if rest.is_empty() { words.next() } else { Some(rest) };
            let value = value.ok_or_else(refused)?.to_owned();
            match flag {
                "-l" => self.libraries.push(value),
                "-L" => self.folders.push(value),
                _ => return Err(refused()),
            }
        }
        Ok(())
    }

    fn search(&self) -> Vec<String> {
        self.folders.iter().flat_map(|folder| ["-L".to_owned(), folder.clone()]).collect()
    }

    /// Returns the arguments for the linker that are for some crates.
    fn linked(&self, is_for: impl Fn(&LinkedCrates) -> bool) -> Vec<String> {
        let linked = self.link_args.iter().filter(|(crates, _)| is_for(crates));
        linked.flat_map(|(_, argument)| ["-C".to_owned(), format!("link-arg={argument}")]).collect()
    }

    /// Returns the arguments for a crate of the package, in Cargo's order. If the package has a library, its
    /// programs get the script's libraries through that.
    fn arguments(&self, caller: &Caller, has_library: bool) -> Vec<String> {
        let with = |flag: &str, values: &[String]| -> Vec<String> {
            values.iter().flat_map(|value| [flag.to_owned(), value.clone()]).collect()
        };
        let libraries = match caller.kind == CrateKind::Binary && has_library {
            true => Vec::new(),
            false => with("-l", &self.libraries),
        };
        [
            self.search(),
            libraries,
            self.linked(|crates| crates.has(caller)),
            with("--cfg", &self.cfgs),
            with("--check-cfg", &self.check_cfgs),
        ]
        .concat()
    }
}

fn pair(line: &str, text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| format!("printed `{line}`, which needs the form KEY=NAME=VALUE"))?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Returns the end of a variable's name for a key of metadata.
fn as_variable(key: &str) -> String {
    key.to_uppercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(kind: CrateKind, name: &str) -> Caller {
        Caller { kind, crate_name: name.to_owned() }
    }

    #[test]
    fn instructions_become_arguments() {
        let check = |output: &str, caller: &Caller, expect: &str| {
            let said = Said::read(output.as_bytes()).unwrap();
            assert_eq!(said.arguments(caller, false).join(" "), expect, "{output}");
        };
        let library = caller(CrateKind::Library, "a");
        check("cargo:rustc-cfg=fast", &library, "--cfg fast");
        check("  cargo::rustc-cfg=key=\"value\"  \nnoise", &library, "--cfg key=\"value\"");
        check(
            "cargo::rustc-check-cfg=cfg(fast)\ncargo:rustc-cfg=fast",
            &library,
            "--cfg fast --check-cfg cfg(fast)",
        );
        check(
            "cargo:rustc-link-lib=static=z\ncargo:rustc-link-search=native=/out",
            &library,
            "-L native=/out -l static=z",
        );
        check("cargo:rustc-flags=-l z -L/out", &library, "-L /out -l z");
        let program = caller(CrateKind::Binary, "a");
        check("cargo:rustc-link-lib=z", &program, "-l z");
        let said = Said::read(b"cargo:rustc-link-lib=z").unwrap();
        assert!(said.arguments(&program, true).is_empty(), "the library has it");
        check("cargo:rerun-if-changed=build.rs\ncargo:warning=careful", &library, "");
        let output = "cargo:rustc-link-arg=-a\ncargo:rustc-link-arg-bins=-b\n\
                      cargo:rustc-link-arg-bin=my-tool=-m\ncargo:rustc-cdylib-link-arg=-c";
        check(output, &library, "-C link-arg=-a");
        check(output, &caller(CrateKind::Cdylib, "a"), "-C link-arg=-a -C link-arg=-c");
        check(output, &caller(CrateKind::Binary, "other"), "-C link-arg=-a -C link-arg=-b");
        check(
            output,
            &caller(CrateKind::Binary, "my_tool"),
            "-C link-arg=-a -C link-arg=-b -C link-arg=-m",
        );
    }

    #[test]
    fn other_scripts_see_metadata_and_rustc_sees_variables() {
        let said = Said::read(
            b"cargo:include-dir=/out/it's\ncargo::metadata=root=/out\ncargo:rustc-env=A=b=c\n",
        );
        let said = said.unwrap();
        assert_eq!(
            variables("DEP_Z_", &said.metadata),
            "DEP_Z_INCLUDE_DIR=/out/it's\nDEP_Z_ROOT=/out\n"
        );
        assert_eq!(variables("", &said.environment), "A=b=c\n");
    }

    #[test]
    fn what_cargo_refuses_is_refused() {
        let check = |output: &str, expect: &str| {
            assert_eq!(Said::read(output.as_bytes()).unwrap_err(), expect);
        };
        check("cargo::surprise=1", "printed `cargo::surprise=1`, and Cargo knows no such key");
        check("cargo::rustc-cfg", "printed `cargo::rustc-cfg`, which has no value");
        check(
            "cargo:rustc-flags=-O",
            "printed `cargo:rustc-flags=-O`, and Cargo allows only `-l` and `-L` there",
        );
        check(
            "cargo:rustc-env=A",
            "printed `cargo:rustc-env=A`, which needs the form KEY=NAME=VALUE",
        );
        check(
            "cargo:rustc-env=RUSTC_BOOTSTRAP=1",
            "sets RUSTC_BOOTSTRAP, which Cargo refuses, too",
        );
        check("cargo::error=no\ncargo::error=never", "says: no; never");
    }
}
