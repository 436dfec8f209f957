//! Archives that are cut off, lengthened, or hold something else than files of a release.
//!
//! The list of files is right in each, unless the mutant is about the list: whoever changes an archive can write one.

use release::archive::{ArchiveError, Files, Limits};
use release::verify::Fault;

use super::Mutant;
use super::raw::{self, Member, Raw, compress, pack};
use crate::sample::{CI, Sample, attestation};

pub(crate) fn mutants() -> Vec<Mutant> {
    let raw = Raw::of(&Sample::new("1.2.0").archive());
    let mut mutants = packed(&raw);
    mutants.extend(members(&raw));
    mutants.extend(headers(&raw));
    mutants.extend(paths(&raw));
    mutants.extend(lists(&raw));
    mutants
}

fn mutant(name: &str, archive: Vec<u8>, fits: fn(&ArchiveError) -> bool) -> Mutant {
    let expect = move |fault: &Fault| matches!(fault, Fault::Archive(error) if fits(error));
    Mutant::integrity(format!("archive: {name}"), archive, expect)
}

fn is_canonical_fault(error: &ArchiveError) -> bool {
    *error == ArchiveError::NotCanonical
}

fn is_damaged(error: &ArchiveError) -> bool {
    matches!(error, ArchiveError::Damaged(_))
}

/// Changes of the compressed bytes, and around the tar archive.
fn packed(raw: &Raw) -> Vec<Mutant> {
    let good = raw.pack();
    let tar = raw::tar(&raw.members());
    let mut mutants = Vec::new();
    for part in 0..16 {
        let length = good.len() * part / 16;
        let cut = good[..length].to_vec();
        let fits: fn(&ArchiveError) -> bool = match length {
            0..4 => |error| *error == ArchiveError::NotZstandard,
            _ => is_damaged,
        };
        mutants.push(mutant(&format!("cut off after {length} bytes"), cut, fits));
    }
    let more = [good.as_slice(), b"more"].concat();
    let twice = good.repeat(2);
    // A frame of Zstandard that holds nothing and is skipped.
    let skippable = [good.as_slice(), &[0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 7]].concat();
    let trailing = |error: &ArchiveError| matches!(error, ArchiveError::Trailing(_));
    mutants.push(mutant("bytes at its end", more, trailing));
    mutants.push(mutant("the archive twice", twice, trailing));
    mutants.push(mutant("a frame that is skipped at its end", skippable, trailing));
    mutants
        .push(mutant("not compressed", tar.clone(), |error| *error == ArchiveError::NotZstandard));
    let padded = [tar.as_slice(), &[0; 512]].concat();
    let hidden = [tar.as_slice(), b"hidden"].concat();
    let unterminated = &tar[..tar.len() - 1024];
    let half = &tar[..tar.len() - 1024 - 512 - 100];
    mutants.push(mutant("padding at the end of the tar", compress(&padded), is_canonical_fault));
    mutants.push(mutant("bytes after the end of the tar", compress(&hidden), is_canonical_fault));
    mutants.push(mutant("no end of the tar", compress(unterminated), is_canonical_fault));
    mutants.push(mutant("the tar cut off", compress(half), is_damaged));
    mutants.push(mutant("nothing", compress(&[0; 1024]), |error| *error == ArchiveError::NoSums));
    mutants
}

/// Members in another order, twice, or of other kinds.
fn members(raw: &Raw) -> Vec<Mutant> {
    let good = raw.members();
    let mut reversed = good.clone();
    reversed.reverse();
    let mut twice = good.clone();
    twice.push(good[1].clone());
    let mut other = good.clone();
    other.push(Member::new(&format!("{}/components/api.wasm", raw.root), b"evil".to_vec()));
    let mut mutants = vec![
        mutant("in another order", pack(&reversed), is_canonical_fault),
        mutant("a member twice", pack(&twice), |error| matches!(error, ArchiveError::Twice(_))),
        mutant(
            "a second file of the same path",
            pack(&other),
            |error| matches!(error, ArchiveError::Twice(path) if path == "components/api.wasm"),
        ),
    ];
    for kind in *b"1234567xgLKSVMDN" {
        let mut members = good.clone();
        let member = Member::new(&format!("{}/source/link", raw.root), Vec::new());
        members.push(member.with(|header| {
            header.set_entry_type(tar::EntryType::new(kind));
            header.set_link_name("/etc/passwd").unwrap();
        }));
        let name = format!("a member of the type `{}`", char::from(kind));
        mutants.push(mutant(&name, pack(&members), |error| {
            matches!(error, ArchiveError::Kind { path, .. } if path.ends_with("source/link"))
        }));
    }
    mutants
}

/// Metadata of a member that says something else.
fn headers(raw: &Raw) -> Vec<Mutant> {
    let change = |name: &str, change: fn(&mut tar::Header), fits: fn(&ArchiveError) -> bool| {
        let mut members = raw.members();
        let at = members.len() / 2;
        members[at] = members[at].clone().with(change);
        mutant(name, pack(&members), fits)
    };
    let mut damaged = raw.members();
    damaged[2].header.as_mut_bytes()[150] ^= 1;
    vec![
        change("another time", |header| header.set_mtime(1), is_canonical_fault),
        change("another mode", |header| header.set_mode(0o4755), is_canonical_fault),
        change("another user", |header| header.set_uid(1000), is_canonical_fault),
        change("another group", |header| header.set_gid(1000), is_canonical_fault),
        change("a name of a user", |header| header.set_username("x").unwrap(), is_canonical_fault),
        change("a name of a link", |header| header.set_link_name("x").unwrap(), is_canonical_fault),
        change(
            "the old type of a file",
            |header| header.as_mut_bytes()[156] = 0,
            is_canonical_fault,
        ),
        change(
            "a type that nobody knows",
            |header| header.set_entry_type(tar::EntryType::new(b'Z')),
            |error| matches!(error, ArchiveError::Kind { .. }),
        ),
        change("a size that is too large", |header| header.set_size(1 << 40), is_damaged),
        change(
            "a size that is no number",
            |header| header.as_mut_bytes()[124..136].fill(b'x'),
            is_damaged,
        ),
        mutant("a header with a wrong checksum", pack(&damaged), is_damaged),
    ]
}

/// Paths that lead elsewhere, with a list of files that has them.
fn paths(raw: &Raw) -> Vec<Mutant> {
    let is_path = |error: &ArchiveError| matches!(error, ArchiveError::Path(_));
    let is_clash = |error: &ArchiveError| matches!(error, ArchiveError::Clash(_, _));
    let outside = |error: &ArchiveError| matches!(error, ArchiveError::Outside(_, _));
    let mut mutants = Vec::new();
    for path in [
        "source/../../x",
        "source/..",
        "source/./x",
        "source//x",
        "source/x/",
        "/etc/cron.d/x",
        "../x",
        "source/a\\..\\x",
        "source/C:x",
        "source/nul\u{7f}",
        "source/x\u{202e}y",
        "evil.sh",
        "bin/evil",
        "components/evil.so",
        "components/Evil.wasm",
        "components/deep/evil.wasm",
        "sbom/api.json",
        "attestations/evil.json",
        "sha256sums",
    ] {
        let mut raw = raw.clone();
        raw.set(path, b"evil".to_vec());
        mutants.push(mutant(&format!("a file `{path}`"), raw.pack(), is_path));
    }
    for path in
        ["source/RUN.toml", "source/run.toml/x", "source/Run.TOML/y", "source/API/cargo.LOCK"]
    {
        let mut raw = raw.clone();
        raw.set(path, b"evil".to_vec());
        mutants.push(mutant(&format!("a file `{path}` beside another"), raw.pack(), is_clash));
    }
    for path in ["elsewhere/x", "../x", "/x", "x", "shop-1.2.0-evil/x"] {
        let mut members = raw.members();
        members.push(Member::new(path, b"evil".to_vec()));
        mutants.push(mutant(
            &format!("a file `{path}` of another folder"),
            pack(&members),
            outside,
        ));
    }
    for root in ["..", ".", "-x", ""] {
        let raw = Raw { root: root.to_owned(), ..raw.clone() };
        mutants.push(mutant(&format!("the folder `{root}`"), raw.pack(), is_path));
    }
    let raw = Raw { root: "shop-1.3.0".to_owned(), ..raw.clone() };
    mutants.push(Mutant::integrity(
        "archive: the folder of another version",
        raw.pack(),
        |fault| matches!(fault, Fault::Root { found, .. } if found == "shop-1.3.0"),
    ));
    mutants
}

/// Files that are there and not listed, and the other way round; and files that are listed and that nobody has signed.
fn lists(raw: &Raw) -> Vec<Mutant> {
    let sums = raw.sums();
    let mut mutants = Vec::new();
    for path in ["source/more.lock", "components/more.wasm", "sbom/more.cdx.json"] {
        let mut more = raw.clone();
        more.set(path, b"{}".to_vec());
        mutants.push(mutant(
            &format!("`{path}` is not listed"),
            more.pack_with_sums(&sums),
            |error| matches!(error, ArchiveError::Unlisted(path) if path.contains("more")),
        ));
        mutants.push(Mutant::integrity(
            format!("archive: `{path}` is listed and not signed"),
            more.pack(),
            move |fault| matches!(fault, Fault::Unattested { file, .. } if file == path),
        ));
    }
    for path in raw.files.keys() {
        let mut less = raw.clone();
        less.files.remove(path);
        mutants.push(mutant(
            &format!("`{path}` is missing"),
            less.pack_with_sums(&sums),
            |error| matches!(error, ArchiveError::Missing(_)),
        ));
        if *path == attestation(&CI) || path.starts_with("attestations/") {
            continue;
        }
        let expected = path.clone();
        mutants.push(Mutant::integrity(
            format!("archive: `{path}` is missing and not listed"),
            less.pack(),
            move |fault| matches!(fault, Fault::Missing { file, .. } if *file == expected),
        ));
    }
    let mut members = raw.members();
    members.remove(0);
    mutants
        .push(mutant("no list of files", pack(&members), |error| *error == ArchiveError::NoSums));
    let listed = [sums.as_slice(), b"x"].concat();
    mutants.push(mutant("a list with a line too many", raw.pack_with_sums(&listed), |error| {
        matches!(error, ArchiveError::Sums(_))
    }));
    mutants.push(mutant("an empty list", raw.pack_with_sums(b""), |error| {
        matches!(error, ArchiveError::Unlisted(_))
    }));
    mutants
}

#[test]
fn no_flip_of_a_bit_of_the_packed_archive_gives_another_release() {
    let good = Sample::new("1.2.0").archive();
    let files = Files::read(&good, &Limits::STANDARD).unwrap();
    let mut harmless = Vec::new();
    for at in 0..good.len() {
        let mut other = good.clone();
        other[at] ^= 1 << (at % 8);
        match Files::read(&other, &Limits::STANDARD) {
            Ok(read) if read == files => harmless.push(at),
            Ok(_) => panic!("byte {at}"),
            Err(_) => {}
        }
    }
    // How something is compressed may differ, as long as the same comes out.
    assert!(harmless.len() < 16, "{harmless:?}");
}
