//! Unpacking one package, whatever its format.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use cache::{DiskStore, StoreError, Tree, TreeError};

use super::collect::Collector;
use super::{Contents, Excess, Limits, Naming, Placement};
use super::{compression, deb, folder, npm, tar, wheel, zip};

/// What is needed to unpack one package.
#[derive(Clone, Copy)]
pub(crate) struct Unpacker<'a> {
    /// Where the files go.
    pub(crate) store: &'a DiskStore,
    /// Where they stand in the image.
    pub(crate) placement: &'a Placement,
    /// How much is too much.
    pub(crate) limits: Limits,
    /// Whether to stop.
    pub(crate) cancelled: &'a (dyn Fn() -> bool + Sync),
}

/// The formats of packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// A Debian binary package.
    Deb,
    /// A tape archive, plain or compressed with gzip, xz or Zstandard.
    Tar,
    /// A Python wheel: a zip archive with folders of its own meaning.
    Wheel,
    /// A zip archive.
    Zip,
}

/// Why a package can't be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The name of an entry is not UTF-8.
    #[error("the name `{0}` is not valid UTF-8")]
    NotUtf8(String),
    /// An entry is absolute, or its `..` lead out.
    #[error("`{0}` leads out of the archive")]
    Leaves(String),
    /// An entry would be written through a symbolic link.
    #[error("`{path}` lies behind the symbolic link `{link}`")]
    BehindLink {
        /// The entry.
        path: String,
        /// The link.
        link: String,
    },
    /// A path comes twice.
    #[error("`{0}` is in the archive twice")]
    Duplicate(String),
    /// Something other than a file, a folder or a link.
    #[error("`{path}` is a {kind}")]
    Special {
        /// The entry.
        path: String,
        /// What it is.
        kind: &'static str,
    },
    /// A symbolic link that leads out.
    #[error("the symbolic link `{link}` leads out of the archive, to `{target}`")]
    LinkLeaves {
        /// The link.
        link: String,
        /// Its target, as written.
        target: String,
    },
    /// A hard link to nothing that came before it and was kept.
    #[error("the hard link `{path}` names `{target}`, which is no file before it")]
    HardLink {
        /// The entry.
        path: String,
        /// What it names.
        target: String,
    },
    /// More than is sensible.
    #[error("it unpacks to more than {0}")]
    TooBig(Excess),
    /// More folders inside each other than is sensible.
    #[error("`{path}` has more than {limit} folders inside each other")]
    TooDeep {
        /// The first of them.
        path: String,
        /// The limit.
        limit: usize,
    },
    /// Its entries lie elsewhere than in the one folder they should be in.
    #[error("its entries are not all in the folder `{0}`")]
    Top(String),
    /// Two of its paths don't fit together.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// No known format.
    #[error("it is no archive of a known format (deb, whl, zip, tar, tar.gz, tar.xz, tar.zst)")]
    UnknownFormat,
    /// A folder of this machine can't be read.
    #[error("cannot read `{path}`")]
    Read {
        /// What.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The archive is damaged.
    #[error("it is damaged")]
    Damaged(#[source] io::Error),
    /// A blob can't be written.
    #[error("cannot write to the store")]
    Write(#[source] io::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The user wants it to stop.
    #[error("cancelled")]
    Cancelled,
}

impl Format {
    /// The format of a file, by its name for a wheel, else by its first bytes.
    pub(crate) fn detect(file: &str, bytes: &[u8]) -> Result<Self, UnpackError> {
        let is_tar = || bytes.get(257..262) == Some(b"ustar") || compression::is_compressed(bytes);
        match bytes {
            [b'P', b'K', 3 | 5, ..] if file.ends_with(".whl") => Ok(Self::Wheel),
            [b'P', b'K', 3 | 5, ..] => Ok(Self::Zip),
            _ if bytes.starts_with(deb::MAGIC) => Ok(Self::Deb),
            _ if is_tar() => Ok(Self::Tar),
            _ => Err(UnpackError::UnknownFormat),
        }
    }
}

/// Unpacks a tape archive whose entries all lie in the folder `top`, without that folder.
///
/// # Errors
/// See [`UnpackError`].
pub(crate) fn tarball(
    store: &DiskStore,
    bytes: &[u8],
    top: &str,
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<Tree, UnpackError> {
    let placement = Placement::plain().below(top);
    let unpacker = Unpacker { store, placement: &placement, limits: Limits::default(), cancelled };
    tree(&unpacker.archive(Format::Tar, bytes)?)
}

/// Unpacks the tarball of an npm package, without the folder that all its entries lie in.
///
/// # Errors
/// See [`UnpackError`].
pub(crate) fn npm_package(
    store: &DiskStore,
    bytes: &[u8],
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<Tree, UnpackError> {
    let placement = Placement::plain();
    let unpacker = Unpacker { store, placement: &placement, limits: Limits::default(), cancelled };
    tree(&unpacker.npm("", bytes)?)
}

/// Unpacks what can be imported of a wheel, as it stands in a folder of packages.
///
/// # Errors
/// See [`UnpackError`].
pub(crate) fn importable(
    store: &DiskStore,
    bytes: &[u8],
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<Tree, UnpackError> {
    let placement = Placement::plain();
    let unpacker = Unpacker { store, placement: &placement, limits: Limits::default(), cancelled };
    let mut collector = Collector::new(unpacker, Some(bytes.len()));
    zip::unpack(&mut collector, bytes, |name| Some((wheel::imported(name)?, false)))?;
    tree(&collector.finish())
}

/// Unpacks the zip of a Go module, whose entries all lie in the folder `module@version`, without
/// that folder.
///
/// # Errors
/// See [`UnpackError`].
pub(crate) fn module_zip(
    store: &DiskStore,
    bytes: &[u8],
    top: &str,
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<Tree, UnpackError> {
    let placement = Placement::plain().below(top);
    let unpacker = Unpacker { store, placement: &placement, limits: Limits::default(), cancelled };
    tree(&unpacker.archive(Format::Zip, bytes)?)
}

/// An archive as it is, for those who decide afterwards what of it counts.
pub(crate) struct Loose {
    /// Its files, none of them executable, and its links, whose targets are as written.
    pub(crate) contents: Contents,
    /// Entries that can't be part of a tree, and why.
    pub(crate) flaws: BTreeMap<String, UnpackError>,
    /// The folder that all of them lie in, if there is such a one.
    pub(crate) top: Option<String>,
}

/// Unpacks a tape or zip archive whose files don't all count.
///
/// # Errors
/// It can't be read, is too big, or has entries that lead out of it or lie behind a link.
pub(crate) fn loose(
    store: &DiskStore,
    format: Format,
    bytes: &[u8],
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<Loose, UnpackError> {
    let placement = Placement::plain();
    let unpacker = Unpacker { store, placement: &placement, limits: Limits::default(), cancelled };
    let mut collector = Collector::forgiving(unpacker, bytes.len());
    match format {
        Format::Tar => tar::unpack(&mut collector, bytes, |name, _| Some((name, false)))?,
        Format::Zip => {
            zip::unpack(&mut collector, bytes, |name| Some((name.replace('\\', "/"), false)))?;
        }
        Format::Deb | Format::Wheel => return Err(UnpackError::UnknownFormat),
    }
    let top = collector.only_folder();
    let (contents, flaws) = collector.finish_with_flaws();
    Ok(Loose { contents, flaws, top })
}

/// What was unpacked, as a tree by the store's digests.
fn tree(contents: &Contents) -> Result<Tree, UnpackError> {
    let mut tree = Tree::default();
    contents.add_to(&mut tree, Naming::Stored)?;
    Ok(tree)
}

impl<'a> Unpacker<'a> {
    /// Unpacks the bytes of a package.
    ///
    /// # Errors
    /// See [`UnpackError`]. Blobs that were written before stay in the store; nothing refers to them.
    pub(crate) fn archive(&self, format: Format, bytes: &[u8]) -> Result<Contents, UnpackError> {
        if !self.placement.strips() {
            return Ok(self.collect(format, bytes)?.finish());
        }
        let nothing = Placement::nothing();
        let names = Unpacker { placement: &nothing, ..*self }.collect(format, bytes)?;
        let placement = self.placement.below(&names.only_folder().unwrap_or_default());
        Ok(Unpacker { placement: &placement, ..*self }.collect(format, bytes)?.finish())
    }

    /// Unpacks the tarball of an npm package to where npm installs it, such as `node_modules/NAME`.
    ///
    /// # Errors
    /// See [`UnpackError`].
    pub(crate) fn npm(&self, place: &str, bytes: &[u8]) -> Result<Contents, UnpackError> {
        let mut collector = Collector::new(*self, Some(bytes.len()));
        npm::unpack(&mut collector, place, bytes)?;
        Ok(collector.finish())
    }

    /// Takes files of a folder as if they were an archive: those named, or all of them.
    ///
    /// # Errors
    /// See [`UnpackError`].
    pub(crate) fn folder(
        &self,
        folder: &Path,
        files: Option<&[String]>,
    ) -> Result<Contents, UnpackError> {
        let mut collector = Collector::new(*self, None);
        match files {
            Some(files) => folder::take(&mut collector, folder, files)?,
            None => folder::take_all(&mut collector, folder)?,
        }
        Ok(collector.finish())
    }

    /// Takes all entries.
    fn collect(self, format: Format, bytes: &[u8]) -> Result<Collector<'a>, UnpackError> {
        let mut collector = Collector::new(self, Some(bytes.len()));
        match format {
            Format::Deb => deb::unpack(&mut collector, bytes)?,
            Format::Tar => tar::unpack(&mut collector, bytes, |name, _| Some((name, false)))?,
            Format::Wheel => zip::unpack(&mut collector, bytes, |name| Some(wheel::placed(name)))?,
            Format::Zip => zip::unpack(&mut collector, bytes, |name| Some((name, false)))?,
        }
        Ok(collector)
    }
}
