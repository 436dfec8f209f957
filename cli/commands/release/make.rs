//! Makes a release: builds and compares, lists what the components are made of, signs, and writes the archive.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use project::Builder;
use release::archive::Files;
use release::bundle::Bundle;
use release::keys::PrivateKey;
use release::policy::REBUILDS;
use release::statement::{Builder as BuilderId, Role, Sandbox};
use release::{Build, Package, Sha256, sbom};
use rules::plan::Plan;
use sandbox::Isolation;

use super::check::LONGEST_KEY;
use super::{materials, sources};
use crate::arguments::{OptLevel, ReleaseMake};
use crate::command_error::{CommandError, Kind};
use crate::commands::{prepare, start, verify};
use crate::config::Config;
use crate::ui;

/// The largest size of run.toml and of a lock, in bytes.
const LONGEST: u64 = 64 << 20;

/// What the build of this machine said of each component: the key of its last action, and its packages.
#[derive(Default)]
struct Noted {
    keys: BTreeMap<String, String>,
    packages: BTreeMap<String, Vec<Package>>,
    locks: std::collections::BTreeSet<String>,
}

/// Makes a release.
pub(super) fn run(arguments: &ReleaseMake, config: &Config) -> Result<ExitCode, CommandError> {
    let started = Instant::now();
    let key = private_key(arguments, config)?;
    // What is released was locked before.
    let config = &Config { locked: true, ..config.clone() };
    let project = start::project(config)?;
    let written = read(&project.folder.join("run.toml"))?;
    let text = String::from_utf8_lossy(&written);
    if project.manifest.source().secrets().mask(&text) != text {
        return Err(CommandError::usage("run.toml has a secret, and would be part of the release")
            .hint("leave it to a variable of the environment, such as RUN_AUTH_TOKEN"));
    }
    let source = sources::sources(config, &project, arguments.allow_dirty)?;
    let mut builder = prepare::builder(config, &arguments.what, Isolation::default())?;
    builder.conditions.release = arguments.what.how.opt_level != Some(OptLevel::Debug);
    builder.conditions.download = engine::Download::Toplevel;
    let mut noted = Ok(Noted::default());
    let mut note = |plan: &Plan, built: &project::Built| {
        noted = self::note(&builder, plan, built);
    };
    let verdicts = verify::compare(config, &builder, started, &mut note)?;
    if verdicts.iter().any(|verdict| !verdict.is_same()) {
        return Err(CommandError::new(
            Kind::NotReproducible,
            "nothing is released, as builds of the same sources give different components",
        ));
    }
    if sources::sources(config, &project, arguments.allow_dirty)? != source {
        return Err(CommandError::usage("the project was changed while it was built")
            .hint("run the command again when nobody edits it"));
    }
    let noted = noted?;
    let mut files = Files::new(
        project.manifest.project.name.value.as_str(),
        &project.manifest.project.version.value,
    )
    .map_err(|error| unreleasable(&error))?;
    for verdict in &verdicts {
        let lost = || CommandError::from(project::Error::Lost(verdict.digest));
        let bytes = builder.store.get(&verdict.digest).map_err(project::Error::from)?;
        add(&mut files, &builder, &noted, &verdict.component, bytes.ok_or_else(lost)?)?;
    }
    add_sources(&mut files, &builder, &noted)?;
    let build = Build {
        project: project.manifest.project.name.value.to_string(),
        version: project.manifest.project.version.value.clone(),
        opt_level: if builder.conditions.release { "release" } else { "debug" }.to_owned(),
        source,
        action_keys: noted.keys,
        platform: builder
            .images
            .platform
            .clone()
            .map_or_else(|_| "any".to_owned(), |it| it.to_string()),
        rebuilds: REBUILDS,
        sandbox: Sandbox::Namespaces,
        packages: noted.packages.into_values().flatten().collect(),
        builder: BuilderId {
            id: arguments.builder.clone(),
            version: [("run".to_owned(), env!("CARGO_PKG_VERSION").to_owned())].into(),
        },
    };
    let statement = build.statement(&files).map_err(|error| unreleasable(&error))?;
    let json = statement.to_json().map_err(|error| unreleasable(&error))?;
    let bundle = Bundle::sign(&json, &key);
    files.add_attestation(&bundle, &key.public()).map_err(|error| unreleasable(&error))?;
    let archive = files.to_archive().map_err(|error| unreleasable(&error))?;
    let path = match &arguments.output {
        Some(path) => config.directory.join(path),
        None => project.manifest.output_dir().join(format!("{}.tar.zst", files.root())),
    };
    write(&path, &archive)?;
    let digest = Sha256::of(&archive).hex();
    let shown = path.display().to_string();
    config.printer.status("Released", &format!("{shown} in {}", ui::duration(started.elapsed())));
    if config.printer.json {
        ui::emit(&ui::released(&shown, &digest));
    } else {
        config.printer.result(&format!("{digest}  {shown}\n"));
    }
    Ok(ExitCode::SUCCESS)
}

fn unreleasable(error: &(dyn std::error::Error + 'static)) -> CommandError {
    CommandError::usage("the release can't be made").caused_by(error)
}

/// Reads the key that signs. From now on it is hidden in everything that is printed.
fn private_key(arguments: &ReleaseMake, config: &Config) -> Result<PrivateKey, CommandError> {
    let (text, origin) = match (&arguments.key, &config.release_key) {
        (Some(file), _) => {
            let path = config.directory.join(file);
            let text = cache::read_regular_to_string(&path, LONGEST_KEY).map_err(|source| {
                CommandError::usage(format!("cannot read the key {}", path.display()))
                    .caused_by(&source)
            })?;
            (text, path.display().to_string())
        }
        (None, Some(text)) => (text.clone(), "the variable RUN_RELEASE_KEY".to_owned()),
        (None, None) => {
            return Err(CommandError::usage("there is no key to sign the release with")
                .hint("make one with `run release keygen --output FILE`, and name it with --key or put its text into RUN_RELEASE_KEY"));
        }
    };
    ui::mask::learn_secret(&text);
    PrivateKey::from_pem(&text).map_err(|error| {
        CommandError::usage(format!("{origin} has no key that can sign")).caused_by(&error)
    })
}

fn note(builder: &Builder, plan: &Plan, built: &project::Built) -> Result<Noted, CommandError> {
    let mut noted = Noted { locks: materials::locks(plan), ..Noted::default() };
    for component in &plan.components {
        if let Some(key) = built.outcome.key(component.action) {
            noted.keys.insert(component.name.clone(), key.0.to_string());
        }
        let packages = materials::of(builder, plan, component)?;
        noted.packages.insert(component.name.clone(), packages);
    }
    Ok(noted)
}

/// Adds a component with its bill of materials.
fn add(
    files: &mut Files,
    builder: &Builder,
    noted: &Noted,
    name: &str,
    bytes: Vec<u8>,
) -> Result<(), CommandError> {
    let packages = noted.packages.get(name).map(Vec::as_slice).unwrap_or_default();
    let stated = &builder.project.manifest.project;
    let parts = packages.iter().filter(|package| package.role != Role::Tool);
    let component = sbom::Component {
        name: name.to_owned(),
        version: stated.version.value.to_string(),
        digest: Sha256::of(&bytes),
        licence: stated.license.as_ref().map(|licence| licence.value.to_string()),
        depends_on: parts.map(|package| package.purl.clone()).collect(),
    };
    let bill = sbom::write(&component, packages, env!("CARGO_PKG_VERSION"));
    let bill = bill.map_err(|error| unreleasable(&error))?;
    files.add_component(name, bytes).map_err(|error| unreleasable(&error))?;
    files.add_sbom(name, bill).map_err(|error| unreleasable(&error))
}

/// Adds run.toml and the locks.
fn add_sources(files: &mut Files, builder: &Builder, noted: &Noted) -> Result<(), CommandError> {
    let folder = &builder.project.folder;
    let own = ["run.toml", project::LOCK_FILE].map(str::to_owned);
    let mut all = noted.locks.clone();
    all.extend(own.into_iter().filter(|name| folder.join(name).exists()));
    for name in all {
        let path = folder.join(&name);
        files.add_source(&name, read(&path)?).map_err(|error| unreleasable(&error))?;
    }
    Ok(())
}

/// Reads a file of the project.
fn read(path: &Path) -> Result<Vec<u8>, CommandError> {
    cache::read_regular(path, LONGEST).map_err(|source| {
        CommandError::environment(format!("cannot read {}", path.display())).caused_by(&source)
    })
}

/// Writes the archive as a whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> Result<(), CommandError> {
    let folder = path.parent().unwrap_or(path);
    let written = std::fs::create_dir_all(folder)
        .and_then(|()| tempfile::Builder::new().permissions(mode()).tempfile_in(folder))
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.persist(path).map_err(|error| error.error)
        });
    written.map(drop).map_err(|source| {
        CommandError::environment(format!("cannot write {}", path.display())).caused_by(&source)
    })
}

/// Returns the mode of the archive before the umask: everybody may read it.
fn mode() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o644)
}
