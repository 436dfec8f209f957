//! `run verify`: what is the same each time is told from what is not, and how.

use std::fmt::Write as _;

use crate::harness::Workspace;

/// Build scripts that each leave one thing of the machine in the program that they belong to.
const LEAKS: [(&str, &str); 22] = [
    ("time", "std::time::SystemTime::now()"),
    ("path", "std::fs::read_to_string(\"/proc/self/mountinfo\")"),
    ("uid", "std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(\"/proc/self\").unwrap())"),
    ("hostname", "std::fs::read_to_string(\"/proc/sys/kernel/hostname\")"),
    (
        "random",
        "std::hash::BuildHasher::hash_one(&std::collections::hash_map::RandomState::new(), 1)",
    ),
    (
        "order",
        "{ std::fs::create_dir(\"/tmp/d\").unwrap(); \
        for n in [\"a\", \"b\", \"c\"] { std::fs::write(format!(\"/tmp/d/{n}\"), n).unwrap(); } \
        std::fs::read_dir(\"/tmp/d\").unwrap().map(|e| e.unwrap().file_name()).collect::<Vec<_>>() }",
    ),
    ("environment", "std::env::var(\"USER\")"),
    ("cpus", "std::thread::available_parallelism()"),
    ("pid", "std::process::id()"),
    (
        "mtime",
        "{ std::fs::write(\"/tmp/f\", \"\").unwrap(); \
        std::fs::metadata(\"/tmp/f\").unwrap().modified() }",
    ),
    (
        "umask",
        "{ std::fs::write(\"/tmp/f\", \"\").unwrap(); \
        std::fs::metadata(\"/tmp/f\").unwrap().permissions() }",
    ),
    ("locale", "std::env::var(\"LANG\")"),
    ("build-id", "println!(\"cargo::rustc-link-arg=--build-id=uuid\")"),
    (
        "temp-name",
        "{ let number = std::hash::BuildHasher::hash_one(\
        &std::collections::hash_map::RandomState::new(), std::time::SystemTime::now()); \
        let name = format!(\"/tmp/build-{number:x}\"); std::fs::create_dir(&name).unwrap(); name }",
    ),
    ("address", "Box::into_raw(Box::new(0_u8))"),
    // More ways to the same.
    ("clock", "std::time::Instant::now()"),
    (
        "device",
        "{ use std::io::Read; let mut b = [0; 8]; \
        std::fs::File::open(\"/dev/urandom\").unwrap().read_exact(&mut b).unwrap(); b }",
    ),
    ("access", "std::fs::metadata(\"build.rs\").unwrap().accessed()"),
    ("uuid", "std::fs::read_to_string(\"/proc/sys/kernel/random/uuid\")"),
    ("uptime", "std::fs::read_to_string(\"/proc/uptime\")"),
    ("boot", "std::fs::read_to_string(\"/proc/sys/kernel/random/boot_id\")"),
    ("thread", "std::thread::spawn(std::time::SystemTime::now).join().unwrap()"),
];

/// A project with a component for each of these, and one without a leak.
fn project() -> Workspace {
    let mut manifest = "[project]\nname = \"leaks\"\nversion = \"0.1.0\"\n".to_owned();
    let mut members = Vec::new();
    let mut workspace = Workspace::new();
    for (name, value) in LEAKS.into_iter().chain([("none", "42")]) {
        let _ = write!(
            manifest,
            "\n[[component]]\nname = \"{name}\"\nsource = \"{name}/src/main.rs\"\nlanguage = \"rust\"\n"
        );
        members.push(format!("\"{name}\""));
        workspace = workspace
            .file(
                &format!("{name}/Cargo.toml"),
                format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n"),
            )
            .file(
                &format!("{name}/build.rs"),
                format!("fn main() {{ println!(\"cargo::rustc-env=LEAK={{:?}}\", {value}); }}\n"),
            )
            .file(
                &format!("{name}/src/main.rs"),
                "fn main() { println!(\"{}\", env!(\"LEAK\").trim()); }\n",
            );
    }
    let mut lock = "version = 4\n".to_owned();
    let mut names: Vec<&str> = LEAKS.iter().map(|(name, _)| *name).chain(["none"]).collect();
    names.sort_unstable();
    for name in names {
        let _ = write!(lock, "\n[[package]]\nname = \"{name}\"\nversion = \"0.1.0\"\n");
    }
    let toolchains =
        std::fs::read_to_string(crate::harness::repository().join("examples/hello/run.lock.toml"));
    workspace
        .file("run.toml", manifest)
        .file("run.lock.toml", toolchains.unwrap())
        .file(
            "Cargo.toml",
            format!("[workspace]\nresolver = \"3\"\nmembers = [{}]\n", members.join(", ")),
        )
        .file("Cargo.lock", lock)
}

#[test]
fn every_leak_is_caught_and_none_is_left_with_the_layer() {
    let workspace = project();
    let run = workspace.run(["verify", "--message-format", "json"]).exits(104);
    let verdicts: Vec<serde_json::Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|value: &serde_json::Value| value["event"] == "verified")
        .collect();
    assert_eq!(verdicts.len(), LEAKS.len() + 1);
    for verdict in &verdicts {
        let name = verdict["component"].as_str().unwrap();
        assert_eq!(verdict["identical"] == true, name == "none", "{verdict}");
        if name == "none" {
            continue;
        }
        // The text lies in the program's data, but for a build id; both files are there.
        let place = if name == "build-id" { "build_id" } else { "data" };
        let places = verdict["differences"].as_array().unwrap();
        assert!(places.iter().any(|it| it["place"].as_str().unwrap().contains(place)), "{verdict}");
        for kept in verdict["kept"].as_array().unwrap() {
            assert!(workspace.exists(kept.as_str().unwrap()), "{verdict}");
        }
    }
    run.says("another path, user, host and locale, 1 day ahead")
        .says("kept: .run/verify/time.first.wasm, .run/verify/time.again.wasm");

    // The determinism layer takes all of it away.
    let manifest = workspace.read_text("run.toml");
    workspace.write("run.toml", format!("{manifest}\n[build]\nreproducible = true\n"));
    let run = workspace.run(["verify"]).ok();
    run.says(&format!("Verified {} components are the same in three builds", LEAKS.len() + 1));
}

#[test]
fn the_time_of_a_reproducible_build_is_that_of_the_last_commit() {
    let time = |workspace: &Workspace| {
        workspace.run(["build", "-p", "time"]).ok();
        let bytes = workspace.read("target/wasm/time.wasm");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (_, rest) = text.split_once("tv_sec: ").unwrap();
        rest.split(',').next().unwrap().to_owned()
    };
    let workspace = project();
    let manifest = workspace.read_text("run.toml");
    workspace.write("run.toml", format!("{manifest}\n[build]\nreproducible = true\n"));
    assert_eq!(time(&workspace), "315532800", "there is no commit");
    let git = |arguments: &[&str]| {
        let mut git = std::process::Command::new("git");
        git.arg("-C").arg(workspace.path(".")).args([
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@example.com",
        ]);
        git.args(arguments).env("GIT_COMMITTER_DATE", "@1234567890 +0000");
        assert!(git.output().unwrap().status.success(), "{arguments:?}");
    };
    git(&["init", "-q"]);
    git(&["add", "run.toml"]);
    git(&["commit", "-q", "-m", "first"]);
    assert_eq!(time(&workspace), "1234567890");
    // A message that is longer than a pipe holds.
    workspace.write("message", "long\n".repeat(1 << 16));
    let message = workspace.path("message").display().to_string();
    git(&["commit", "-q", "--allow-empty", "-F", &message]);
    let begin = std::time::Instant::now();
    assert_eq!(time(&workspace), "1234567890");
    assert!(begin.elapsed() < std::time::Duration::from_secs(9), "{:?}", begin.elapsed());
    let workspace = workspace.env("SOURCE_DATE_EPOCH", "1000000000");
    assert_eq!(time(&workspace), "1000000000");
    let workspace = workspace.env("SOURCE_DATE_EPOCH", "yesterday");
    workspace.run(["build"]).exits(2).says("`SOURCE_DATE_EPOCH` is `yesterday`");
}
