//! Judges wheels by their file names, and so chooses the wheel of a package that a component gets.
//!
//! A wheel can be loaded if it is pure Python or built for WASI. Of a wheel with native code for Linux, the
//! Python that stands beside that code can be taken. Nothing here opens a wheel.
//!
//! Source: the platform compatibility tags' specification (PEP 425) and the binary distribution format's
//! "File name convention". No specification settles the tags of WASI, so all that begin with `wasi` are
//! accepted.

use super::guest::MINOR;
use super::requirement::normalise;

/// The parts of a wheel's file name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WheelName<'a> {
    name: &'a str,
    version: &'a str,
    build: Option<&'a str>,
    python: &'a str,
    abi: &'a str,
    platform: &'a str,
}

/// The system that a wheel's native code is for, if it has any. Later variants are preferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Native {
    /// Linux on x86_64: the interpreter can use only what else the wheel has.
    Linux,
    None,
    Wasi,
}

/// The fitness of a wheel for the interpreter. Of several wheels the greatest is taken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fit {
    native: Native,
    /// The rank of the ABI: 2 is that of this version of Python, 1 is the stable ABI, 0 is no ABI.
    abi: u32,
    python_minor: u32,
    build: (u64, String),
}

impl<'a> WheelName<'a> {
    /// Splits a file name into its parts; `None` if it is not the name of a wheel.
    pub(super) fn parse(file: &'a str) -> Option<Self> {
        let parts: Vec<&str> = file.strip_suffix(".whl")?.split('-').collect();
        let (name, version, build, [python, abi, platform]) = match parts.as_slice() {
            [name, version, rest @ ..] => match rest {
                [python, abi, platform] => (*name, *version, None, [*python, *abi, *platform]),
                [build, python, abi, platform] => {
                    (*name, *version, Some(*build), [*python, *abi, *platform])
                }
                _ => return None,
            },
            _ => return None,
        };
        Some(Self { name, version, build, python, abi, platform })
    }

    /// Returns the package's name, normalised.
    pub(super) fn package(&self) -> String {
        normalise(self.name)
    }

    /// Returns the platforms that the wheel is for, with `.` between them.
    pub(super) fn platform(&self) -> &'a str {
        self.platform
    }

    /// Returns true if the wheel is only for platforms whose native code the interpreter can't load.
    pub(super) fn is_foreign(&self) -> bool {
        !self.platform.split('.').any(|tag| tag == "any" || tag.starts_with("wasi"))
    }

    fn native(&self) -> Option<Native> {
        let is_linux = |tag: &str| tag.starts_with("manylinux") || tag.starts_with("linux");
        let native = |tag: &str| match tag {
            "any" => Some(Native::None),
            _ if tag.starts_with("wasi") => Some(Native::Wasi),
            _ => (is_linux(tag) && tag.ends_with("_x86_64")).then_some(Native::Linux),
        };
        self.platform.split('.').filter_map(native).max()
    }

    /// Returns how well the wheel fits the interpreter; `None` if nothing in it can be loaded.
    pub(super) fn fit(&self) -> Option<Fit> {
        let native = self.native()?;
        let abis = self.abi.split('.');
        let pairs = abis.flat_map(|abi| self.python.split('.').map(move |python| (python, abi)));
        let (abi, python_minor) = pairs.filter_map(|(python, abi)| loads(python, abi)).max()?;
        let build = self.build.unwrap_or_default();
        let digits = build.find(|c: char| !c.is_ascii_digit()).unwrap_or(build.len());
        let number = build[..digits].parse().unwrap_or_default();
        Some(Fit { native, abi, python_minor, build: (number, build[digits..].to_owned()) })
    }
}

/// Returns the platforms of [`Native::Linux`] as pip has to be told them, in the words of wheels' tags. The
/// oldest C library comes first.
pub(super) fn linux() -> Vec<String> {
    let old = ["manylinux1", "manylinux2010", "manylinux2014", "linux"].map(str::to_owned);
    let numbered = (5..=45).map(|minor| format!("manylinux_2_{minor}"));
    old.into_iter().chain(numbered).map(|name| format!("{name}_x86_64")).collect()
}

/// Returns true if a file of a wheel is native code, by its name.
pub(super) fn is_native(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.ends_with(".so") || name.contains(".so.")
}

/// Returns the rank of the ABI and the minor version of Python, if code with these tags can be loaded.
fn loads(python: &str, abi: &str) -> Option<(u32, u32)> {
    let digits = python.find(|c: char| c.is_ascii_digit())?;
    let (interpreter, version) = python.split_at(digits);
    let (major, minor) = version.split_at(1);
    let minor = if minor.is_empty() { 0 } else { minor.parse().ok()? };
    if major != "3" || minor > MINOR {
        return None;
    }
    match (interpreter, abi) {
        ("cp", "abi3") => Some((1, minor)),
        ("cp", "none") if minor == MINOR => Some((0, minor)),
        ("cp", abi) if minor == MINOR && abi == format!("cp3{MINOR}") => Some((2, minor)),
        ("py", "none") => Some((0, minor)),
        _ => None,
    }
}

/// Returns the best-fitting wheel among the files of one package; `None` if none fits.
pub(super) fn best<T>(files: impl IntoIterator<Item = (String, T)>) -> Option<(String, T)> {
    let fitting = files.into_iter().filter_map(|(file, rest)| {
        let fit = WheelName::parse(&file)?.fit()?;
        Some((fit, file, rest))
    });
    let best = fitting.max_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)))?;
    Some((best.1, best.2))
}

/// Says in words what the files of a package are: wheels for some platforms, or a source distribution.
pub(super) fn described<'a>(files: impl IntoIterator<Item = &'a str>) -> String {
    let mut platforms: Vec<&str> =
        files.into_iter().filter_map(|file| Some(WheelName::parse(file)?.platform())).collect();
    platforms.sort_unstable();
    platforms.dedup();
    match platforms.len() {
        0 => "a source distribution".to_owned(),
        1..=3 => format!("wheels for {}", platforms.join(", ")),
        more => {
            let (first, second) = (platforms[0], platforms[1]);
            format!("wheels for {first}, {second} and {} other platforms", more - 2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wheels_that_can_be_loaded_are_known_by_their_tags() {
        let check = |tags: &str, expect: bool| {
            let file = format!("pkg-1.0-{tags}.whl");
            assert_eq!(WheelName::parse(&file).unwrap().fit().is_some(), expect, "{tags}");
        };
        check("py3-none-any", true);
        check("py2.py3-none-any", true);
        check("py314-none-any", true);
        check("py315-none-any", false);
        check("py2-none-any", false);
        check("cp314-none-any", true);
        check("cp313-none-any", false);
        check("cp314-cp314-wasi_0_0_0_wasm32", true);
        check("cp313-cp313-wasi_0_0_0_wasm32", false);
        check("cp39-abi3-wasi_0_0_0_wasm32", true);
        check("cp314-cp314-any", true);
        check("cp314-cp314t-wasi_0_0_0_wasm32", false);
        check("pp311-pypy311_pp73-any", false);
        check("py3-none-macosx_11_0_arm64", false);
        // The Python in these can be loaded.
        check("cp314-cp314-manylinux_2_17_x86_64.manylinux2014_x86_64", true);
        check("cp39-abi3-manylinux_2_28_x86_64", true);
        check("cp313-cp313-manylinux2014_x86_64", false);
        check("cp314-cp314-manylinux2014_aarch64", false);
        check("cp314-cp314-musllinux_1_2_x86_64", false);
        check("1-py3-none-any", true);
    }

    #[test]
    fn the_best_wheel_is_taken_whatever_the_order() {
        let check = |tags: &[&str], expect: &str| {
            let files: Vec<_> = tags.iter().map(|t| (format!("pkg-1.0-{t}.whl"), ())).collect();
            let expect = format!("pkg-1.0-{expect}.whl");
            assert_eq!(best(files.clone()).unwrap().0, expect);
            assert_eq!(best(files.into_iter().rev()).unwrap().0, expect);
        };
        check(&["py3-none-any", "cp314-cp314-wasi_0_0_0_wasm32"], "cp314-cp314-wasi_0_0_0_wasm32");
        check(&["cp39-abi3-wasi_x", "cp314-cp314-wasi_x"], "cp314-cp314-wasi_x");
        check(&["py3-none-any", "py310-none-any", "py315-none-any"], "py310-none-any");
        check(&["2-py3-none-any", "10-py3-none-any", "py3-none-any"], "10-py3-none-any");
        check(&["py3-none-win_amd64", "py3-none-any"], "py3-none-any");
        check(&["cp314-cp314-manylinux2014_x86_64", "py3-none-any"], "py3-none-any");
        check(&["cp39-abi3-manylinux1_x86_64", "cp39-abi3-wasi_x"], "cp39-abi3-wasi_x");
        assert_eq!(best([("pkg-1.0.tar.gz".to_owned(), ())]), None);
    }

    #[test]
    fn native_code_is_told_by_its_name() {
        let check = |path: &str, expect: bool| assert_eq!(is_native(path), expect, "{path}");
        check("a/_speedups.cpython-314-x86_64-linux-gnu.so", true);
        check("a.libs/libopenblas64_-1ab.so.0", true);
        check("a/solver.py", false);
        check("a.so/data.txt", false);
        let foreign = |file: &str| WheelName::parse(file).unwrap().is_foreign();
        assert!(foreign("a-1-cp314-cp314-manylinux2014_x86_64.whl"));
        assert!(
            !foreign("a-1-cp314-cp314-wasi_0_0_0_wasm32.whl") && !foreign("a-1-py3-none-any.whl")
        );
        assert!(linux().contains(&"manylinux_2_17_x86_64".to_owned()));
    }

    #[test]
    fn what_cannot_be_loaded_is_described() {
        let check = |files: &[&str], expect: &str| {
            assert_eq!(described(files.iter().copied()), expect);
        };
        check(&["a-1.tar.gz"], "a source distribution");
        check(&["a-1-cp314-cp314-win32.whl", "a-1.tar.gz"], "wheels for win32");
        let many = ["win32", "linux_x86_64", "win_arm64", "win_amd64"];
        let many = many.map(|platform| format!("a-1-cp314-cp314-{platform}.whl"));
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        check(&many, "wheels for linux_x86_64, win32 and 2 other platforms");
    }
}
