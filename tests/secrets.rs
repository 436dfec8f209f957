//! Tests secrets in every shape and place: none of them is ever printed or stored.

use std::net::TcpListener;
use std::path::Path;

use crate::configuration::prebuilt;
use crate::harness::{Run, Workspace};

/// The beginning of every secret in these tests.
const MARK: &str = "zq7";

/// Returns the secret with this number. It has letters and digits, like a token.
fn secret(number: usize) -> String {
    format!("{MARK}{number}aB3dE5fG7hJ9kL")
}

/// Additions to a valid run.toml that leave it valid. `@` stands for a secret.
const WHOLE: [&str; 24] = [
    "[registry]\nauth_token = \"@\"",
    "[registry]\nauth_token = '@'",
    "[registry]\nauth_token = \"\"\"\n@\n@\"\"\"",
    "[registry]\nauth_token = '''@\n@'''",
    "[registry]\nauth_token = \"\"\"@\"\"@\"\"\"\"\"",
    "[registry]\nauth_token = \"a\\\"@\\n@\"",
    "registry.auth_token = \"@\"",
    "[registry]\n\"auth_token\" = \"@\"",
    "[registry]\n\"auth\\u005ftoken\" = \"@\"",
    "registry = { auth_token = \"@\" }",
    "[registry]\r\nauth_token = \"@\"\r",
    "[registry]\nurl = \"https://host.example/simple/@\"\nmirrors = [\"https://m.example/@/x\"]",
    "[deploy.p]\ntarget_type = \"registry\"\n[deploy.p.options]\napi_token = \"@\"",
    "[deploy.p]\ntarget_type = \"registry\"\noptions = { password = \"@\", secret = '@', key = \"@\" }",
    "[deploy.p]\ntarget_type = \"registry\"\n[deploy.p.options.credentials]\nuser = \"@\"",
    "[deploy.p]\ntarget_type = \"registry\"\n[deploy.p.options]\nsecrets = [\n\"@\", # ]\n\"@\"]",
    "[deploy.p]\ntarget_type = \"registry\"\n[deploy.p.options]\nurl = \"https://me:@@h/?sig=@#@\"",
    "[deploy.p]\ntarget_type = \"registry\"\n[deploy.p.options]\n'client-secret'.inner = \"@\"",
    "[registry]\nauth_token = \"\\t@ \\\"@\\\" \\\\ \\e@\"",
    "[registry]\nauth_token = \"\"\"@\\\n   @\"\"\"",
    "[deploy.p]\ntarget_type = \"registry\"\n[deploy.p.options]\nproxy = \"me:@@proxy.example:3128\"",
    "[deploy.p]\ntarget_type = \"registry\"\n[deploy.p.options]\nurl = \"https://me:a'b @@h/x\"",
    "# auth_token = \"@\"\n[dev]\nport = 3001",
    "[[component]]\nname = \"off\"\nsource = \"a.rs\"\nenabled = false\nenv = { API_TOKEN = \"@\" }",
];

/// Additions to a valid run.toml that make it invalid, in its form or its meaning.
const BROKEN: [&str; 38] = [
    "[registry]\nauth_token = \"@\n@\"",
    "[registry]\nauth_token = '@\n@'",
    "[registry]\nauth_token = \"@\n@",
    "[registry]\nauth_token = \"@",
    "[registry]\nauth_token = \"\"\"@\n@",
    "[registry]\nauth_token = '''@\n@\"\"\"",
    "[registry]\nauth_token = @\n",
    "[registry]\nauth_token = # secret:\n\"@\"",
    "[registry]\nauth_token = \"@\" \"@\"",
    "[registry]\nauth_token = \"@\"@",
    "[registry]\nauth_token = [\"@\", [\"@\"\n\"@\"",
    "[registry]\nauth_token = { a = \"@\", b = \"@\"",
    "[registry]\nauth_token = \"\\q@\"",
    "[registry]\nauth_tokn = \"@\"",
    "[registry]\nauth_token\n= \"@\"",
    "[registry]\nauth_token : \"x\"\npassword = \"@\"",
    "[registry]\r\nauth_token = \"@\r\n@\"\r\n",
    "[registry]\nurl = \"https://a.example\"\n[registry]\nauth_token = \"@\"",
    "[registry]\nauth_token = \"@\"\nauth_token = \"@\"",
    "[registry\nauth_token = \"@\"",
    "registry = { auth_token = \"@\", oops }",
    "[registry]\nurl = \"https://me:@@host.example\"",
    "[registry]\nurl = \"https://@@host.example\"",
    "[registry]\nurl = \"https://host.example/?token=@\"",
    "[registry]\nurl = \"https://host.example/?a=b&access_token=@#@\"",
    "[registry]\nmirrors = [\"https://host.example/x?X-Amz-Signature=@&X-Amz-Credential=@\"]",
    "[dependencies]\n\"a:b\" = { git = \"https://me:@@host.example/x\" }",
    "[dependencies]\n\"a:b\" = { git = \"https://host.example/x?private_token=@\" }",
    "[registry]\nurl = \"ftp://me:@/@@host.example/@\"",
    "[registry]\nauth_token: \"@\"",
    "[registry]\nauth_token \"@\"",
    "[registry]\nauth_token \u{ff1d} \"@\"",
    "[registry]\nauth_token : @",
    "registry = { auth_token: \"@\" }",
    "[deploy.p.options.credentials] # a = b\nuser = \"@\" x",
    "[deploy.p.options.\"a=b\".secrets]\nuser = \"@\" x",
    "[deploy.p.options.credentials]\na = \"\"\"\n[x]\n\"\"\"\nb = [\n[\"a\"],\n]\nuser = \"@\" x",
    "[deploy.p]\ntarget_type = 1\n[deploy.p.options]\n\"x=auth_token\" = \"@\"\nzone = 99999999999999999999",
];

const COMMANDS: [&[&str]; 5] = [
    &["build", "-vv"],
    &["build", "--message-format", "json"],
    &["info"],
    &["info", "--message-format", "json"],
    &["toolchain", "list"],
];

/// Puts a secret in the place of each `@`. `@@` stands for a secret with an `@` behind it.
fn filled(text: &str, number: usize) -> String {
    let text = text.replace("@@", "@\u{1}");
    text.replace('@', &secret(number)).replace('\u{1}', "@")
}

/// Makes a project with this addition to its run.toml.
fn with(shape: &str, number: usize) -> Workspace {
    let workspace = prebuilt();
    let text = workspace.read_text("run.toml");
    let shape = filled(shape, number);
    let first = shape.lines().next().unwrap_or_default();
    let text = match first.starts_with("registry") {
        true => format!("{shape}\n{text}"),
        false => format!("{text}\n{shape}\n"),
    };
    workspace.write("run.toml", text);
    workspace
}

#[test]
fn no_secret_of_run_toml_is_printed_or_kept() {
    for (number, shape) in WHOLE.iter().enumerate() {
        let workspace = with(shape, number);
        for arguments in COMMANDS {
            nothing_shows(&workspace.run_all(arguments).exits(0), shape);
        }
        nothing_is_kept(&workspace, shape);
    }
    for (number, shape) in BROKEN.iter().enumerate() {
        let workspace = with(shape, number);
        for arguments in COMMANDS {
            nothing_shows(&workspace.run_all(arguments).exits(2), shape);
        }
        nothing_is_kept(&workspace, shape);
    }
}

/// Variables that contain secrets for clients, proxies and `run` itself. `@` stands for a secret, and `PORT`
/// for a port at which nobody listens.
const VARIABLES: [(&str, &str); 12] = [
    ("RUN_AUTH_TOKEN", "@"),
    ("HTTP_PROXY", "http://me:@@127.0.0.1:PORT"),
    ("HTTPS_PROXY", "http://me:@@127.0.0.1:PORT/"),
    ("https_proxy", "http://@@127.0.0.1:PORT"),
    ("http_proxy", "http://me:@@127.0.0.1:PORT"),
    ("ALL_PROXY", "http://me:@@127.0.0.1:PORT"),
    ("PIP_INDEX_URL", "http://me:@@127.0.0.1:PORT/@/simple?token=@"),
    ("PIP_EXTRA_INDEX_URL", "http://127.0.0.1:PORT/@/simple"),
    ("npm_config_registry", "http://127.0.0.1:PORT/@/"),
    ("CARGO_REGISTRIES_MINE_TOKEN", "@"),
    ("RUSTUP_DIST_SERVER", "http://me:@@127.0.0.1:PORT/?token=@"),
    ("GOPROXY", "http://me:@@127.0.0.1:PORT/@"),
];

/// Files of the home folder that contain secrets for clients and `run`.
const FILES: [(&str, &str); 5] = [
    (".npmrc", "//127.0.0.1:PORT/:_authToken=@\n_auth=@\n//127.0.0.1:PORT/:_password=\"@\"\n"),
    (".config/pip/pip.conf", "[global]\nextra-index-url = http://me:@@127.0.0.1:PORT/simple\n"),
    (".netrc", "machine 127.0.0.1 login me password @\n"),
    (".cargo/credentials.toml", "[registry]\ntoken = \"@\"\n"),
    (".config/run/config.toml", "[mirrors]\ndebian = \"http://me:@@127.0.0.1:PORT/@?token=@\"\n"),
];

#[test]
fn no_secret_of_the_user_is_printed_or_kept() {
    // The port is bound and released again, so connections to it are refused.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let filled = |text: &str, number| filled(text, number).replace("PORT", &port);
    for example in ["hello", "polyglot"] {
        let mut workspace = Workspace::example(example).private_store();
        std::fs::remove_file(workspace.path("run.lock.toml")).unwrap();
        let home = workspace.root().join("home");
        for (number, (name, text)) in FILES.iter().enumerate() {
            let path = home.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, filled(text, 100 + number)).unwrap();
        }
        let configuration = std::fs::read(home.join(".config/run/config.toml")).unwrap();
        let run_home = workspace.root().join("run-home");
        std::fs::create_dir_all(&run_home).unwrap();
        std::fs::write(run_home.join("config.toml"), configuration).unwrap();
        for (number, (name, value)) in VARIABLES.iter().enumerate() {
            workspace = workspace.env(name, filled(value, 200 + number));
        }
        workspace = workspace.env("CARGO_HOME", home.join(".cargo"));
        for arguments in [
            &["toolchain", "sync"][..],
            &["toolchain", "sync", "-vv", "--message-format", "json"],
            &["build", "-vv"],
            &["build", "--message-format", "json"],
            &["info"],
            &["doctor"],
            &["doctor", "--message-format", "json"],
        ] {
            nothing_shows(&workspace.run_all(arguments), example);
        }
        for (name, _) in FILES {
            std::fs::remove_file(home.join(name)).unwrap();
        }
        std::fs::remove_file(run_home.join("config.toml")).unwrap();
        nothing_is_kept_in(workspace.root(), example);
    }
}

#[test]
fn a_broken_configuration_and_a_wrong_address_show_nothing() {
    let workspace = prebuilt();
    let run_home = workspace.root().join("run-home");
    std::fs::create_dir_all(&run_home).unwrap();
    for text in [
        "token = \"@\"\n",
        "[mirrors]\npassword = '@'\n",
        "[fetch]\nauth_token: \"@\"\n",
        "[fetch]\ntoken \"@\"\n",
        "[mirrors]\ndebian = \"http://me:@ with blank@@h/\" x\n",
        "[mirrors]\ndebian = \"https://me:@@h/?a=@\n",
    ] {
        let text = filled(text, 300);
        std::fs::write(run_home.join("config.toml"), &text).unwrap();
        nothing_shows(&workspace.run(["build"]).exits(2), &text);
    }
    std::fs::remove_file(run_home.join("config.toml")).unwrap();
    let workspace = workspace.env("RUN_REGISTRY_URL", format!("https://h/?token={}", secret(301)));
    nothing_shows(&workspace.run(["build"]).exits(2), "RUN_REGISTRY_URL");
    let url = format!("http://me:{}@127.0.0.1:9/x.tar.gz?token={}", secret(302), secret(303));
    nothing_shows(&workspace.run(["toolchain", "add", "mine", &url]), "toolchain add");
}

/// A failed command is shown with its environment and with the line that enters its sandbox.
#[test]
fn a_secret_is_hidden_however_a_command_line_quotes_it() {
    let workspace = Workspace::example("hello");
    workspace.write("src/main.rs", "fn main() { no }");
    let text = workspace.read_text("run.toml");
    let shapes = ["it's a @", "@\\\"$HOME\\\"", "line one\\nline @", "tab\\t@", "ü@'ü"];
    for (number, shape) in shapes.iter().enumerate() {
        let shape = filled(shape, 400 + number);
        let env = format!("wit = \"wit\"\nenv = {{ API_TOKEN = \"{shape}\" }}\n");
        workspace.write("run.toml", text.replace("wit = \"wit\"\n", &env));
        for arguments in [
            &["build", "-v", "--sandbox-debug"][..],
            &["build", "-v", "--sandbox-debug", "--message-format", "json"],
        ] {
            let run = workspace.run_all(arguments).exits(1);
            let run = run.says("API_TOKEN").says("***");
            nothing_shows(&run, &shape);
        }
    }
}

#[track_caller]
fn nothing_shows(run: &Run, what: &str) {
    for text in [&run.stdout, &run.stderr] {
        assert!(!text.contains(MARK), "{what}\nshows:\n{text}");
    }
}

#[track_caller]
fn nothing_is_kept(workspace: &Workspace, what: &str) {
    std::fs::remove_file(workspace.path("run.toml")).unwrap();
    nothing_is_kept_in(workspace.root(), what);
}

#[track_caller]
fn nothing_is_kept_in(folder: &Path, what: &str) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            nothing_is_kept_in(&path, what);
        } else {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(MARK.len()).any(|window| window == MARK.as_bytes());
            assert!(!found, "{what}\nis kept in {}", path.display());
        }
    }
}
