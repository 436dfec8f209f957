//! Checks that every example on the users' configuration page, byte for byte, means what the page says.

use std::path::Path;

use super::{parse, valid};
use crate::manifest::{
    CapabilityKind, Component, Dependencies, DependencySource, GitReference, Language, LogLevel,
    Manifest, OptLevel, Origin, TargetType,
};

const PAGE: &str = include_str!("../../../../tests/fixtures/run-configuration.txt");
/// The part that turns an example of a single section into a whole file.
const PROJECT: &str = "[project]\nname = \"p\"\nversion = \"1.0.0\"\n\n";

/// Returns a part of the page: after a line that is exactly `after`, from the line `first` to the next line
/// `last`.
#[track_caller]
fn example(after: &str, first: &str, last: &str) -> &'static str {
    let find = |from: usize, line: &str| {
        let text = &PAGE[from..];
        let at = text.match_indices(line).map(|(at, _)| at).find(|at| {
            let ends = text[at + line.len()..].chars().next().is_none_or(|c| c == '\n');
            ends && (*at == 0 || text.as_bytes()[at - 1] == b'\n')
        });
        from + at.unwrap_or_else(|| panic!("no line `{line}` after `{after}`"))
    };
    let start = find(find(0, after), first);
    &PAGE[start..find(start, last) + last.len()]
}

/// Reads an example of a single section.
#[track_caller]
fn section(after: &str, first: &str, last: &str) -> Manifest {
    valid(&format!("{PROJECT}{}", example(after, first, last)))
}

fn grants(component: &Component, kind: CapabilityKind) -> bool {
    component.capabilities.iter().any(|capability| capability.kind() == kind)
}

fn names(packages: &Dependencies) -> Vec<String> {
    packages.keys().map(ToString::to_string).collect()
}

#[test]
fn basic_structure() {
    let manifest = valid(example("Basic Structure", "[project]", "hot_reload = true"));
    assert_eq!(manifest.project.name.as_str(), "my-app");
    assert_eq!(manifest.project.version.to_string(), "1.0.0");
    assert_eq!(manifest.project.authors[0].as_str(), "Your Name <you@example.com>");
    assert_eq!(manifest.project.license.as_ref().unwrap().as_str(), "MIT");
    let components: Vec<_> = manifest.components.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(components, ["api", "worker"]);
    assert_eq!(manifest.components[1].wit.as_ref().unwrap().as_str(), "wit/worker.wit");
    assert_eq!(names(&manifest.dependencies), ["wasi:http"]);
    assert_eq!(names(&manifest.dev_dependencies), ["test:mock"]);
    assert_eq!(*manifest.build.opt_level, OptLevel::Release);
    assert_eq!(manifest.dev.watch[1].as_str(), "wit/**/*.wit");
}

#[test]
fn project() {
    let whole = example(
        "Project metadata.",
        "[project]",
        r#"repository = "https://github.com/alice/my-app""#,
    );
    let manifest = valid(whole);
    assert_eq!(manifest.project.description.as_ref().unwrap().as_str(), "A fast WASI microservice");
    assert_eq!(
        manifest.project.repository.as_ref().unwrap().as_str(),
        "https://github.com/alice/my-app"
    );
}

#[test]
fn source_based_component() {
    let manifest = section(
        "Source-based component:",
        "[[component]]",
        r#"capabilities = ["http-client", "clock"]"#,
    );
    let component = &manifest.components[0];
    let Origin::Source { file, language } = &component.origin else { panic!("{component:?}") };
    assert_eq!((file.as_str(), **language), ("src/api/lib.rs", "rust".parse().unwrap()));
    assert!(grants(component, CapabilityKind::HttpClient));
    assert!(grants(component, CapabilityKind::Clock));
    assert!(!grants(component, CapabilityKind::Random));
    assert!(*component.enabled);
}

#[test]
fn prebuilt_component() {
    let manifest =
        section("Pre-built component:", "[[component]]", r#"path = "vendor/legacy.wasm""#);
    let origin = &manifest.components[0].origin;
    assert!(matches!(origin, Origin::Prebuilt { file } if file.as_str() == "vendor/legacy.wasm"));
}

#[test]
fn supported_languages() {
    let list = example(
        "Supported languages:",
        "  • rust — via cargo-component",
        "  • zig — via Zig + wasm-tools",
    );
    let words = list.lines().filter_map(|line| line.trim().strip_prefix("• ")?.split(' ').next());
    let languages: Vec<Language> = words.map(|word| word.parse().unwrap()).collect();
    // The languages after these six were added later.
    assert_eq!(languages, Language::all().take(6).collect::<Vec<_>>());
}

#[test]
fn dependencies() {
    let manifest = section(
        "Runtime dependencies from the registry.",
        "[dependencies]",
        r#""myorg:utils" = { version = "1.0.0", features = ["json"] }"#,
    );
    assert_eq!(names(&manifest.dependencies), ["myorg:utils", "wasi:http", "wasi:logging"]);
    let utils = &manifest.dependencies[&"myorg:utils".parse().unwrap()];
    let DependencySource::Registry { version } = &utils.source else { panic!("{utils:?}") };
    assert_eq!(version.base().unwrap().to_string(), "1.0.0");
    assert!(
        version.matches(&"1.2.0".parse().unwrap()) && !version.matches(&"2.0.0".parse().unwrap())
    );
    assert_eq!(utils.features[0].as_str(), "json");
}

#[test]
fn dependency_formats() {
    let all = example(
        "Dependency formats:",
        "# Simple version",
        r#""package:name" = { path = "../local-package" }"#,
    );
    let forms: Vec<DependencySource> = all
        .split("\n\n")
        .map(|form| valid(&format!("{PROJECT}[dependencies]\n{form}")))
        .map(|manifest| manifest.dependencies[&"package:name".parse().unwrap()].source.clone())
        .collect();
    let [simple, features, git, path] = forms.as_slice() else { panic!("{forms:?}") };
    assert!(matches!(simple, DependencySource::Registry { .. }));
    assert!(matches!(features, DependencySource::Registry { .. }));
    assert!(matches!(git, DependencySource::Git { reference: None, .. }));
    assert!(matches!(path, DependencySource::Path { path } if path.as_str() == "../local-package"));
}

#[test]
fn commits_of_git_dependencies() {
    let manifest = valid(&format!(
        "{PROJECT}[dependencies]\n\"a:b\" = {{ git = \"https://git.example.com/b\", tag = \"v1\" }}"
    ));
    let DependencySource::Git { url, reference, .. } =
        &manifest.dependencies[&"a:b".parse().unwrap()].source
    else {
        panic!("{manifest:?}")
    };
    assert_eq!(url.as_str(), "https://git.example.com/b");
    assert_eq!(reference.as_ref().unwrap().value, GitReference::Tag("v1".to_owned()));
}

#[test]
fn dev_dependencies() {
    let manifest = section(
        "Development-only dependencies.",
        "[dev_dependencies]",
        r#""debug:trace" = "0.5.0""#,
    );
    assert_eq!(names(&manifest.dev_dependencies), ["debug:trace", "test:mock"]);
}

#[test]
fn build() {
    let manifest = section("Build configuration.", "[build]", "reproducible = true");
    assert_eq!(manifest.build.output_dir.as_str(), "dist");
    assert_eq!(manifest.output_dir(), Path::new("/project/dist"));
    assert_eq!(*manifest.build.opt_level, OptLevel::Release);
    assert!(*manifest.build.reproducible);
}

#[test]
fn registry() {
    let manifest = section(
        "Registry configuration.",
        "[registry]",
        r#"# auth_token = "..." # Use RUN_AUTH_TOKEN env var instead"#,
    );
    assert_eq!(manifest.registry.mirrors[0].as_str(), "https://mirror.example.com");
    assert_eq!(manifest.registry.auth_token, None);
}

#[test]
fn dev() {
    let manifest = section("Development server configuration.", "[dev]", r#"log_level = "debug""#);
    assert_eq!(*manifest.dev.port, 8080);
    assert_eq!(*manifest.dev.log_level, LogLevel::Debug);
    assert!(*manifest.dev.hot_reload);
}

#[test]
fn deploy() {
    let manifest = section(
        "Named deployment profiles.",
        "[deploy.production]",
        r#"registry_url = "https://staging-registry.example.com""#,
    );
    let production = &manifest.deploy[&"production".parse().unwrap()];
    assert_eq!(*production.target_type, TargetType::Edge);
    assert_eq!(production.provider.as_ref().unwrap().as_str(), "cloudflare");
    assert_eq!(production.options["zone_id"].as_str(), Some("xyz789"));
    let staging = &manifest.deploy[&"staging".parse().unwrap()];
    assert_eq!(*staging.target_type, TargetType::Registry);
    assert_eq!(staging.options.len(), 1);
}

#[test]
fn full_configuration() {
    let manifest = valid(example("Example: Full Configuration", "[project]", "workers_dev = true"));
    assert_eq!(manifest.components.len(), 3);
    assert!(grants(manifest.component("api").unwrap(), CapabilityKind::HttpServer));
    assert_eq!(manifest.dev_dependencies.len(), 1);
    let edge = &manifest.deploy[&"edge".parse().unwrap()];
    assert_eq!(edge.options["workers_dev"].as_bool(), Some(true));
}

#[test]
fn the_page_names_the_defaults() {
    let manifest = valid(PROJECT);
    let build = &manifest.build;
    let registry = &manifest.registry;
    let dev = &manifest.dev;
    for (line, value) in [
        ("output_dir string ", format!("{:?}", build.output_dir.as_str())),
        ("opt_level string ", format!("{:?}", build.opt_level.as_str())),
        ("reproducible bool ", build.reproducible.to_string()),
        ("url string ", format!("{:?}", registry.url.as_str())),
        ("mirrors array ", format!("{:?}", registry.mirrors)),
        ("watch array ", format!("{:?}", dev.watch)),
        ("hot_reload bool ", dev.hot_reload.to_string()),
        ("port number ", dev.port.to_string()),
        ("log_level string ", format!("{:?}", dev.log_level.as_str())),
    ] {
        assert!(PAGE.contains(&format!("\n{line}{value} ")), "{line}{value}");
    }
    assert_eq!(registry.auth_token, None);
}

#[test]
fn no_example_causes_an_error_or_an_unexpected_warning() {
    let full = example("Example: Full Configuration", "[project]", "workers_dev = true");
    let (_, findings) = parse(full);
    assert!(findings.is_empty(), "{findings}");
}
