//! Unpacks one package of any format. It does not know where the package came from.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use cache::{ContentStore, StoreError, Tree, TreeError};
use engine::BuiltinError;

use super::collect::Collector;
use super::{
    Contents, Excess, Limits, Naming, Placement, compression, deb, folder, npm, tar, wheel, zip,
};

/// The store, rules and limits for unpacking one package.
#[derive(Clone, Copy)]
pub(crate) struct Unpacker<'a> {
    /// The store that gets the files.
    pub(crate) store: &'a ContentStore,
    /// The rules for the paths of files in the image.
    pub(crate) placement: &'a Placement,
    /// The limits on what the package may unpack to.
    pub(crate) limits: Limits,
    /// The function that returns true if the work has to stop.
    pub(crate) cancelled: &'a (dyn Fn() -> bool + Sync),
}

/// The formats of packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// A Debian binary package.
    Deb,
    /// A tar archive, plain or compressed with gzip, xz or Zstandard.
    Tar,
    /// A Python wheel: a zip archive, some folders of which have a special meaning.
    Wheel,
    /// A zip archive.
    Zip,
}

/// The reason why a package can't be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The name of an entry is not UTF-8.
    #[error("the name `{0}` is not valid UTF-8")]
    NotUtf8(String),
    /// The path of an entry is absolute, or leads out of the archive by `..`.
    #[error("`{0}` leads out of the archive")]
    Leaves(String),
    /// An entry would be written through a symbolic link.
    #[error("`{path}` lies behind the symbolic link `{link}`")]
    BehindLink {
        /// The path of the entry.
        path: String,
        /// The path of the link.
        link: String,
    },
    /// Two entries have the same path.
    #[error("`{0}` is in the archive twice")]
    Duplicate(String),
    /// An entry is not a file, a folder or a link.
    #[error("`{path}` is a {kind}")]
    Special {
        /// The path of the entry.
        path: String,
        /// The type of the entry.
        kind: &'static str,
    },
    /// A symbolic link leads out of the archive.
    #[error("the symbolic link `{link}` leads out of the archive, to `{target}`")]
    LinkLeaves {
        /// The path of the link.
        link: String,
        /// The link's target as written.
        target: String,
    },
    /// The target of a hard link is not a file that came before it and was kept.
    #[error("the hard link `{path}` names `{target}`, which is no file before it")]
    HardLink {
        /// The path of the hard link.
        path: String,
        /// The path that it links to.
        target: String,
    },
    /// The package unpacks to more than a limit.
    #[error("it unpacks to more than {0}")]
    TooBig(Excess),
    /// More folders lie inside each other than the limit.
    #[error("`{path}` has more than {limit} folders inside each other")]
    TooDeep {
        /// The path of the outermost folders.
        path: String,
        /// The limit.
        limit: usize,
    },
    /// Some entries lie outside the one folder that they should all be in.
    #[error("its entries are not all in the folder `{0}`")]
    Top(String),
    /// Two paths can't stand in one tree.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The bytes have no known format.
    #[error("it is no archive of a known format (deb, whl, zip, tar, tar.gz, tar.xz, tar.zst)")]
    UnknownFormat,
    /// A folder of this machine can't be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The path of the folder or file.
        path: String,
        /// The error of the system.
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
    /// The unpacking was cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl UnpackError {
    /// Converts the error into the one with which an action ends. Returns [`BuiltinError::Cancelled`] if the
    /// user stopped the unpacking, and what `told` makes of the error otherwise.
    pub(crate) fn ends(self, told: impl FnOnce(Self) -> BuiltinError) -> BuiltinError {
        match self {
            Self::Cancelled => BuiltinError::Cancelled,
            error => told(error),
        }
    }
}

impl Format {
    /// Detects the format of a file: a wheel by the end of its name, all others by their first bytes.
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

/// Unpacks a tar archive whose entries all lie in the folder `top`, and strips that folder.
///
/// # Errors
/// See [`UnpackError`].
pub(crate) fn tarball(
    store: &ContentStore,
    bytes: &[u8],
    top: &str,
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<Tree, UnpackError> {
    let placement = Placement::plain().below(top);
    let unpacker = Unpacker { store, placement: &placement, limits: Limits::default(), cancelled };
    tree(&unpacker.archive(Format::Tar, bytes)?)
}

/// Unpacks the tarball of an npm package, and strips the folder that all its entries lie in.
///
/// # Errors
/// See [`UnpackError`].
pub(crate) fn npm_package(
    store: &ContentStore,
    bytes: &[u8],
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<Tree, UnpackError> {
    let placement = Placement::plain();
    let unpacker = Unpacker { store, placement: &placement, limits: Limits::default(), cancelled };
    tree(&unpacker.npm("", bytes)?)
}

/// Unpacks the part of a wheel that can be imported, as it stands in a folder of packages. Files for which
/// `left_out` returns true are left out.
///
/// # Errors
/// See [`UnpackError`].
pub(crate) fn importable(
    store: &ContentStore,
    bytes: &[u8],
    left_out: &dyn Fn(&str) -> bool,
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<Tree, UnpackError> {
    let placement = Placement::plain();
    let unpacker = Unpacker { store, placement: &placement, limits: Limits::default(), cancelled };
    let mut collector = Collector::new(unpacker, Some(bytes.len()));
    let wanted = |name| wheel::imported(name).filter(|path| !left_out(path));
    zip::unpack(&mut collector, bytes, |name| Some((wanted(name)?, false)))?;
    tree(&collector.finish())
}

/// Unpacks the zip of a Go module, whose entries all lie in the folder `module@version`, and strips that
/// folder.
///
/// # Errors
/// See [`UnpackError`].
pub(crate) fn module_zip(
    store: &ContentStore,
    bytes: &[u8],
    top: &str,
    cancelled: &(dyn Fn() -> bool + Sync),
) -> Result<Tree, UnpackError> {
    let placement = Placement::plain().below(top);
    let unpacker = Unpacker { store, placement: &placement, limits: Limits::default(), cancelled };
    tree(&unpacker.archive(Format::Zip, bytes)?)
}

/// An archive as it is, for callers that decide afterwards which of its files count.
pub(crate) struct Loose {
    /// The archive's files, none of them executable, and its links with their targets as written.
    pub(crate) contents: Contents,
    /// The entries that can't be part of a tree, each with the reason.
    pub(crate) flaws: BTreeMap<String, UnpackError>,
    /// The folder that contains all entries, if there is one.
    pub(crate) top: Option<String>,
}

/// Unpacks a tar or zip archive of which not all files count.
///
/// # Errors
/// The archive can't be read, is too big, or has entries that lead out of it or lie behind a link.
pub(crate) fn loose(
    store: &ContentStore,
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

/// Returns a tree of the contents, by the digests of the store.
fn tree(contents: &Contents) -> Result<Tree, UnpackError> {
    let mut tree = Tree::default();
    contents.add_to(&mut tree, Naming::Stored)?;
    Ok(tree)
}

impl<'a> Unpacker<'a> {
    /// Unpacks the bytes of a package.
    ///
    /// # Errors
    /// See [`UnpackError`]. Blobs that were written before the error stay in the store, and nothing refers to
    /// them.
    pub(crate) fn archive(&self, format: Format, bytes: &[u8]) -> Result<Contents, UnpackError> {
        if !self.placement.strips() {
            return Ok(self.collect(format, bytes)?.finish());
        }
        let nothing = Placement::nothing();
        let names = Unpacker { placement: &nothing, ..*self }.collect(format, bytes)?;
        let placement = self.placement.below(&names.only_folder().unwrap_or_default());
        Ok(Unpacker { placement: &placement, ..*self }.collect(format, bytes)?.finish())
    }

    /// Unpacks the tarball of an npm package to the folder where npm installs it, such as
    /// `node_modules/NAME`.
    ///
    /// # Errors
    /// See [`UnpackError`].
    pub(crate) fn npm(&self, place: &str, bytes: &[u8]) -> Result<Contents, UnpackError> {
        let mut collector = Collector::new(*self, Some(bytes.len()));
        npm::unpack(&mut collector, place, bytes)?;
        Ok(collector.finish())
    }

    /// Takes files of a folder as if they were an archive: the named files, or all of them.
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

    /// Takes all entries of an archive.
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
