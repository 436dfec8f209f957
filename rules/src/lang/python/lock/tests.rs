//! Tests of each kind of lockfile: which packages it gives, and which errors.

use std::path::PathBuf;

use super::super::requirement::Requirement;
use super::*;

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

fn path(text: &str) -> ProjectPath {
    ProjectPath::parse(text).unwrap()
}

/// Shows each package as `NAME==VERSION HASH,…`, where a hash is its first letter.
fn packages(lock: &Lock) -> Vec<String> {
    let hashes = |package: &LockedPackage| {
        package.hashes.iter().map(|hash| hash[..1].to_owned()).collect::<Vec<_>>().join(",")
    };
    let shown = |p: &LockedPackage| format!("{}=={} {}", p.name, p.version, hashes(p));
    lock.packages.iter().map(shown).collect()
}

fn owned<'a>(result: Result<&[&'a str], &'a str>) -> Result<Vec<String>, String> {
    result.map(|all| all.iter().map(|text| (*text).to_owned()).collect()).map_err(str::to_owned)
}

/// Replaces `{A}` and `{B}` by the two hashes.
fn filled(text: &str) -> String {
    text.replace("{A}", &format!("sha256:{A}")).replace("{B}", &format!("sha256:{B}"))
}

mod requirements_txt {
    use super::*;

    fn parsed(text: &str, others: &[(&str, &str)]) -> Result<Lock, PythonError> {
        let read = |file: &ProjectPath| {
            let found = others.iter().find(|(path, _)| *path == file.as_str());
            Ok(found.map(|(_, text)| filled(text)))
        };
        requirements::parse(&filled(text), &path("api/requirements.txt"), &read)
    }

    #[track_caller]
    fn check(text: &str, expect: Result<&[&str], &str>) {
        let got = parsed(text, &[]).map(|lock| packages(&lock)).map_err(|e| e.to_string());
        assert_eq!(got, owned(expect), "{text}");
    }

    #[test]
    fn pinned_packages_are_taken() {
        check("", Ok(&[]));
        check("# nothing\n\n", Ok(&[]));
        check("a==1.0 --hash={A}", Ok(&["a==1.0 a"]));
        check(
            "b_c[x,y]==1.0 ; python_version < \"4\" \\\n    --hash={B} \\\n    --hash={A}\n    # via d\na==2 --hash {A} # why\n",
            Ok(&["a==2 a", "b-c==1.0 a,b"]),
        );
        check("\u{feff}a==1.0 --hash={A}\r\n", Ok(&["a==1.0 a"]));
        check("a==1.0 --hash=sha512:00 --hash={A}", Ok(&["a==1.0 a"]));
        check("a==1 ; sys_platform == 'win32' --hash={A}\nb==1 --hash={B}", Ok(&["b==1 b"]));
        check("a==1 --hash={A}\nA==1 --hash={A}", Ok(&["a==1 a"]));
        check("--require-hashes\n-c limits.txt\na==1 --hash={A}", Ok(&["a==1 a"]));
    }

    #[test]
    fn what_pins_nothing_is_refused_by_its_line() {
        let unpinned = |line: usize, what: &str| {
            format!(
                "api/requirements.txt:{line}: `{what}` is not pinned by a version and a SHA-256"
            )
        };
        check("\n# x\na==1.0", Err(&unpinned(3, "a==1.0")));
        check("a>=1.0 --hash={A}", Err(&unpinned(1, "a>=1.0")));
        check("a --hash={A}", Err(&unpinned(1, "a")));
        check("a==1.0 --hash=md5:00", Err(&unpinned(1, "a==1.0")));
        check("a==1.0 \\\n# a comment ends the line\n--hash={A}", Err(&unpinned(1, "a==1.0")));
        check(
            "a==1 --hash={A}\na==2 --hash={A}",
            Err("api/requirements.txt: `a` is there twice, in versions 1 and 2"),
        );
    }

    #[test]
    fn what_is_not_from_an_index_is_refused() {
        let refused = |what: &str, origin: &str| {
            format!(
                "api/requirements.txt:1: `{what}` comes from {origin}, not from a package index"
            )
        };
        check("-e ../../lib", Err(&refused("../../lib", "a folder outside of the project")));
        check("./lib-1.tar.gz", Err(&refused("./lib-1.tar.gz", "a file or a URL")));
        check("https://h/a.whl --hash={A}", Err(&refused("https://h/a.whl", "a file or a URL")));
        check("a @ git+https://h/a", Err(&refused("a", "`git+https://h/a`")));
        check("--unknown", Err("api/requirements.txt:1: `--unknown` is not understood"));
        check(
            "a==1; os == 'nt' --hash={A}",
            Err("api/requirements.txt:1: `os == 'nt'` is no marker: there is no variable `os`"),
        );
    }

    #[test]
    fn folders_of_the_project_are_packages_of_it() {
        let others = [("libs/b/pyproject.toml", "[project]\nname = \"B_b\"")];
        let lock = parsed(
            "-e ./a\n../libs/b[x] ; python_version > '3'\n./w ; os_name == 'nt'\nc==1 --hash={A}",
            &others,
        );
        let lock = lock.unwrap();
        let local = |folder: &str, name: Option<&str>| LocalPackage {
            folder: path(folder),
            name: name.map(str::to_owned),
        };
        assert_eq!(lock.local, [local("api/a", None), local("libs/b", Some("b-b"))]);
        assert_eq!(packages(&lock), ["c==1 a"]);
    }

    #[test]
    fn the_tool_itself_is_left_out_with_or_without_a_hash() {
        let lock = parsed("Componentize_Py>=0.20\nc==1 --hash={A}", &[]).unwrap();
        assert_eq!(
            (packages(&lock), lock.left_out),
            (vec!["c==1 a".to_owned()], vec!["componentize-py".to_owned()])
        );
    }

    #[test]
    fn other_files_of_the_project_are_included_once() {
        let others = [
            ("api/base.txt", "-r ../common/all.txt\nb==1 --hash={B}"),
            ("common/all.txt", "-r ../api/base.txt\nc==1 --hash={A}\nd"),
        ];
        let lock = parsed("-r base.txt\n-r=base.txt", &others[..1]);
        let missing = "api/base.txt:1: there is no `common/all.txt`";
        assert_eq!(lock.unwrap_err().to_string(), missing);
        let error = parsed("-r base.txt", &others).unwrap_err().to_string();
        assert!(error.starts_with("common/all.txt:3: `d` is not pinned"), "{error}");
        let chain: Vec<_> =
            (0..60).map(|n| (format!("api/{n}.txt"), format!("-r {}.txt", n + 1))).collect();
        let chain: Vec<_> =
            chain.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let error = parsed("-r 0.txt", &chain).unwrap_err().to_string();
        assert_eq!(error, "api/49.txt:1: more than 50 files include each other in a chain");
        let error = parsed("-r ../../x.txt", &[]).unwrap_err().to_string();
        assert_eq!(error, "api/requirements.txt:1: `../../x.txt` leaves the project");
    }

    #[test]
    fn what_says_where_packages_are_goes_to_pip() {
        let text =
            "--index-url https://h/simple\n--extra-index-url=https://i\n--pre\na==1 --hash={A}";
        let index = parsed(text, &[]).unwrap().index;
        let index: Vec<_> = index.iter().map(|o| (o.name, o.value.as_str())).collect();
        let expect = [
            ("--index-url", "https://h/simple"),
            ("--extra-index-url", "https://i"),
            ("--pre", ""),
        ];
        assert_eq!(index, expect);
        let text = "--trusted-host h\n-f wheels\na==1 --hash={A}";
        let index = parsed(text, &[]).unwrap().index;
        assert_eq!(
            (index.len(), index[0].name, index[0].value.as_str()),
            (1, "--find-links", "wheels")
        );
    }

    #[test]
    fn an_option_brings_no_other_along() {
        let own = |option: &str, words: &str| {
            format!("api/requirements.txt:1: `{option}` has {words}, on a line of its own")
        };
        let (one, none) = ("one word as its value", "no value");
        check("--pre -e ./evil", Err(&own("--pre", none)));
        check("--index-url https://h -e ./evil", Err(&own("--index-url", one)));
        check("-f \"wheels -e ./evil\"", Err(&own("-f", one)));
        check("--find-links \\\n./a -e ./evil", Err(&own("--find-links", one)));
        check("--index-url", Err(&own("--index-url", one)));
    }
}

#[test]
fn names_and_versions_are_no_options() {
    let package = |name: &str, version: &str, platform: &str| LockedPackage {
        name: name.to_owned(),
        version: version.to_owned(),
        hashes: BTreeSet::new(),
        platforms: vec![platform.to_owned()],
    };
    let lock = ProjectPath::parse("uv.lock").unwrap();
    let check = |package: LockedPackage, good: bool| {
        let named = format!("{package:?}");
        assert_eq!(each_once(&lock, [package]).is_ok(), good, "{named}");
    };
    check(package("a-b", "1!2.0rc1.post2+local_1", "wasi_0_2"), true);
    check(package("a", "1.0\n-e ./evil", "any"), false);
    check(package("a", "1.0 --config-settings=x", "any"), false);
    check(package("-e", "1.0", "any"), false);
    check(package("a\nb", "1.0", "any"), false);
    check(package("", "1.0", "any"), false);
    check(package("a", "1.0", "--dest"), false);
}

mod pylock_toml {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: Result<&[&str], &str>) {
        let text = format!("lock-version = \"1.0\"\ncreated-by = \"x\"\n{text}");
        let text = text.replace("{A}", &format!("sha256 = \"{A}\""));
        let text = text.replace("{B}", &format!("sha256 = \"{B}\""));
        let got = pylock::parse(&text, &path("pylock.toml"));
        let got = got.map(|lock| packages(&lock)).map_err(|error| error.to_string());
        assert_eq!(got, owned(expect), "{text}");
    }

    fn package(rest: &str) -> String {
        format!("[[packages]]\nname = \"A.b\"\nversion = \"1.0\"\n{rest}\n")
    }

    const WHEEL: &str =
        "wheels = [{ url = \"https://h/x/a_b-1.0-py3-none-any.whl?q\", hashes = { {A} } }]";

    #[test]
    fn the_best_wheel_is_taken() {
        check("", Ok(&[]));
        check(&package(WHEEL), Ok(&["a-b==1.0 a"]));
        check(
            &package(
                "wheels = [{ name = \"a_b-1.0-py3-none-any.whl\", hashes = { {A} } }, \
                 { name = \"a_b-1.0-cp314-cp314-wasi_0_0_0_wasm32.whl\", hashes = { {B} } }]",
            ),
            Ok(&["a-b==1.0 b"]),
        );
    }

    #[test]
    fn what_holds_elsewhere_is_left_out() {
        check(&package(&format!("marker = \"sys_platform == 'win32'\"\n{WHEEL}")), Ok(&[]));
        let groups = "default-groups = [\"default\"]\n".to_owned();
        let default = format!("marker = \"'default' in dependency_groups\"\n{WHEEL}");
        check(&(groups.clone() + &package(&default)), Ok(&["a-b==1.0 a"]));
        let dev = format!("marker = \"'dev' in dependency_groups or 'x' in extras\"\n{WHEEL}");
        check(&(groups + &package(&dev)), Ok(&[]));
    }

    #[test]
    fn what_cannot_be_loaded_is_refused() {
        let none = |found: &str| {
            format!(
                "pylock.toml: `a-b` 1.0 has no wheel that Python in WebAssembly can load, only {found}"
            )
        };
        let sdist = package("sdist = { url = \"https://h/a_b-1.0.tar.gz\", hashes = { {A} } }");
        check(&sdist, Err(&none("a source distribution")));
        let native = |platform: &str| {
            let name = format!("a_b-1.0-cp314-cp314-{platform}.whl");
            package(&format!("wheels = [{{ name = \"{name}\", hashes = {{ {{A}} }} }}]"))
        };
        check(&native("win_amd64"), Err(&none("wheels for win_amd64")));
        // The Python in such a wheel may be enough.
        check(&native("manylinux_2_17_x86_64"), Ok(&["a-b==1.0 a"]));
        let unhashed = package(
            "wheels = [{ name = \"a_b-1.0-py3-none-any.whl\", hashes = { sha512 = \"0\" } }]",
        );
        check(
            &unhashed,
            Err("pylock.toml: `a_b-1.0-py3-none-any.whl` is not pinned by a version and a SHA-256"),
        );
        let folder = package("directory = { path = \"../lib\" }");
        check(&folder, Err("pylock.toml: `../lib` leaves the project"));
        check(&package("directory = { path = \"lib\" }"), Ok(&[]));
    }

    #[test]
    fn a_lock_for_other_interpreters_is_refused() {
        let not = |reason: &str| format!("`pylock.toml` is not for Python 3.14 on WASI: {reason}");
        check("requires-python = \">=3.12\"", Ok(&[]));
        check("requires-python = \"<3.14\"", Err(&not("`requires-python` is `<3.14`")));
        check("environments = [\"os_name == 'nt'\", \"sys_platform == 'wasi'\"]", Ok(&[]));
        check(
            "environments = [\"os_name == 'nt'\"]",
            Err(&not("its environments are os_name == 'nt'")),
        );
        let old = pylock::parse("lock-version = \"2.0\"", &path("pylock.toml")).unwrap_err();
        assert_eq!(old.to_string(), "pylock.toml: its version is 2.0, but 1.0 can be read");
    }
}

mod uv_lock {
    use super::*;

    /// A lockfile as uv 0.13 writes it, but for URLs and hashes.
    const LOCK: &str = r#"
version = 1
revision = 5
requires-python = ">=3.11"

[[package]]
name = "app"
version = "0.1.0"
source = { virtual = "." }
dependencies = [
    { name = "httpx", extra = ["socks"], marker = "sys_platform != 'win32'" },
    { name = "humanize" },
    { name = "shared" },
]

[package.optional-dependencies]
more = [{ name = "unused" }]

[package.dev-dependencies]
dev = [{ name = "unused" }]

[package.metadata]
requires-dist = [
    { name = "httpx", extras = ["socks"], marker = "sys_platform != 'win32'", specifier = ">=0.27,<1" },
    { name = "humanize", specifier = ">=4" },
    { name = "shared", editable = "libs/shared" },
    { name = "tomli", marker = "python_full_version < '3.11'" },
    { name = "unused", marker = "extra == 'more'" },
]

[[package]]
name = "colorama"
version = "0.4.6"
source = { registry = "https://h/simple" }
wheels = [{ url = "https://h/colorama-0.4.6-py2.py3-none-any.whl", hash = "{A}", size = 1 }]

[[package]]
name = "httpx"
version = "0.28.1"
source = { registry = "https://h/simple" }
dependencies = [{ name = "colorama", marker = "os_name == 'nt'" }, { name = "idna", version = "3.20", source = { registry = "https://h/simple" } }]
sdist = { url = "https://h/httpx-0.28.1.tar.gz", hash = "{B}", size = 1 }
wheels = [{ url = "https://h/httpx-0.28.1-py3-none-any.whl", hash = "{A}", size = 1 }]

[package.optional-dependencies]
socks = [{ name = "socksio" }]

[[package]]
name = "humanize"
version = "4.17.0"
source = { registry = "https://h/simple" }
wheels = [{ url = "https://h/humanize-4.17.0-py3-none-any.whl", hash = "{B}", size = 1 }]

[[package]]
name = "idna"
version = "3.19"
source = { registry = "https://h/simple" }
wheels = [{ url = "https://h/idna-3.19-py3-none-any.whl", hash = "{A}", size = 1 }]

[[package]]
name = "idna"
version = "3.20"
source = { registry = "https://h/simple" }
wheels = [{ url = "https://h/idna-3.20-py3-none-any.whl", hash = "{B}", size = 1 }]

[[package]]
name = "shared"
version = "0.1.0"
source = { editable = "libs/shared" }

[[package]]
name = "socksio"
version = "1.0.0"
source = { registry = "https://h/simple" }
wheels = [{ url = "https://h/socksio-1.0.0-py3-none-any.whl", hash = "{A}", size = 1 }]

[[package]]
name = "unused"
version = "1.0.0"
source = { registry = "https://h/simple" }
sdist = { url = "https://h/unused-1.0.0.tar.gz", hash = "{A}", size = 1 }
"#;

    const ASKED: [&str; 4] = [
        "httpx[socks]<1,>=0.27; sys_platform != 'win32'",
        "Humanize>=4",
        "shared",
        "tomli; python_version < '3.11'",
    ];

    fn parsed(lock: &str, asked: &[&str]) -> Result<Lock, String> {
        let manifest = PyProject {
            file: path("pyproject.toml"),
            dependencies: asked.iter().map(|text| Requirement::parse(text).unwrap()).collect(),
            ..PyProject::default()
        };
        uv::parse(&filled(lock), &path("uv.lock"), Some(&manifest)).map_err(|e| e.to_string())
    }

    #[test]
    fn the_closure_of_the_project_is_taken() {
        let lock = parsed(LOCK, &ASKED).unwrap();
        assert_eq!(
            packages(&lock),
            ["httpx==0.28.1 a", "humanize==4.17.0 b", "idna==3.20 b", "socksio==1.0.0 a"]
        );
        let shared = LocalPackage { folder: path("libs/shared"), name: Some("shared".to_owned()) };
        assert_eq!(lock.local, [shared]);
        // Local packages are not reported as missing when the dependencies are compared once more.
        let asked = ASKED.iter().map(|text| Requirement::parse(text).unwrap()).collect();
        let manifest =
            PyProject { file: path("pyproject.toml"), dependencies: asked, ..PyProject::default() };
        check_fresh(&lock, &manifest).unwrap();
    }

    #[test]
    fn a_stale_lock_is_known_by_what_was_asked_for() {
        let check = |change: &dyn Fn(&mut Vec<&str>), expect: &str| {
            let mut asked = ASKED.to_vec();
            change(&mut asked);
            let expect = format!("`uv.lock` does not fit `pyproject.toml`: {expect}");
            assert_eq!(parsed(LOCK, &asked).unwrap_err(), expect);
        };
        check(&|asked| asked.push("rich"), "it was made without `rich`");
        check(&|asked| asked.push("tomli"), "it was made without `tomli`");
        check(
            &|asked| _ = asked.remove(1),
            "it was made for `humanize>=4`, which is not asked for",
        );
        check(
            &|asked| asked[1] = "humanize>=5",
            "it was made for `humanize>=4`, but `humanize>=5` is asked for",
        );
        check(
            &|asked| asked[0] = "httpx>=0.27,<1",
            "it was made for `httpx[socks]<1,>=0.27`, but `httpx<1,>=0.27` is asked for",
        );
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        let check = |from: &str, to: &str, expect: &str| {
            assert!(LOCK.contains(from), "{from}");
            assert_eq!(parsed(&LOCK.replace(from, to), &ASKED).unwrap_err(), expect);
        };
        check("version = 1\n", "version = 2\n", "uv.lock: its version is 2, but 1 can be read");
        check(
            ">=3.11\"",
            "<3.13\"",
            "`uv.lock` is not for Python 3.14 on WASI: `requires-python` is `<3.13`",
        );
        check(
            "virtual = \".\"",
            "virtual = \"other\"",
            "`uv.lock` does not fit `pyproject.toml`: it does not have this project",
        );
        check(
            "humanize-4.17.0-py3-none-any.whl",
            "humanize-4.17.0-cp314-cp314-win32.whl",
            "uv.lock: `humanize` 4.17.0 has no wheel that Python in WebAssembly can load, only wheels for win32",
        );
        check(
            "source = { registry = \"https://h/simple\" }\nwheels = [{ url = \"https://h/socksio",
            "source = { git = \"https://h/s#1\" }\nwheels = [{ url = \"https://h/socksio",
            "uv.lock: `socksio` comes from `https://h/s#1` (git), not from a package index",
        );
        check(
            "{ name = \"idna\", version = \"3.20\", source = { registry = \"https://h/simple\" } }",
            "{ name = \"idna\" }",
            "uv.lock: `idna` is asked for, but there in several versions",
        );
    }
}

/// Makes a project on disk.
fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path: PathBuf = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, filled(text)).unwrap();
    }
    dir
}

#[test]
fn the_nearest_lockfile_decides() {
    let check = |files: &[(&str, &str)], expect: Result<Option<&str>, &str>| {
        let dir = project(files);
        let got = find(dir.path(), &path("svc/api/src/app.py"));
        let got = got.map(|lock| lock.map(|lock| lock.file.to_string())).map_err(|e| e.to_string());
        assert_eq!(
            got,
            expect.map(|file| file.map(str::to_owned)).map_err(str::to_owned),
            "{files:?}"
        );
    };
    let requirements = "a==1.0 --hash={A}";
    let pylock = "lock-version = \"1.0\"\n";
    let asks = "[project]\ndependencies = [\"a>=1\"]";
    check(&[], Ok(None));
    check(&[("requirements.txt", requirements)], Ok(Some("requirements.txt")));
    let both = [("svc/requirements.txt", requirements), ("svc/api/requirements.txt", "")];
    check(&both, Ok(Some("svc/api/requirements.txt")));
    let beside = [("svc/requirements.txt", requirements), ("svc/pylock.toml", pylock)];
    check(&beside, Ok(Some("svc/pylock.toml")));
    check(&[("svc/pylock.dev.toml", "")], Ok(None));
    let fresh = [("svc/api/pyproject.toml", asks), ("requirements.txt", requirements)];
    check(&fresh, Ok(Some("requirements.txt")));
    // A project above the lockfile is not the one that was locked.
    let above = [("pyproject.toml", asks), ("svc/pylock.toml", pylock)];
    check(&above, Ok(Some("svc/pylock.toml")));
    check(
        &[("svc/pyproject.toml", "[tool.x]"), ("svc/uv.lock", "version = 1")],
        Err("svc/uv.lock: there is no pyproject.toml with a `[project]` to it"),
    );
    check(
        &[("svc/pyproject.toml", asks)],
        Err("`svc/pyproject.toml` has dependencies, but there is no lockfile beside or above it"),
    );
    check(&[("pyproject.toml", "[project]\ndependencies = [\"a; os_name == 'nt'\"]")], Ok(None));
    check(
        &[("svc/pyproject.toml", asks), ("svc/pylock.toml", pylock)],
        Err("`svc/pylock.toml` does not fit `svc/pyproject.toml`: it lacks `a`"),
    );
    let newer = [
        ("svc/pyproject.toml", "[project]\ndependencies = [\"a>=2\"]"),
        ("svc/requirements.txt", requirements),
    ];
    check(
        &newer,
        Err(
            "`svc/requirements.txt` does not fit `svc/pyproject.toml`: it has `a` 1.0, but `a>=2` is asked for",
        ),
    );
}
