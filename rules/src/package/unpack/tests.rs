//! Unpacks crafted archives: what an attacker could send, and what honest packages look like.

use std::io::Write as _;

use ::zip::write::SimpleFileOptions;
use cache::{Digest, DigestFunction};

use super::contents::Blob;
use super::*;
use cache::DiskStore;
use std::io;

/// A store and the rules for unpacking.
struct Fixture {
    _folder: tempfile::TempDir,
    store: DiskStore,
    placement: Placement,
    limits: Limits,
}

impl Fixture {
    fn new() -> Self {
        Self::with(DigestFunction::Blake3, |_| {})
    }

    fn with(function: DigestFunction, change: impl FnOnce(&mut PlacementRules)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut rules = PlacementRules::default();
        change(&mut rules);
        Self {
            store: DiskStore::open(folder.path(), function).unwrap(),
            placement: Placement::new(rules).unwrap(),
            limits: Limits::default(),
            _folder: folder,
        }
    }

    fn unpack(&self, format: Format, bytes: &[u8]) -> Result<Contents, UnpackError> {
        self.unpacker(&|| false).archive(format, bytes)
    }

    fn unpacker<'a>(&'a self, cancelled: &'a (dyn Fn() -> bool + Sync)) -> Unpacker<'a> {
        let Self { store, placement, limits, .. } = self;
        Unpacker { store, placement, limits: *limits, cancelled }
    }
}

/// Returns one line per node: `path`, `path*` if executable, `path -> target`.
fn listing(contents: &Contents) -> Vec<String> {
    let line = |(path, node): (&String, &Node)| match node {
        Node::File { executable, .. } => format!("{path}{}", if *executable { "*" } else { "" }),
        Node::Link { target } => format!("{path} -> {target}"),
    };
    contents.nodes.iter().map(line).collect()
}

/// One entry of a tar archive. It is written without the checks of a proper writer.
struct Member<'a> {
    kind: u8,
    name: &'a [u8],
    target: &'a [u8],
    mode: u32,
    data: &'a [u8],
}

const FILE: Member<'_> = Member { kind: b'0', name: b"", target: b"", mode: 0o644, data: b"x" };
const LINK: Member<'_> = Member { kind: b'2', data: b"", ..FILE };
const HARD_LINK: Member<'_> = Member { kind: b'1', data: b"", ..FILE };
const FOLDER: Member<'_> = Member { kind: b'5', data: b"", mode: 0o755, ..FILE };

fn tape(members: &[Member<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for member in members {
        let mut header = [0; 512];
        header[..member.name.len()].copy_from_slice(member.name);
        header[100..107].copy_from_slice(format!("{:07o}", member.mode).as_bytes());
        header[124..135].copy_from_slice(format!("{:011o}", member.data.len()).as_bytes());
        header[148..156].fill(b' ');
        header[156] = member.kind;
        header[157..157 + member.target.len()].copy_from_slice(member.target);
        header[257..265].copy_from_slice(b"ustar\x0000");
        if member.kind == b'S' {
            header[257..265].copy_from_slice(b"ustar  \0");
            header[483..494].fill(b'0');
        }
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(member.data);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

/// Returns a tar archive of files, each with name, mode and bytes.
pub(crate) fn tape_of<'a>(files: &[(&'a str, u32, &'a [u8])]) -> Vec<u8> {
    let member = |(name, mode, data): &(&'a str, u32, &'a [u8])| Member {
        name: name.as_bytes(),
        mode: *mode,
        data,
        ..FILE
    };
    tape(&files.iter().map(member).collect::<Vec<_>>())
}

#[test]
fn the_one_folder_of_an_archive_is_left_out_if_asked() {
    let check = |bytes: &[u8], expect: &[&str]| {
        let fixture = Fixture::with(DigestFunction::Blake3, |rules| {
            rules.strip = true;
            rules.at = "opt".to_owned();
        });
        assert_eq!(listing(&fixture.unpack(Format::Tar, bytes).unwrap()), expect);
    };
    let all_in_one = tape(&[
        Member { name: b"./tool-1/", ..FOLDER },
        Member { name: b"tool-1/bin/tool", mode: 0o755, ..FILE },
        Member { name: b"tool-1/bin/same", target: b"tool-1/bin/tool", ..HARD_LINK },
        Member { name: b"tool-1/tool", target: b"bin/tool", ..LINK },
    ]);
    check(&all_in_one, &["opt/bin/same*", "opt/bin/tool*", "opt/tool -> bin/tool"]);
    check(
        &tape_of(&[("tool-1/a", 0o644, b"x"), ("tool-1.txt", 0o644, b"x")]),
        &["opt/tool-1.txt", "opt/tool-1/a"],
    );
    check(&tape_of(&[("tool", 0o755, b"x")]), &["opt/tool*"]);
    let leaves = tape(&[
        Member { name: b"tool-1/a", ..FILE },
        Member { name: b"tool-1/b", target: b"../c", ..LINK },
    ]);
    let fixture = Fixture::with(DigestFunction::Blake3, |rules| rules.strip = true);
    let error = fixture.unpack(Format::Tar, &leaves).unwrap_err();
    assert!(matches!(error, UnpackError::LinkLeaves { .. }), "{error}");
}

#[test]
fn an_honest_tape_is_unpacked() {
    let bytes = tape(&[
        Member { name: b"./", ..FOLDER },
        Member { name: b"./usr/bin/", ..FOLDER },
        Member { name: b"./usr/bin/", ..FOLDER },
        Member { name: b"./usr/bin/tool", mode: 0o4755, data: b"program", ..FILE },
        Member { name: b"./usr/bin/same", target: b"./usr/bin/tool", ..HARD_LINK },
        Member { name: b"./usr/bin/alias", target: b"/usr/bin/tool", ..LINK },
        Member { name: b"./usr/lib/data", ..FILE },
        Member { name: b"./usr/empty/", ..FOLDER },
    ]);
    let fixture = Fixture::new();
    let contents = fixture.unpack(Format::Tar, &bytes).unwrap();
    let expect = ["usr/bin/alias -> tool", "usr/bin/same*", "usr/bin/tool*", "usr/lib/data"];
    assert_eq!(listing(&contents), expect);
    let program = Digest::of(DigestFunction::Blake3, b"program");
    let same = Node::File { blob: Blob { stored: program, locked: program }, executable: true };
    assert_eq!(contents.nodes["usr/bin/same"], same);
    assert_eq!(fixture.store.get(&program).unwrap().unwrap(), b"program");
}

#[test]
fn an_npm_package_is_unpacked_as_npm_does() {
    let manifest = br#"{ "name": "tool", "bin": { "tool": "./cli.js" }, "scripts": {} }"#;
    let bytes = tape(&[
        Member { name: b"package/", ..FOLDER },
        Member { name: b"package/package.json", data: manifest, ..FILE },
        Member { name: b"package/cli.js", ..FILE },
        Member { name: b"other/lib/native", mode: 0o755, ..FILE },
        Member { name: b"package/lib/index.js", mode: 0, ..FILE },
        Member { name: b"package/link", target: b"/etc/passwd", ..LINK },
        Member { name: b"package/hard", target: b"/etc/passwd", ..HARD_LINK },
        Member { name: b"stray", ..FILE },
    ]);
    let fixture = Fixture::new();
    let contents = fixture.unpacker(&|| false).npm("node_modules/@a/tool", &bytes).unwrap();
    let expect = ["cli.js*", "lib/index.js", "lib/native*", "package.json"];
    let expect: Vec<_> = expect.iter().map(|name| format!("node_modules/@a/tool/{name}")).collect();
    assert_eq!(listing(&contents), expect);
    assert_eq!(listing(&fixture.unpacker(&|| false).npm("", &bytes).unwrap())[0], "cli.js*");

    let bytes = tape(&[Member { name: b"package/../../x", ..FILE }]);
    let error = fixture.unpacker(&|| false).npm("node_modules/a", &bytes).unwrap_err();
    assert_eq!(error.to_string(), "`node_modules/a/../../x` leads out of the archive");
}

#[test]
fn hostile_tapes_are_refused() {
    let check = |members: &[Member<'_>], expect: &str| {
        let error = Fixture::new().unpack(Format::Tar, &tape(members)).unwrap_err();
        assert_eq!(error.to_string(), expect);
    };
    check(&[Member { name: b"../x", ..FILE }], "`../x` leads out of the archive");
    check(&[Member { name: b"a/../../x", ..FILE }], "`a/../../x` leads out of the archive");
    check(&[Member { name: b"/etc/passwd", ..FILE }], "`/etc/passwd` leads out of the archive");
    check(
        &[Member { name: b"./", ..FILE }, Member { name: b".", ..FILE }],
        "`.` leads out of the archive",
    );
    check(&[Member { name: b"a\xff", ..FILE }], "the name `a\\xff` is not valid UTF-8");
    check(
        &[Member { name: b"out", target: b"../..", ..LINK }],
        "the symbolic link `out` leads out of the archive, to `../..`",
    );
    check(
        &[Member { name: b"d", target: b"/tmp", ..LINK }, Member { name: b"d/x", ..FILE }],
        "`d/x` lies behind the symbolic link `d`",
    );
    check(
        &[Member { name: b"d/x", ..FILE }, Member { name: b"d", target: b"/tmp", ..LINK }],
        "`d` is in the archive twice",
    );
    check(
        &[Member { name: b"d", target: b"e", ..LINK }, Member { name: b"d/", ..FOLDER }],
        "`d` is in the archive twice",
    );
    check(
        &[Member { name: b"x", ..FILE }, Member { name: b"./x", ..FILE }],
        "`x` is in the archive twice",
    );
    check(
        &[Member { name: b"x", ..FILE }, Member { name: b"x/y", ..FILE }],
        "`x` is in the archive twice",
    );
    check(
        &[Member { name: b"h", target: b"/etc/shadow", ..HARD_LINK }],
        "`/etc/shadow` leads out of the archive",
    );
    check(
        &[Member { name: b"h", target: b"later", ..HARD_LINK }, Member { name: b"later", ..FILE }],
        "the hard link `h` names `later`, which is no file before it",
    );
    check(
        &[
            Member { name: b"l", target: b"x", ..LINK },
            Member { name: b"h", target: b"l", ..HARD_LINK },
        ],
        "the hard link `h` names `l`, which is no file before it",
    );
    check(&[Member { name: b"null", kind: b'3', data: b"", ..FILE }], "`null` is a device");
    check(&[Member { name: b"sda", kind: b'4', data: b"", ..FILE }], "`sda` is a device");
    check(&[Member { name: b"pipe", kind: b'6', data: b"", ..FILE }], "`pipe` is a FIFO");
    check(&[Member { name: b"s", kind: b'S', data: b"", ..FILE }], "`s` is a sparse file");
    check(
        &[Member { name: b"?", kind: b'Z', data: b"", ..FILE }],
        "`?` is a tar entry of an unknown type",
    );
}

#[test]
fn the_rules_of_a_layer_hold() {
    let fixture = Fixture::with(DigestFunction::Blake3, |rules| {
        rules.rename = [("lib", "usr/lib"), ("lib64", "usr/lib64")]
            .map(|(from, to)| (from.to_owned(), to.to_owned()))
            .into();
        rules.exclude = vec!["usr/share/doc/**".to_owned()];
        rules.executable = vec!["usr/lib/tool".to_owned()];
    });
    let bytes = tape(&[
        Member { name: b"./lib/libc.so.6", ..FILE },
        Member { name: b"./lib/tool", ..FILE },
        Member { name: b"./lib64/ld.so", target: b"/lib/ld.so", ..LINK },
        Member { name: b"./usr/share/doc/copyright", ..FILE },
        Member {
            name: b"./usr/share/doc/again",
            target: b"./usr/share/doc/copyright",
            ..HARD_LINK
        },
    ]);
    let contents = fixture.unpack(Format::Tar, &bytes).unwrap();
    let expect = ["usr/lib/libc.so.6", "usr/lib/tool*", "usr/lib64/ld.so -> ../lib/ld.so"];
    assert_eq!(listing(&contents), expect);

    let bytes = tape(&[Member { name: b"lib/x", ..FILE }, Member { name: b"usr/lib/x", ..FILE }]);
    let error = fixture.unpack(Format::Tar, &bytes).unwrap_err();
    assert_eq!(error.to_string(), "`usr/lib/x` is in the archive twice");
}

fn compressed(bytes: &[u8]) -> [Vec<u8>; 3] {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(bytes).unwrap();
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 6);
    xz.write_all(bytes).unwrap();
    let zstd = zstd::stream::encode_all(bytes, 3).unwrap();
    [gzip.finish().unwrap(), xz.finish().unwrap(), zstd]
}

#[test]
fn every_compression_is_read() {
    let plain = tape(&[Member { name: b"x", ..FILE }]);
    for bytes in compressed(&plain).iter().chain([&plain]) {
        assert_eq!(Format::detect("x", bytes).unwrap(), Format::Tar);
        assert_eq!(listing(&Fixture::new().unpack(Format::Tar, bytes).unwrap()), ["x"]);
    }
}

#[test]
fn bombs_are_refused() {
    let check = |limits: Limits, members: &[Member<'_>], expect: &str| {
        let fixture = Fixture { limits, ..Fixture::new() };
        for bytes in compressed(&tape(members)) {
            let error = fixture.unpack(Format::Tar, &bytes).unwrap_err();
            assert_eq!(error.to_string(), format!("it unpacks to more than {expect}"));
        }
    };
    let zeros = vec![0; 4 << 20];
    let limits = Limits { ratio_from: 1 << 20, ..Limits::default() };
    check(limits, &[Member { name: b"zeros", data: &zeros, ..FILE }], "200 times its size");
    let limits = Limits { bytes: 1 << 20, ..Limits::default() };
    check(limits, &[Member { name: b"zeros", data: &zeros, ..FILE }], "1048576 bytes");
    // Names and attributes of four megabytes are refused before they are read.
    for kind in [b'L', b'K', b'x'] {
        let limits = Limits::default();
        let long = Member { kind, name: b"long", data: &zeros, ..FILE };
        check(limits, &[long, FILE], "1048576 bytes of names");
    }
    // The bytes of a file that is left out don't count as a name.
    let skipped = Member { name: b"zeros", data: &zeros, ..FILE };
    let fixture =
        Fixture::with(DigestFunction::Blake3, |rules| rules.exclude = vec!["zeros".into()]);
    let bytes = tape(&[skipped, Member { name: b"x", ..FILE }]);
    assert_eq!(listing(&fixture.unpack(Format::Tar, &bytes).unwrap()), ["x"]);
    let long = [b'a'; 5000];
    let named = Member { kind: b'L', name: b"long", data: &long, ..FILE };
    check(Limits::default(), &[named, FILE], "4096 bytes of names");
    let limits = Limits { names: 10, ..Limits::default() };
    check(limits, &[Member { name: b"abc/def/ghi", ..FILE }], "10 bytes of names");
    let limits = Limits { entries: 3, ..Limits::default() };
    check(limits, &[Member { name: b"a/b/c/d", ..FILE }], "3 entries");
}

#[test]
fn a_deep_folder_is_refused_before_its_parents_are_kept() {
    let deep = "a/".repeat(1000) + "f";
    let named = Member { kind: b'L', name: b"long", data: deep.as_bytes(), ..FILE };
    let error = Fixture::new().unpack(Format::Tar, &tape(&[named, FILE])).unwrap_err();
    assert_eq!(error.to_string(), "`a/a/a` has more than 128 folders inside each other");
}

#[test]
fn cut_archives_are_refused() {
    let whole = tape(&[Member { name: b"x", data: &[7; 5000], ..FILE }]);
    let fixture = Fixture::new();
    for bytes in compressed(&whole).iter().chain([&whole]) {
        let error = fixture.unpack(Format::Tar, &bytes[..bytes.len() * 2 / 5]).unwrap_err();
        assert!(matches!(error, UnpackError::Damaged(_)), "{error}");
    }
    assert!(matches!(Format::detect("x", b"<html>"), Err(UnpackError::UnknownFormat)));
}

#[test]
fn unpacking_can_be_cancelled() {
    let bytes = tape(&[Member { name: b"x", ..FILE }]);
    let error = Fixture::new().unpacker(&|| true).archive(Format::Tar, &bytes).unwrap_err();
    assert!(matches!(error, UnpackError::Cancelled));
}

pub(crate) fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = deb::MAGIC.to_vec();
    for (name, data) in members {
        writeln!(bytes, "{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`", 0, 0, 0, "100644", data.len())
            .unwrap();
        bytes.extend_from_slice(data);
        bytes.resize(bytes.len().next_multiple_of(2), b'\n');
    }
    bytes
}

#[test]
fn debian_packages_are_unpacked() {
    let data = tape(&[Member { name: b"./usr/bin/x", mode: 0o755, ..FILE }]);
    let fixture = Fixture::new();
    for data in compressed(&data).iter().chain([&data]) {
        let bytes =
            ar(&[("debian-binary", b"2.0\n"), ("control.tar.xz", b"odd"), ("data.tar.xz/", data)]);
        assert_eq!(Format::detect("x.deb", &bytes).unwrap(), Format::Deb);
        assert_eq!(listing(&fixture.unpack(Format::Deb, &bytes).unwrap()), ["usr/bin/x*"]);
        let cut = fixture.unpack(Format::Deb, &bytes[..bytes.len() - 7]).unwrap_err();
        assert!(matches!(cut, UnpackError::Damaged(_)), "{cut}");
    }
    let refuse = |bytes: &[u8], expect: &str| {
        let error = fixture.unpack(Format::Deb, bytes).unwrap_err();
        let UnpackError::Damaged(source) = error else { panic!("{error}") };
        assert_eq!(source.to_string(), expect);
    };
    refuse(&ar(&[("debian-binary", b"3.0\n")]), "it is no Debian package of format 2");
    refuse(&ar(&[("debian-binary", b"2.0\n")]), "it has not exactly one data archive");
    let twice: &[(&str, &[u8])] =
        &[("debian-binary", b"2.0\n"), ("data.tar", &data), ("data.tar.gz", &data)];
    refuse(&ar(twice), "it has not exactly one data archive");
    let huge = String::from_utf8(ar(&[("debian-binary", b"2.0\n")]))
        .unwrap()
        .replace("4         `", "9999999999`");
    refuse(huge.as_bytes(), "a member is cut");
}

fn zip_with(write: impl FnOnce(&mut ::zip::ZipWriter<io::Cursor<Vec<u8>>>)) -> Vec<u8> {
    let mut writer = ::zip::ZipWriter::new(io::Cursor::new(Vec::new()));
    write(&mut writer);
    writer.finish().unwrap().into_inner()
}

fn zip_of(name: &str, mode: u32, data: &[u8]) -> Vec<u8> {
    zip_with(|writer| {
        writer.start_file(name, SimpleFileOptions::default().unix_permissions(mode)).unwrap();
        writer.write_all(data).unwrap();
    })
}

#[test]
fn wheels_are_unpacked() {
    let bytes = zip_with(|writer| {
        let options = SimpleFileOptions::default();
        for (name, mode) in [
            ("pkg/__init__.py", 0o644),
            ("pkg/native.so", 0o755),
            ("pkg-1.0.data/scripts/tool", 0o644),
            ("pkg-1.0.dist-info/RECORD", 0o644),
        ] {
            writer.start_file(name, options.unix_permissions(mode)).unwrap();
            writer.write_all(b"text").unwrap();
        }
        writer.add_directory("pkg/data/", options).unwrap();
        writer.add_symlink("pkg/alias.so", "native.so", options).unwrap();
    });
    let fixture = Fixture::with(DigestFunction::Blake3, |rules| rules.at = "opt".to_owned());
    assert_eq!(Format::detect("pkg-1.0-py3-none-any.whl", &bytes).unwrap(), Format::Wheel);
    assert_eq!(Format::detect("pkg.zip", &bytes).unwrap(), Format::Zip);
    let contents = fixture.unpack(Format::Wheel, &bytes).unwrap();
    let expect = [
        "opt/bin/tool*",
        "opt/pkg-1.0.dist-info/RECORD",
        "opt/pkg/__init__.py",
        "opt/pkg/alias.so -> native.so",
        "opt/pkg/native.so*",
    ];
    assert_eq!(listing(&contents), expect);
}

/// Replaces a text by another one of the same length, in both headers of a zip entry.
fn patched(bytes: &[u8], from: &str, to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    for at in 0..bytes.len() - from.len() {
        if bytes[at..].starts_with(from.as_bytes()) {
            bytes[at..at + from.len()].copy_from_slice(to);
        }
    }
    bytes
}

#[test]
fn hostile_zips_are_refused() {
    let check = |bytes: &[u8], expect: &str| {
        let error = Fixture::new().unpack(Format::Zip, bytes).unwrap_err();
        let text = match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        assert!(text.contains(expect), "{text}");
    };
    let plain = zip_of("abc/def", 0o644, b"x");
    check(&patched(&plain, "abc/def", b"../etcx"), "`../etcx` leads out of the archive");
    check(&patched(&plain, "abc/def", b"/etc/pw"), "`/etc/pw` leads out of the archive");
    check(&patched(&plain, "abc/def", b"abc/de\xff"), "is not valid UTF-8");
    let two = zip_with(|writer| {
        for name in ["aaa", "bbb"] {
            writer.start_file(name, SimpleFileOptions::default()).unwrap();
        }
    });
    check(&patched(&two, "bbb", b"aaa"), "is in the archive twice");
    let link = zip_with(|writer| {
        writer.add_symlink("d", "/tmp", SimpleFileOptions::default()).unwrap();
        writer.start_file("d/x", SimpleFileOptions::default()).unwrap();
    });
    check(&link, "`d/x` lies behind the symbolic link `d`");
    let out = zip_with(|writer| {
        writer.add_symlink("d/l", "../../x", SimpleFileOptions::default()).unwrap();
    });
    check(&out, "the symbolic link `d/l` leads out of the archive, to `../../x`");
    check(&plain[..plain.len() - 9], "it is damaged");
    let stored = zip_with(|writer| {
        let options = SimpleFileOptions::default();
        writer
            .start_file("f", options.compression_method(::zip::CompressionMethod::Stored))
            .unwrap();
        writer.write_all(b"content").unwrap();
    });
    check(&patched(&stored, "content", b"CONTENT"), "it is damaged");
}

#[test]
fn zip_bombs_are_refused() {
    let bytes = zip_of("zeros", 0o644, &vec![0; 4 << 20]);
    let limits = Limits { ratio_from: 1 << 20, ..Limits::default() };
    let fixture = Fixture { limits, ..Fixture::new() };
    let error = fixture.unpack(Format::Zip, &bytes).unwrap_err();
    assert_eq!(error.to_string(), "it unpacks to more than 200 times its size");
}

#[test]
fn a_folder_is_taken_like_an_archive() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(at("bin")).unwrap();
    std::fs::write(at("bin/tool"), "x").unwrap();
    std::fs::set_permissions(at("bin/tool"), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::write(at("note"), "x").unwrap();
    symlink("bin/tool", at("link")).unwrap();
    let fixture = Fixture::new();
    let none = || false;
    let unpacker = fixture.unpacker(&none);
    let contents = unpacker.folder(folder.path(), None).unwrap();
    assert_eq!(listing(&contents), ["bin/tool*", "link -> bin/tool", "note"]);
    let contents = unpacker.folder(folder.path(), Some(&["note".to_owned()])).unwrap();
    assert_eq!(listing(&contents), ["note"]);
    let error = unpacker.folder(folder.path(), Some(&["gone".to_owned()])).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot read `{}`", at("gone").display()));
    symlink("/etc/passwd", at("absolute")).unwrap();
    symlink("../outside", at("out")).unwrap();
    let error = unpacker.folder(folder.path(), None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the symbolic link `out` leads out of the archive, to `../outside`"
    );
}

#[test]
fn a_store_of_another_function_keeps_the_locks_digests() {
    let bytes = tape(&[Member { name: b"x", data: b"text", ..FILE }]);
    let contents =
        Fixture::with(DigestFunction::Sha256, |_| {}).unpack(Format::Tar, &bytes).unwrap();
    let blob = Blob {
        stored: Digest::of(DigestFunction::Sha256, b"text"),
        locked: Digest::of(DigestFunction::Blake3, b"text"),
    };
    assert_eq!(contents.nodes["x"], Node::File { blob, executable: false });
}
