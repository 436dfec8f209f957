//! Tests that compare hashes with those that zig 0.17.1 itself computes (`zig fetch`) for archives of the
//! same content.

use cache::{Digest, DigestFunction};
use tar::{Builder, EntryType, Header};

use super::*;
use crate::package::unpack::{Format, loose};

/// An entry of an archive.
#[derive(Clone, Copy)]
enum Item<'a> {
    Folder,
    File(&'a [u8]),
    /// A file with the mode of a program.
    Marked(&'a [u8]),
    Link(&'a str),
    HardLink(&'a str),
    Fifo,
}

use Item::{Fifo, File, Folder, HardLink, Link, Marked};

fn archive(entries: &[(&str, Item<'_>)]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (path, item) in entries {
        let mut header = Header::new_gnu();
        let (kind, bytes, mode): (_, &[u8], _) = match *item {
            Folder => (EntryType::Directory, b"", 0o755),
            File(bytes) => (EntryType::Regular, bytes, 0o644),
            Marked(bytes) => (EntryType::Regular, bytes, 0o755),
            Link(_) => (EntryType::Symlink, b"", 0o777),
            HardLink(_) => (EntryType::Link, b"", 0o644),
            Fifo => (EntryType::Fifo, b"", 0o644),
        };
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(bytes.len() as u64);
        match item {
            // Short names are written as they are.
            Link(target) if target.len() < 100 => {
                header.set_link_name_literal(target).unwrap();
                builder.append_data(&mut header, path, bytes)
            }
            Link(target) | HardLink(target) => builder.append_link(&mut header, path, target),
            _ => builder.append_data(&mut header, path, bytes),
        }
        .unwrap();
    }
    builder.into_inner().unwrap()
}

fn package(format: Format, bytes: &[u8]) -> Result<Package, String> {
    let dir = tempfile::tempdir().unwrap();
    let store = ContentStore::open(dir.path(), DigestFunction::Blake3).unwrap();
    let unpacked = loose(&store, format, bytes, &|| false).map_err(|error| error.to_string())?;
    Package::of(&store, unpacked, true).map_err(|error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        format!("{error}: {}", cause.unwrap_or_default())
    })
}

#[track_caller]
fn check(entries: &[(&str, Item<'_>)], expect: &str) {
    assert_eq!(package(Format::Tar, &archive(entries)).unwrap().hash, expect);
}

#[track_caller]
fn refused(entries: &[(&str, Item<'_>)], expect: &str) {
    let error = package(Format::Tar, &archive(entries)).unwrap_err();
    assert!(error.contains(expect), "{error}");
}

const NAKED: &str = "N-V-__8AAA4AAABv0yiAGJGEPsO4pmhXIeQh373OD9jGj0G3";
const A: Item<'_> = File(b"a\n");
const B: Item<'_> = File(b"b\r\nwindows\r\n");

#[test]
fn the_one_folder_is_stripped_and_others_are_not() {
    check(&[("pkg/a.txt", A), ("pkg/sub/b.txt", B)], NAKED);
    check(&[("a.txt", A), ("sub/b.txt", B)], NAKED);
    check(&[("./", Folder), ("pkg", Folder), ("pkg/a.txt", A), ("pkg/sub/b.txt", B)], NAKED);
    // Only one folder is stripped, and empty folders don't count.
    check(
        &[("pkg", Folder), ("pkg/inner", Folder), ("pkg/inner/a.txt", A), ("pkg/no", Folder)],
        "N-V-__8AAAIAAABeXu3m9cnNjX2837EtbN6CvLMT7BwVb-ft",
    );
    check(
        &[("a/x", File(b"x")), ("b/y", File(b"y"))],
        "N-V-__8AAAIAAAAuQx8gqfXGGkYC0mkL10n49n5KJaA5aazx",
    );
}

#[test]
fn compressed_archives_have_the_same_hash() {
    use std::io::Write as _;
    let tar = archive(&[("pkg/a.txt", A), ("pkg/sub/b.txt", B)]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&tar).unwrap();
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 6);
    xz.write_all(&tar).unwrap();
    let zstd = zstd::encode_all(&tar[..], 3).unwrap();
    for bytes in [gzip.finish().unwrap(), xz.finish().unwrap(), zstd] {
        assert_eq!(package(Format::Tar, &bytes).unwrap().hash, NAKED);
    }
}

#[test]
fn links_count_as_they_are_written() {
    let links = [
        ("pkg/a.txt", A),
        ("pkg/to-a", Link("./a.txt")),
        ("pkg/sub/up", Link("../a.txt")),
        ("pkg/sub/odd", Link("..//sub/../a.txt")),
        ("pkg/dangling", Link("nowhere")),
    ];
    check(&links, "N-V-__8AAAIAAAAVGhE37vc_Ard-tl9Y6OJr1ehQN0ZyuuHr");
    refused(&[("pkg/a", A), ("pkg/l", Link("../x"))], "`l` can't be part of a package");
    refused(&[("pkg/a", A), ("pkg/sub/l", Link("../../x"))], "leads out of the archive");
    refused(&[("pkg/a", A), ("pkg/l", Link("/etc/passwd"))], "leads out of the archive");
    refused(&[("pkg/l", Link("sub")), ("pkg/l/a", A)], "lies behind the symbolic link `pkg/l`");
}

#[test]
fn programs_are_known_by_their_first_bytes() {
    let files = [
        ("pkg/plain", Marked(b"data")),
        ("pkg/script", File(b"#!/bin/sh\n")),
        ("pkg/elf", File(b"\x7fELF\x02\x01")),
        ("pkg/macho", File(b"\xcf\xfa\xed\xfe0")),
        ("pkg/short", File(b"#")),
        ("pkg/empty", File(b"")),
    ];
    check(&files, "N-V-__8AABoAAACQc4FznldcxYrX_26uGt-YEhW5C1QjABAH");
    let tree = package(Format::Tar, &archive(&files)).unwrap().tree;
    for (path, expect) in
        [("plain", false), ("script", true), ("elf", true), ("macho", true), ("short", false)]
    {
        let is = matches!(tree.get(path), Some(Entry::File { executable: true, .. }));
        assert_eq!(is, expect, "{path}");
    }
}

/// Returns a manifest as the script wrote it that made the archives for zig's hashes.
fn zon(paths: &str) -> String {
    format!(
        ".{{ .name = .demo, .version = \"1.2.3-rc.1+b.7\", .fingerprint = 0xd642dfa012345678, .paths = \
         .{{ {paths} }}, }}"
    )
}

#[test]
fn paths_say_what_belongs_to_a_package() {
    let manifest =
        zon("\"build.zig\", \"build.zig.zon\", \"./src/\", \"doc/../LICENSE\", \"one/two\"");
    let entries = [
        ("pkg/build.zig.zon", File(manifest.as_bytes())),
        ("pkg/build.zig", File(b"// b\n")),
        ("pkg/src/a.zig", File(b"a")),
        ("pkg/src/deep/b.zig", File(b"b")),
        ("pkg/srcs/c.zig", File(b"no")),
        ("pkg/LICENSE", File(b"free")),
        ("pkg/one/two/x", File(b"x")),
        ("pkg/one/three", File(b"no")),
        // Entries that can't be part of a package may stand beside it.
        ("pkg/test/out", Link("../../../etc/passwd")),
        ("pkg/test/hard", HardLink("pkg/LICENSE")),
        ("pkg/test/fifo", Fifo),
        ("pkg/srcs/c.zig", File(b"twice")),
    ];
    check(&entries, "demo-1.2.3-rc.1+b.7-eFY0ErIAAADTQ4rLTlaGt_lLB8wqovUA9-y-4fVYFs2d");
    let tree = package(Format::Tar, &archive(&entries)).unwrap().tree;
    assert!(tree.get("srcs").is_none() && tree.get("test").is_none(), "{tree:?}");
    let x = ("pkg/x", File(b"x"));
    for (paths, expect) in [
        ("\"\"", "demo-1.2.3-rc.1+b.7-eFY0EmYAAACEyOyiZV3igr5IGF4NOqtpnIRspTiwRdot"),
        ("\".\"", "demo-1.2.3-rc.1+b.7-eFY0EmcAAAAFf5QCi9PkGIreAgi3vYxVk5z5_2sn9H8Z"),
    ] {
        check(&[("pkg/build.zig.zon", File(zon(paths).as_bytes())), x], expect);
    }
    let manifest = |text: &'static str| [("pkg/build.zig.zon", File(text.as_bytes())), x];
    refused(&[("pkg/build.zig.zon", File(zon("").as_bytes())), x], "not a list of strings");
    refused(&manifest(".{ .name = .a }"), "there is no `.version`");
    refused(&manifest(".{\n .name"), "build.zig.zon:2: ");
    refused(&[("pkg/build.zig.zon", Link("x")), x], "not a file of at most 10 MiB");
}

#[test]
fn files_are_sorted_by_the_bytes_of_their_paths() {
    let entries = [
        ("p/a/b", File(b"1")),
        ("p/a-b", File(b"2")),
        ("p/a.b", File(b"3")),
        ("p/A", File(b"4")),
        ("p/\u{e9}", File(b"5")),
        ("p/a\\b", File(b"6")),
    ];
    check(&entries, "N-V-__8AAAYAAAC9Q7xukICksIgIaG836OulMUPn8MNE6dpx");
}

#[test]
fn long_names_and_large_files_count_whole() {
    let long = format!("p/{}/{}", "x".repeat(120), "y".repeat(120));
    let target = "z".repeat(130);
    let entries = [(long.as_str(), File(b"long")), ("p/l", Link(&target))];
    check(&entries, "N-V-__8AAAQAAABEq2SN34zUOvuY328XOmwl0cSeIMVLLOSl");
    let (zeros, letters) = (vec![0; 100_000], vec![b'z'; 8001]);
    check(
        &[("p/a", File(&zeros)), ("p/b", File(&letters))],
        "N-V-__8AAOGlAQARIyJ_WPRjqpY-pw7zgDorW6Y7qsy419XC",
    );
}

#[test]
fn what_no_package_can_hold_is_refused() {
    refused(&[("p/a", A), ("p/b", HardLink("p/a"))], "`p/b` is a hard link");
    refused(&[("p/a", A), ("p/b", Fifo)], "`p/b` is a FIFO");
    refused(&[("p/a", A), ("p/a", B)], "`p/a` is in the archive twice");
}

#[test]
fn zip_archives_have_names_and_bytes_only() {
    use std::io::Write as _;
    use zip::write::SimpleFileOptions;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.add_directory("pkg", SimpleFileOptions::default()).unwrap();
    zip.add_directory("pkg/empty", SimpleFileOptions::default()).unwrap();
    zip.add_symlink("pkg/link", "target", SimpleFileOptions::default()).unwrap();
    let program = SimpleFileOptions::default().unix_permissions(0o755);
    zip.start_file("pkg\\exe", program).unwrap();
    zip.write_all(b"data").unwrap();
    let bytes = zip.finish().unwrap().into_inner();
    let found = package(Format::Zip, &bytes).unwrap();
    assert_eq!(found.hash, "N-V-__8AAAoAAADitedkaD9Ybj8lVCy80VojZDHidJh0lohm");
    assert!(matches!(found.tree.get("link"), Some(Entry::File { executable: false, .. })));
}

#[test]
fn hashes_are_names_of_folders() {
    let check = |text: &str, expect: bool| assert_eq!(is_hash(text), expect, "{text}");
    check(NAKED, true);
    check("dvui-0.4.0-dev-AQFJmayi2gAKE7FeJoF61v5U1IV9-SupoEcFutIZYpkC", true);
    let old = format!("1220{}", "ab".repeat(32));
    check(&old, false);
    check("", false);
    check("short-1-x", false);
    check(&format!("../../x-1-{}", "a".repeat(44)), false);
    check(&format!("..-1-{}", "a".repeat(44)), false);
    check(&format!("a\u{e9}-1-{}", "a".repeat(44)), false);
    check(&format!("{}-1-{}", "a".repeat(100), "a".repeat(44)), false);
}

#[test]
fn a_name_is_made_as_zig_makes_it() {
    // The example in the source of zig.
    let digest = [
        0xc7, 0xf5, 0x71, 0xb7, 0xb4, 0xe7, 0x6f, 0x3c, 0xdb, 0x87, 0x7a, 0x7f, 0xdd, 0xf9, 0x77,
        0x87, 0x9d, 0xd3, 0x86, 0xfa, 0x73, 0x57, 0x9a, 0xf7, 0x9d, 0x1e, 0xdb, 0x8f, 0x3a, 0xd9,
        0xbd, 0x9f,
    ];
    let identity = Identity { name: "nasm".into(), version: "2.16.1-3".into(), id: 0xcafe_babe };
    let found = name(Some(&identity), 10 << 20, &digest);
    assert_eq!(found, "nasm-2.16.1-3-vrr-ygAAoADH9XG3tOdvPNuHen_d-XeHndOG-nNXmved");
    assert!(name(None, u64::MAX, &digest).starts_with("N-V-__8AAP____"));
}

#[test]
fn nothing_of_a_store_is_taken_on_trust() {
    let dir = tempfile::tempdir().unwrap();
    let store = ContentStore::open(dir.path(), DigestFunction::Blake3).unwrap();
    let unpacked = loose(&store, Format::Tar, &archive(&[("p/a", A)]), &|| false).unwrap();
    let digest = Digest::of(DigestFunction::Blake3, b"a\n");
    std::fs::remove_file(store.blob_path(&digest, false).unwrap().unwrap()).unwrap();
    assert!(matches!(Package::of(&store, unpacked, true), Err(PackageError::Store(_))));
}
