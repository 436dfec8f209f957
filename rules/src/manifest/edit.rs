//! Edits `[dependencies]` and `[dev_dependencies]` in the text of run.toml. Comments, order and format of everything else
//! stay.

use toml_edit::{DocumentMut, InlineTable, Item, Table, TableLike, Value};

use crate::edited::insert_sorted;

/// A section of packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackageSection {
    /// `[dependencies]`
    Dependencies,
    /// `[dev_dependencies]`
    DevDependencies,
}

/// An entry as it is to be written: the keys with their values, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewDependency {
    /// The texts.
    pub texts: Vec<(&'static str, String)>,
    /// The features; the key is left out if there are none.
    pub features: Vec<String>,
    /// The capabilities; the key is left out if there are none.
    pub capabilities: Vec<String>,
}

/// The reason why the text can't be edited.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The text is no TOML.
    #[error("run.toml can't be edited")]
    Syntax(#[from] toml_edit::TomlError),
    /// The section is not a table.
    #[error("`{0}` is not a table in run.toml")]
    NotTable(&'static str),
}

impl PackageSection {
    /// Returns the name of the section.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dependencies => "dependencies",
            Self::DevDependencies => "dev_dependencies",
        }
    }
}

impl NewDependency {
    fn value(&self) -> Value {
        let lists = [("features", &self.features), ("capabilities", &self.capabilities)];
        let mut lists = lists.into_iter().filter(|(_, list)| !list.is_empty()).peekable();
        if let ([("version", version)], None) = (self.texts.as_slice(), lists.peek()) {
            return version.as_str().into();
        }
        let mut table = InlineTable::new();
        for (key, text) in &self.texts {
            table.insert(*key, text.as_str().into());
        }
        for (key, list) in lists {
            table.insert(key, list.iter().map(String::as_str).collect());
        }
        Value::InlineTable(table)
    }
}

/// Returns the text of run.toml with a package in a section. An entry that is there already is replaced.
///
/// # Errors
/// See [`EditError`].
pub fn with_dependency(
    text: &str,
    section: PackageSection,
    package: &str,
    dependency: &NewDependency,
) -> Result<String, EditError> {
    edit(text, |document| {
        let name = section.name();
        let table = document.entry(name).or_insert_with(|| Item::Table(Table::new()));
        let table = table.as_table_like_mut().ok_or(EditError::NotTable(name))?;
        let Some(item) = table.get_mut(package) else {
            insert(table, package, dependency.value());
            return Ok(());
        };
        let decor = item.as_value().map(|value| value.decor().clone());
        let had_heading = decor.is_none();
        let mut value = with_lists_of(item, dependency).value();
        if let Some(decor) = decor {
            *value.decor_mut() = decor;
        }
        *item = Item::Value(value);
        if had_heading && let Some(mut key) = table.key_mut(package) {
            // A key in a heading is written in another way.
            key.fmt();
        }
        Ok(())
    })
}

/// Returns the new entry with the features and the capabilities of the old one, unless it has some of its own.
fn with_lists_of(old: &Item, new: &NewDependency) -> NewDependency {
    let list = |key: &str, new: &[String]| -> Vec<String> {
        let old = old.as_table_like().and_then(|table| table.get(key));
        let old = old.and_then(Item::as_array).into_iter().flatten();
        let old = old.filter_map(|text| text.as_str().map(ToOwned::to_owned));
        if new.is_empty() { old.collect() } else { new.to_vec() }
    };
    NewDependency {
        texts: new.texts.clone(),
        features: list("features", &new.features),
        capabilities: list("capabilities", &new.capabilities),
    }
}

/// Returns the text of run.toml without a package in a section; `None` if it is not there.
///
/// # Errors
/// See [`EditError`].
pub fn without_dependency(
    text: &str,
    section: PackageSection,
    package: &str,
) -> Result<Option<String>, EditError> {
    let mut was_there = false;
    let edited = edit(text, |document| {
        let table = document.get_mut(section.name()).and_then(Item::as_table_like_mut);
        was_there = table.is_some_and(|table| table.remove(package).is_some());
        Ok(())
    })?;
    Ok(was_there.then_some(edited))
}

fn edit(
    text: &str,
    change: impl FnOnce(&mut DocumentMut) -> Result<(), EditError>,
) -> Result<String, EditError> {
    let is_crlf = text.contains("\r\n");
    let bom = if text.starts_with('\u{feff}') { "\u{feff}" } else { "" };
    let plain = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let mut document: DocumentMut = plain.parse()?;
    change(&mut document)?;
    let edited = format!("{bom}{document}");
    Ok(if is_crlf { edited.replace('\n', "\r\n") } else { edited })
}

/// Inserts an entry in the order of the alphabet if the section is in that order, and else at its end.
fn insert(table: &mut dyn TableLike, package: &str, value: Value) {
    let keys: Vec<String> = table.iter().map(|(key, _)| key.to_owned()).collect();
    match keys.is_sorted() {
        true => insert_sorted(table, package, value),
        false => {
            table.insert(package, Item::Value(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# ours\n[project]\nname = \"a\" # the name\n\n[dependencies] # packages\n\
                        \"a:b\" = \"1.0.0\"   # kept\n# of ours\n\"c:d\" = { path = \"../d\" }\n\n[build]\n";

    fn version(text: &str) -> NewDependency {
        NewDependency { texts: vec![("version", text.to_owned())], ..NewDependency::default() }
    }

    #[test]
    fn an_entry_is_added_in_its_place() {
        let section = PackageSection::Dependencies;
        let text = with_dependency(TEXT, section, "b:x", &version("2.0")).unwrap();
        let kept = "\"a:b\" = \"1.0.0\"   # kept\n";
        assert_eq!(text, TEXT.replace(kept, &format!("{kept}\"b:x\" = \"2.0\"\n")));
        let git = NewDependency {
            texts: vec![("git", "https://example.com/r".to_owned()), ("tag", "v1".to_owned())],
            features: vec!["x".to_owned()],
            capabilities: Vec::new(),
        };
        let text = with_dependency(TEXT, section, "z:z", &git).unwrap();
        let line =
            "\"z:z\" = { git = \"https://example.com/r\", tag = \"v1\", features = [\"x\"] }\n";
        assert_eq!(text, TEXT.replace("../d\" }\n", &format!("../d\" }}\n{line}")));
    }

    #[test]
    fn an_entry_is_replaced_and_keeps_its_comment() {
        let section = PackageSection::Dependencies;
        let text = with_dependency(TEXT, section, "a:b", &version("1.2.0")).unwrap();
        assert_eq!(text, TEXT.replace("\"1.0.0\"", "\"1.2.0\""));
        // Features stay.
        let with = "[dependencies]\n\"a:b\" = { version = \"1.0.0\", features = [\"x\"] }\n";
        let text = with_dependency(with, section, "a:b", &version("1.2.0")).unwrap();
        assert_eq!(text, with.replace("1.0.0", "1.2.0"));
        let with = "[dependencies]\n\"a:b\" = { version = \"1.0.0\", capabilities = [\"env\"] }\n";
        let newer = "[dependencies]\n\"a:b\" = { version = \"2.0.0\", capabilities = [\"env\"] }\n";
        let edited = with_dependency(with, PackageSection::Dependencies, "a:b", &version("2.0.0"));
        assert_eq!(edited.unwrap(), newer);
        let heading = "[dependencies.\"a:b\"]\nversion = \"1.0.0\"\nfeatures = [\"x\"]\n";
        let text = with_dependency(heading, section, "a:b", &version("1.2.0")).unwrap();
        assert!(
            text.parse::<DocumentMut>().unwrap()["dependencies"]["a:b"]["features"][0].is_str()
        );
    }

    #[test]
    fn a_section_is_made() {
        let section = PackageSection::DevDependencies;
        let text = with_dependency(TEXT, section, "t:m", &version("1.0.0")).unwrap();
        assert_eq!(text, format!("{TEXT}\n[dev_dependencies]\n\"t:m\" = \"1.0.0\"\n"));
        let windows = TEXT.replace('\n', "\r\n");
        let text = with_dependency(&windows, section, "t:m", &version("1.0.0")).unwrap();
        assert!(text.starts_with(&windows) && text.ends_with("\"t:m\" = \"1.0.0\"\r\n"));
    }

    #[test]
    fn an_entry_is_removed() {
        let section = PackageSection::Dependencies;
        let text = without_dependency(TEXT, section, "a:b").unwrap().unwrap();
        assert_eq!(text, TEXT.replace("\"a:b\" = \"1.0.0\"   # kept\n", ""));
        assert_eq!(without_dependency(TEXT, section, "x:y").unwrap(), None);
        assert_eq!(without_dependency(TEXT, PackageSection::DevDependencies, "a:b").unwrap(), None);
        assert!(without_dependency("[", section, "a:b").is_err());
        assert!(with_dependency("dependencies = 1", section, "a:b", &version("1")).is_err());
    }
}
