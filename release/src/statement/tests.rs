//! Tests of statements: the bytes that are written, and what is refused.
//!
//! A statement that we would refuse can't be written either, so both are tested with the same changes.

use super::*;
use crate::archive::Files;
use crate::build::{Build, BuildError, Package, Source};
use crate::digest::Algorithm;

fn files() -> Files {
    let mut files = Files::new("shop", &Version::new(1, 2, 0)).unwrap();
    files.add_component("api", b"\0asm".to_vec()).unwrap();
    files.add_source("run.toml", b"[project]".to_vec()).unwrap();
    files
}

fn build() -> Build {
    Build {
        project: "shop".to_owned(),
        version: Version::new(1, 2, 0),
        opt_level: "release".to_owned(),
        source: Some(Source {
            repository: "git+https://git.example/shop".to_owned(),
            commit: "a".repeat(40),
            is_clean: true,
        }),
        action_keys: BTreeMap::from([("api".to_owned(), "blake3:00/7".to_owned())]),
        platform: "x86_64-linux".to_owned(),
        rebuilds: 2,
        sandbox: Sandbox::Namespaces,
        packages: vec![package(Role::Library), package(Role::Library)],
        builder: Builder {
            id: "https://ci.example/builder".to_owned(),
            version: BTreeMap::from([("run".to_owned(), "0.1.0".to_owned())]),
        },
    }
}

fn package(role: Role) -> Package {
    Package {
        purl: "pkg:cargo/serde@1.0.0".parse().unwrap(),
        name: "serde".to_owned(),
        version: None,
        digests: Digests::new([(Algorithm::Sha256, "b".repeat(64))]).unwrap(),
        licence: None,
        role,
        depends_on: Vec::new(),
    }
}

#[test]
fn a_build_is_stated_in_the_terms_of_the_specifications() {
    let json = build().statement(&files()).unwrap().to_json().unwrap();
    let expect = concat!(
        r#"{"_type":"https://in-toto.io/Statement/v1","#,
        r#""subject":[{"name":"components/api.wasm","digest":{"sha256":"cd5d4935a48c0672cb06407bb443bc0087aff947c6b864bac886982c73b3027f"}}],"#,
        r#""predicateType":"https://slsa.dev/provenance/v1","predicate":{"buildDefinition":{"buildType":"urn:x-run:build:v1","#,
        r#""externalParameters":{"components":["api"],"optLevel":"release","project":"shop","source":"git+https://git.example/shop","version":"1.2.0"},"#,
        r#""internalParameters":{"actionKeys":{"api":"blake3:00/7"},"platform":"x86_64-linux","rebuilds":2,"sandbox":"namespaces","sources":"clean"},"#,
        r#""resolvedDependencies":["#,
        r#"{"uri":"git+https://git.example/shop","digest":{"gitCommit":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},"annotations":{"role":"source"}},"#,
        r#"{"uri":"pkg:cargo/serde@1.0.0","digest":{"sha256":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"},"annotations":{"role":"library"}},"#,
        r#"{"name":"source/run.toml","digest":{"sha256":"RUN"},"annotations":{"role":"file"}}]},"#,
        r#""runDetails":{"builder":{"id":"https://ci.example/builder","version":{"run":"0.1.0"}}}}}"#,
    );
    let expect = expect.replace("RUN", &crate::Sha256::of(b"[project]").hex());
    assert_eq!(String::from_utf8(json.clone()).unwrap(), expect);
    let read = Statement::read(&json).unwrap();
    assert_eq!(read, build().statement(&files()).unwrap());
    let header = Header::read(&json).unwrap();
    assert!(
        header.is_about(&crate::Sha256::of(b"\0asm")) && !header.is_about(&crate::Sha256::of(b""))
    );
    assert_eq!(header.predicate_type(), PROVENANCE);
}

#[test]
fn a_build_that_contradicts_itself_is_not_stated() {
    let check = |change: fn(&mut Build), fits: fn(&BuildError) -> bool| {
        let mut build = build();
        change(&mut build);
        let error = build.statement(&files()).unwrap_err();
        assert!(fits(&error), "{error:?}");
    };
    check(
        |build| build.action_keys.clear(),
        |error| matches!(error, BuildError::Components { .. }),
    );
    check(
        |build| build.packages[1].role = Role::Tool,
        |error| matches!(error, BuildError::Conflict(_)),
    );
    check(
        |build| build.packages[1].role = Role::Source,
        |error| matches!(error, BuildError::Role(_)),
    );
    check(
        |build| build.source.as_mut().unwrap().commit.clear(),
        |error| matches!(error, BuildError::Commit { .. }),
    );
    let secret = "git+https://user:hunter2@git.example/shop";
    let mut build = build();
    build.source.as_mut().unwrap().repository = secret.to_owned();
    let error = build.statement(&files()).unwrap_err();
    assert_eq!(error, BuildError::Credentials);
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[test]
fn a_statement_of_another_kind_is_called_so() {
    let json = build().statement(&files()).unwrap().to_json().unwrap();
    let json = String::from_utf8(json).unwrap();
    let check = |from: &str, to: &str, what: &str| {
        assert!(json.contains(from));
        let error = Statement::read(json.replacen(from, to, 1).as_bytes()).unwrap_err();
        assert!(
            matches!(&error, StatementError::Type { what: found, .. } if *found == what),
            "{error:?}"
        );
    };
    check("Statement/v1", "Statement/v0.1", "_type");
    check("provenance/v1", "provenance/v0.2", "predicateType");
    check("urn:x-run:build:v1", "urn:x-run:build:v2", "buildType");
}

#[test]
fn a_statement_without_contradictions_is_read_only() {
    let statement = build().statement(&files()).unwrap();
    let check = |change: fn(&mut Statement), fits: fn(&StatementError) -> bool| {
        let mut statement = statement.clone();
        change(&mut statement);
        let json = serde_json::to_vec(&statement).unwrap();
        let error = Statement::read(&json).unwrap_err();
        assert!(fits(&error), "{error:?}");
        assert_eq!(statement.to_json(), Err(error));
    };
    check(|s| s.subject.clear(), |e| *e == StatementError::NoSubject);
    check(|s| s.subject.push(s.subject[0].clone()), |e| matches!(e, StatementError::Twice(_)));
    check(
        |s| s.subject[0].name = "source/run.toml".to_owned(),
        |e| matches!(e, StatementError::Twice(_)),
    );
    check(|s| s.subject[0].name.clear(), |e| matches!(e, StatementError::Text { .. }));
    check(
        |s| s.subject[0].digest = Digests::new([(Algorithm::Sha1, "a".repeat(40))]).unwrap(),
        |e| matches!(e, StatementError::NoDigest(_)),
    );
    check(
        |s| s.predicate.run_details.builder.id = "a\u{1b}[2J".to_owned(),
        |e| matches!(e, StatementError::Text { .. }),
    );
    check(
        |s| s.predicate.build_definition.internal_parameters.sources = Sources::Untracked,
        |e| *e == StatementError::Source,
    );
    check(
        |s| s.predicate.build_definition.external_parameters.source = None,
        |e| *e == StatementError::Source,
    );
    check(
        |s| {
            s.predicate.build_definition.resolved_dependencies[0].uri =
                Some("git+https://git.example/other".to_owned());
        },
        |e| *e == StatementError::Source,
    );
    check(
        |s| {
            s.predicate.build_definition.resolved_dependencies[1].uri =
                Some("https://git.example".to_owned());
        },
        |e| matches!(e, StatementError::Role(_)),
    );
    check(
        |s| {
            s.predicate.build_definition.resolved_dependencies[2].uri =
                Some("file:run.toml".to_owned());
        },
        |e| matches!(e, StatementError::Role(_)),
    );
    check(
        |s| s.predicate.build_definition.resolved_dependencies[0].annotations.role = Role::Wit,
        |e| matches!(e, StatementError::Role(_)),
    );
}

#[test]
fn the_header_of_an_older_statement_is_read() {
    let json = br#"{"_type":"https://in-toto.io/Statement/v0.1","subject":[{"name":"","digest":{"sha256":"00"}}],"predicateType":"x","predicate":{"any":1}}"#;
    assert_eq!(Header::read(json).unwrap().predicate_type(), "x");
    let other = br#"{"_type":"x","subject":[{}],"predicateType":"x"}"#;
    assert!(matches!(Header::read(other), Err(StatementError::Type { what: "_type", .. })));
    let none = br#"{"_type":"https://in-toto.io/Statement/v1","subject":[],"predicateType":"x"}"#;
    assert_eq!(Header::read(none).unwrap_err(), StatementError::NoSubject);
}
