//! Tests of what is parsed: names, addresses, hosts, and the configuration of wkg.

use semver::Version;

use crate::package::{tag, version_of_tag};
use crate::{Address, Host, PackageId, Secret, Settings, Sha256, Source, WkgSettings};

#[test]
fn names_of_packages_are_in_kebab_case() {
    let good = ["wasi:http", "my-org:a-b2-3c", "a:b"];
    for text in good {
        assert_eq!(text.parse::<PackageId>().unwrap().to_string(), text);
    }
    let check = |text: &str, expect: &str| {
        let error = text.parse::<PackageId>().unwrap_err().to_string();
        assert!(error.starts_with(expect), "{error}");
    };
    check("http", "`http` is not the name of a package, which has the form `namespace:name`");
    check("a:b:c", "`a:b:c` is not the name of a package");
    for (part, text) in [
        ("..", "..:http"),
        ("a/b", "wasi:a/b"),
        ("A", "wasi:A"),
        ("", "wasi:"),
        ("a--b", "wasi:a--b"),
        ("-a", "wasi:-a"),
        ("1a", "wasi:1a"),
        ("a?", "wasi:a\u{1b}"),
    ] {
        let expect = text.replace('\u{1b}', "?");
        check(text, &format!("`{part}` in the package `{expect}` is not in kebab case: "));
    }
    check(&format!("wasi:{}", "a".repeat(101)), "`aaaa");
}

#[test]
fn tags_stand_for_versions() {
    for text in ["1.0.0", "1.0.0-rc.1", "1.0.0+build.5", "1.0.0-rc.1+build-5"] {
        let version = Version::parse(text).unwrap();
        assert_eq!(tag(&version), text.replace('+', "_"));
        assert_eq!(version_of_tag(&tag(&version)), Some(version));
    }
    for text in ["latest", "v1.0.0", "1.0", "sha256-00", "1.0.0_a_b", "../1.0.0"] {
        assert_eq!(version_of_tag(text), None, "{text}");
    }
}

#[test]
fn addresses_are_urls_without_credentials() {
    let check = |text: &str, expect: &str| {
        let address: Address = text.parse().unwrap();
        assert_eq!(address.to_string(), expect);
        assert_eq!(expect.parse::<Address>().unwrap(), address);
    };
    check("https://example.com", "https://example.com");
    check("https://EXAMPLE.com:443/team/", "https://example.com/team");
    check("http://localhost:5000", "http://localhost:5000");
    check("oci://example.com", "oci://example.com");
    check("oci://example.com/a/b/", "oci://example.com/a/b");
    check("oci+http://localhost:5000/a", "oci+http://localhost:5000/a");
    check("oci://[::1]:5000/team-*", "oci://[::1]:5000/team-*");
    check("file:///srv/my%20packages", "file:///srv/my%20packages");
    assert_eq!(Address::directory("/srv/my packages").to_string(), "file:///srv/my%20packages");
    let prefix = Address::oci(true, "example.com", "webassembly/").unwrap();
    assert_eq!(prefix.to_string(), "oci://example.com/webassembly");

    let check = |text: &str, expect: &str| {
        let error = text.parse::<Address>().unwrap_err().to_string();
        assert!(error.starts_with(expect), "{error}");
        assert!(!error.contains("s3sam"), "{error}");
    };
    check("example.com", "`example.com` has no scheme: for a host write `https://example.com`");
    check(
        "ftp://example.com",
        "`ftp` is not the address of a registry: expected a URL with `https://`",
    );
    check("https://", "`https://` is not the address of a registry: empty host");
    check("file://relative/path", "`file://relative/path` is not the address of a registry");
    for text in [
        "https://ci:s3sam@example.com",
        "oci://s3sam@example.com/a",
        "https://example.com/?t=s3sam",
        "https://example.com/#s3sam",
    ] {
        check(text, "the address of the registry example.com has more than a host and a path");
    }
    check("https://ci:s3sam@", "`…` is not the address of a registry");
    check(
        "oci://example.com/Team",
        "the prefix `Team/` can't stand in the name of an OCI repository",
    );
    check(
        "oci://example.com/a//b",
        "the prefix `a//b/` can't stand in the name of an OCI repository",
    );
}

#[test]
fn hosts_are_those_of_urls() {
    let check =
        |text: &str, expect: &str| assert_eq!(text.parse::<Host>().unwrap().to_string(), expect);
    check("Example.com", "example.com");
    check("example.com:443", "example.com");
    check("oci://example.com:5000/team", "example.com:5000");
    check("http://example.com:80", "http://example.com");
    check("oci+http://example.com", "http://example.com");
    check("http://localhost:5000", "localhost:5000");
    check("http://127.0.0.1:5000", "127.0.0.1:5000");
    for text in ["", "a b", "ftp://example.com", "ci:s3sam@example.com", "example.com?x"] {
        let error = text.parse::<Host>().unwrap_err().to_string();
        assert!(error.contains("is not the name of a host") && !error.contains("s3sam"), "{error}");
    }
}

#[test]
fn digests_are_hexadecimal() {
    let digest = Sha256::of(b"");
    let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(digest.hex(), hex);
    assert_eq!(format!("sha256:{hex}").parse(), Ok(digest));
    assert_eq!(hex.to_uppercase().parse(), Ok(digest));
    for text in [
        "",
        "sha256:",
        "sha512:00",
        "../etc",
        &hex[1..],
        &format!("{hex}0"),
        &hex.replace('e', "+"),
        &"é".repeat(32),
    ] {
        assert!(text.parse::<Sha256>().is_err(), "{text}");
    }
}

#[test]
fn nothing_shows_a_secret() {
    let secret = Secret::new("s3sam");
    assert_eq!(format!("{secret:?} {:#?}", Some(&secret)).matches("s3sam").count(), 0);
    assert_eq!(secret.hide_in("it is s3sam!"), "it is ***!");
    assert_eq!(Secret::new("").hide_in("it"), "it");
    let mut settings = Settings::new(Address::directory("/srv"));
    settings.token = Some(crate::Token { secret, from: "RUN_AUTH_TOKEN".to_owned() });
    let proxy =
        crate::Proxy { scheme: "all".to_owned(), url: "http://ci:s3sam@localhost".to_owned() };
    settings.network.proxies.push(proxy);
    assert!(!format!("{settings:?} {:?}", settings.token).contains("s3sam"));
}

#[test]
fn the_configuration_of_wkg_is_read() {
    let text = r#"
default_registry = "example.com"

[namespace_registries]
wasi = "wasi.example.com"
test = { registry = "localhost:5000", metadata = { preferredProtocol = "oci", oci = { registry = "oci.example.com", namespacePrefix = "webassembly/" } } }
plain = { registry = "localhost:5055", metadata = { preferredProtocol = "oci", "oci" = { namespacePrefix = "" } } }
mine = "local"

[package_registry_overrides]
"example:foo" = "localhost:5055"

[registry."localhost:5055".oci]
auth = { username = "open", password = "sesame" }
protocol = "http"

[registry."wasi.example.com".oci]
auth = "cGluZzpwb25n"

[registry.local.local]
root = "/srv/packages"
"#;
    let wkg = WkgSettings::parse(text).unwrap();
    assert_eq!(wkg.default.as_ref().unwrap().to_string(), "https://example.com");
    let namespaces: Vec<_> =
        wkg.namespaces.iter().map(|(name, address)| format!("{name} {address}")).collect();
    assert_eq!(
        namespaces,
        [
            "mine file:///srv/packages",
            "plain oci+http://localhost:5055",
            "test oci://oci.example.com/webassembly",
            "wasi https://wasi.example.com",
        ]
    );
    let foo: PackageId = "example:foo".parse().unwrap();
    assert_eq!(wkg.packages[&foo].to_string(), "http://localhost:5055");
    let hosts: Vec<_> = wkg.logins.keys().map(Host::to_string).collect();
    assert_eq!(hosts, ["http://localhost:5055", "wasi.example.com"]);
    assert!(!format!("{wkg:?}").contains("sesame") && !format!("{wkg:?}").contains("pong"));

    // What the user has said already goes before it.
    let mut settings = Settings::new(Address::directory("/srv"));
    let own = Source::from(Address::directory("/own"));
    settings.namespaces.insert("wasi".to_owned(), own.clone());
    wkg.add_to(&mut settings, "wkg's configuration");
    let source = |name: &str| settings.source(&name.parse().unwrap()).registry.to_string();
    assert_eq!(source("wasi:http"), "file:///own");
    assert_eq!(source("example:foo"), "http://localhost:5055");
    assert_eq!(source("example:other"), "file:///srv");
    assert_eq!(source("test:mock"), "oci://oci.example.com/webassembly");
}

#[test]
fn faults_of_a_configuration_of_wkg_are_told_without_its_secrets() {
    let check = |text: &str, expect: &str| {
        let error = WkgSettings::parse(text).unwrap_err();
        let causes =
            std::iter::successors(std::error::Error::source(&error), |cause| cause.source());
        let shown = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
        assert!(shown.contains(expect), "{shown}");
        assert!(!format!("{shown} {error:?}").contains("sesame"), "{error:?}");
    };
    check("\ndefault_registry = sesame", "the configuration of wkg is malformed at line 2");
    check(
        "default_registry = \"http://example.com\"",
        "a registry of wkg is a host without a scheme and a path",
    );
    check(
        "[namespace_registries]\n\"../x\" = \"example.com\"",
        "`../x` in the package `../x:a` is not in kebab case",
    );
    check(
        "[registry.\"example.com\".oci]\nauth = \"sesame!\"",
        "has credentials for example.com that can't be used",
    );
    check(
        "[registry.\"example.com\".oci]\nauth = \"cGluZzpwb25n\"\nprotocol = \"gopher\"",
        "has the protocol `gopher` for example.com, which is not known",
    );
}
