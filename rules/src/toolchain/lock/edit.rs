//! Edits the text of a lock that people maintain, so that their comments, order and format stay.
//!
//! An entry that says the same keeps its bytes. A changed value keeps the comment beside it. A removed entry
//! takes its comments along, and a new one stands where a newly written lock would have it. Every edit is
//! checked by reading the text again, so that a file of an unforeseen form is never written wrong.

use std::path::Path;

use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, Value};

use super::Lock;
use super::write::{dependency_text, image_text, package_text};
use crate::edited::insert_sorted;

/// The tables of a lock, in the order of a newly written one.
const SECTIONS: [&str; 5] = ["toolchains", "checksums", "image", "package", "dependency"];

/// The keys that identify an `[[image]]`, a `[[package]]` or a `[[dependency]]` in all versions of the lock.
const IDENTITY: [&str; 5] = ["toolchain", "platform", "source", "purl", "name"];

/// The order of edited entries: they stay where they are, or they come in the order of a newly written lock.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Kept,
    Fresh,
}

impl Lock {
    /// Returns `text` edited so that it reads as this lock.
    ///
    /// Returns `None` if the text can't be edited.
    pub(super) fn edited(&self, text: &str) -> Option<String> {
        let crlf = text.contains("\r\n");
        let unix = text.replace("\r\n", "\n");
        let edited = [Order::Kept, Order::Fresh].into_iter().find_map(|order| {
            let edited = self.edited_in(&unix, order)?;
            (Self::parse(&edited, Path::new("")).as_ref().ok() == Some(self)).then_some(edited)
        })?;
        Some(if crlf { edited.replace('\n', "\r\n") } else { edited })
    }

    fn edited_in(&self, text: &str, order: Order) -> Option<String> {
        let mut document: DocumentMut = text.trim_start_matches('\u{feff}').parse().ok()?;
        if document.is_empty() {
            return Some(format!("{}{}", with_newline(text), self.body()));
        }
        let toolchains = self.toolchains.iter().map(|(name, version)| (name, version.clone()));
        let checksums = self.checksums.iter().map(|(name, sum)| (name, sum.to_string()));
        edit_pairs(&mut document, "toolchains", toolchains.collect())?;
        edit_pairs(&mut document, "checksums", checksums.collect())?;
        let images = self.images.iter().map(image_text);
        edit_list(&mut document, "image", &images.collect::<Vec<_>>(), order)?;
        let packages = self.packages.iter().map(package_text);
        edit_list(&mut document, "package", &packages.collect::<Vec<_>>(), order)?;
        let dependencies = self.dependencies.iter().map(dependency_text);
        edit_list(&mut document, "dependency", &dependencies.collect::<Vec<_>>(), order)?;
        in_order(&mut document);
        let bom = if text.starts_with('\u{feff}') { "\u{feff}" } else { "" };
        Some(format!("{bom}{document}"))
    }
}

fn with_newline(text: &str) -> String {
    match text.is_empty() || text.ends_with('\n') {
        true => text.to_owned(),
        false => format!("{text}\n"),
    }
}

/// Edits a table of names and texts so that it says exactly `wanted`, which is sorted.
fn edit_pairs(
    document: &mut DocumentMut,
    section: &str,
    wanted: Vec<(&String, String)>,
) -> Option<()> {
    if !document.contains_key(section) {
        if wanted.is_empty() {
            return Some(());
        }
        document.insert(section, Item::Table(Table::new()));
    }
    let table = document.get_mut(section)?.as_table_like_mut()?;
    let gone = |key: &&str| !wanted.iter().any(|(name, _)| name == key);
    let gone: Vec<String> =
        table.iter().map(|(key, _)| key).filter(gone).map(ToOwned::to_owned).collect();
    for key in gone {
        table.remove(&key);
    }
    for (name, text) in wanted {
        match table.get_mut(name) {
            Some(item) => set(item, text.into()),
            None => insert_sorted(table, name, text.into()),
        }
    }
    Some(())
}

/// Changes a value unless it is the same already. Its comment and spaces stay.
fn set(item: &mut Item, new: Value) {
    let old = item.as_value();
    let same = old.and_then(said).is_some_and(|old| said(&new) == Some(old));
    if !same {
        let decor = old.map(|old| old.decor().clone());
        let mut new = new;
        if let Some(decor) = decor {
            *new.decor_mut() = decor;
        }
        *item = Item::Value(new);
    }
}

/// Edits a list of tables so that it says exactly `wanted`, whose elements are the texts of one table each.
fn edit_list(
    document: &mut DocumentMut,
    section: &str,
    wanted: &[String],
    order: Order,
) -> Option<()> {
    let wanted: Vec<Table> =
        wanted.iter().map(|text| parse(text, section)).collect::<Option<_>>()?;
    let old = match document.get_mut(section) {
        None if wanted.is_empty() => return Some(()),
        None => ArrayOfTables::new(),
        Some(item) => std::mem::take(item).into_array_of_tables().ok()?,
    };
    let merged = merge(old.into_iter().collect(), &wanted, order);
    document.insert(section, Item::ArrayOfTables(merged.into_iter().collect()));
    Some(())
}

/// Parses a text that this program has written and that consists of one table.
fn parse(text: &str, section: &str) -> Option<Table> {
    let mut document: DocumentMut = text.parse().ok()?;
    let list = document.remove(section)?.into_array_of_tables().ok()?;
    let mut table = list.into_iter().next()?;
    table.set_position(None);
    Some(table)
}

/// Returns the wanted tables: old ones where they fit, edited if necessary, and new ones otherwise.
fn merge(old: Vec<Table>, wanted: &[Table], order: Order) -> Vec<Table> {
    let places = places(&old, wanted);
    let mut old: Vec<Option<Table>> = old.into_iter().map(Some).collect();
    let mut table = |index: usize| {
        let mut table = match places[index].and_then(|place| old[place].take()) {
            Some(table) => table,
            None => return wanted[index].clone(),
        };
        update(&mut table, &wanted[index]);
        if order == Order::Fresh {
            table.set_position(None);
        }
        table
    };
    sequence(&places, order).into_iter().map(&mut table).collect()
}

/// Finds for each wanted table the old table that is the same or that it replaces.
fn places(old: &[Table], wanted: &[Table]) -> Vec<Option<usize>> {
    let mut free = vec![true; old.len()];
    let mut places = vec![None; wanted.len()];
    for fits in [is_same, is_successor] {
        for (place, wanted) in places.iter_mut().zip(wanted).filter(|(place, _)| place.is_none()) {
            *place = (0..old.len()).find(|&index| free[index] && fits(&old[index], wanted));
            place.iter().for_each(|&index| free[index] = false);
        }
    }
    places
}

/// Returns the order of the wanted tables. Old tables stay in their order, and a new table follows its
/// predecessor in a newly written lock.
fn sequence(places: &[Option<usize>], order: Order) -> Vec<usize> {
    if order == Order::Fresh {
        return (0..places.len()).collect();
    }
    let mut kept: Vec<usize> = (0..places.len()).filter(|&i| places[i].is_some()).collect();
    kept.sort_by_key(|&index| places[index]);
    for new in (0..places.len()).filter(|&i| places[i].is_none()) {
        let before = new.checked_sub(1).and_then(|last| kept.iter().position(|&i| i == last));
        kept.insert(before.map_or(0, |before| before + 1), new);
    }
    kept
}

fn update(table: &mut Table, wanted: &Table) {
    let gone: Vec<String> = table
        .iter()
        .map(|(key, _)| key.to_owned())
        .filter(|key| !wanted.contains_key(key))
        .collect();
    for key in gone {
        table.remove(&key);
    }
    for (key, item) in wanted {
        let Some(value) = item.as_value() else { continue };
        match table.get_mut(key) {
            Some(old) => set(old, value.clone()),
            None => {
                table.insert(key, item.clone());
            }
        }
    }
}

fn is_same(old: &Table, wanted: &Table) -> bool {
    old.len() == wanted.len()
        && wanted.iter().all(|(key, item)| old.get(key).is_some_and(|old| says(old) == says(item)))
}

/// Returns true if one table may be another version of the other.
fn is_successor(old: &Table, wanted: &Table) -> bool {
    IDENTITY.iter().all(|key| unversioned(old.get(key)) == unversioned(wanted.get(key)))
}

fn says(item: &Item) -> Option<String> {
    said(item.as_value()?)
}

/// Returns what a text, a number or a list of texts says, whatever its format.
fn said(value: &Value) -> Option<String> {
    if let Some(list) = value.as_array() {
        let texts: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
        return texts.map(|texts| format!("{texts:?}"));
    }
    let number = || value.as_integer().map(|number| number.to_string());
    value.as_str().map(|text| format!("\"{text}")).or_else(number)
}

/// Returns the text of an item. A package URL is returned without its version.
fn unversioned(item: Option<&Item>) -> Option<String> {
    let text = says(item?)?;
    let Some((name, rest)) = text.strip_prefix("\"pkg:").and_then(|url| url.split_once('@')) else {
        return Some(text);
    };
    let qualifiers = rest.split_once('?').map_or("", |(_, qualifiers)| qualifiers);
    Some(format!("pkg:{name}?{qualifiers}"))
}

/// Puts the sections in order. A table that has no position yet follows the one before it here.
fn in_order(document: &mut DocumentMut) {
    for section in SECTIONS {
        if let Some((key, item)) = document.remove_entry(section) {
            document.insert_formatted(&key, item);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::example;
    use super::*;
    use crate::package::Purl;
    use crate::toolchain::{Image, Package};

    /// Returns the edited text, and checks that it reads as the lock.
    fn edited(lock: &Lock, text: &str) -> String {
        let edited = lock.edited(text).unwrap();
        assert_eq!(&Lock::parse(&edited, Path::new("run.lock.toml")).unwrap(), lock);
        edited
    }

    /// Returns a lock as people maintain it: with comments, unusual spaces, and no newline at the end.
    fn kept() -> String {
        let text = example().to_toml();
        let text = text.replace("[toolchains]", "# ours\n[toolchains] # versions");
        let text = text.replace("rust = \"1.95.0\"", "rust   =   '1.95.0'  # as in CI");
        let text =
            text.replace("[[image]]\ntoolchain = \"py\"", "# py\n[[image]]\ntoolchain = \"py\"");
        text + "\n# the end"
    }

    /// Returns the lines that only the second text has. Checks that the others are the same in both, in
    /// order.
    fn added<'a>(before: &str, after: &'a str) -> Vec<&'a str> {
        let mut before = before.lines().peekable();
        let new = |line: &&str| before.next_if_eq(line).is_none();
        let added: Vec<&str> = after.lines().filter(new).collect();
        assert_eq!(before.next(), None, "{after}");
        added
    }

    /// Returns the example with a toolchain that comes between its two.
    fn with_another() -> Lock {
        let mut lock = example();
        let image = Image { toolchain: "ready".to_owned(), ..lock.images[0].clone() };
        let package = Package { toolchain: "ready".to_owned(), ..lock.packages[0].clone() };
        lock.toolchains.insert("ready".to_owned(), "2".to_owned());
        lock.checksums.insert("ready".to_owned(), package.checksum());
        lock.images.insert(1, image);
        lock.packages.insert(1, package);
        lock
    }

    #[test]
    fn what_is_the_same_keeps_its_bytes() {
        assert_eq!(edited(&example(), &kept()), kept());
        assert_eq!(edited(&example(), &example().to_toml()), example().to_toml());
    }

    #[test]
    fn what_is_new_stands_in_order() {
        let (lock, before) = (with_another(), kept());
        let after = edited(&lock, &before);
        let new = [image_text(&lock.images[1]), package_text(&lock.packages[1])];
        assert!(new.iter().all(|text| after.contains(text.as_str())), "{after}");
        assert_eq!(added(&before, &after).len(), 2 + new.concat().lines().count());
        let place = |text: &str| after.find(text).unwrap_or_else(|| panic!("{text} in {after}"));
        assert!(place("py = \"1.0\"") < place("ready = \"2\""));
        assert!(place("ready = \"2\"") < place("rust   ="));
        assert_eq!(edited(&lock, &example().to_toml()), lock.to_toml());
    }

    #[test]
    fn what_is_gone_takes_its_comments_along() {
        let mut lock = example();
        lock.remove("py");
        let after = edited(&lock, &kept());
        let before = kept();
        let left = added(&after, &before);
        assert!(left.contains(&"# py") && !left.contains(&"# the end"), "{left:?}");
        assert!(after.starts_with("# What this project"), "{after}");
        assert_eq!(edited(&lock, &example().to_toml()), lock.to_toml());
    }

    #[test]
    fn a_changed_value_keeps_the_comment_beside_it() {
        let mut lock = example();
        lock.toolchains.insert("rust".to_owned(), "1.96.0".to_owned());
        lock.packages[1].purl = Purl::new("generic", "rustc", "1.96.0", &[]);
        let before = kept().replace("rustc@1.95.0\"", "rustc@1.95.0\" # the compiler");
        let after = edited(&lock, &before);
        let expect = [
            "rust   =   \"1.96.0\"  # as in CI",
            "purl = \"pkg:generic/rustc@1.96.0\" # the compiler",
        ];
        let new: Vec<&str> = after.lines().filter(|line| !before.contains(line)).collect();
        assert_eq!(new, expect);
        assert_eq!(after.lines().count(), before.lines().count());
    }

    #[test]
    fn the_order_of_the_keepers_stays() {
        let text = example().to_toml();
        let (head, images) = text.split_at(text.find("\n[[image]]").unwrap());
        let (images, packages) = images.split_at(images.find("\n[[package]]").unwrap());
        let turned =
            format!("{packages}{images}{head}").replace(&head[..head.find("\n[").unwrap()], "");
        assert_eq!(edited(&example(), &turned), turned);
        let after = edited(&with_another(), &turned);
        let count = |before: &str, after: &str| added(before, after).len();
        assert_eq!(count(&turned, &after), count(&text, &with_another().to_toml()));
    }

    #[test]
    fn packages_come_as_they_are_unpacked() {
        let mut lock = example();
        lock.packages.swap(1, 2);
        assert_eq!(edited(&lock, &example().to_toml()), lock.to_toml());
    }

    #[test]
    fn line_ends_and_other_forms_are_kept() {
        let windows = kept().replace('\n', "\r\n");
        let after = edited(&with_another(), &windows);
        assert_eq!(after.matches('\n').count(), after.matches("\r\n").count());
        assert_eq!(after.replace("\r\n", "\n"), edited(&with_another(), &kept()));
        let mut two = Lock::default();
        two.toolchains.insert("a".to_owned(), "1".to_owned());
        two.toolchains.insert("b".to_owned(), "2".to_owned());
        let check = |text: &str, expect: &str| assert_eq!(edited(&two, text), expect);
        check("toolchains = { b = '1' } # c", "toolchains = { a = \"1\", b = \"2\" } # c\n");
        check("toolchains.b = '2' # c\n", "toolchains.a = \"1\"\ntoolchains.b = '2' # c\n");
        check("# only this", "# only this\n\n[toolchains]\na = \"1\"\nb = \"2\"\n\n[checksums]\n");
        check("\u{feff}[toolchains]\na = '1'", "\u{feff}[toolchains]\na = '1'\nb = \"2\"\n");
    }

    #[test]
    fn the_short_lock_is_completed_where_it_stands() {
        let before = "[toolchains]\nrust = \"1.95.0\" # ours\npy = \"1.0\"\n";
        let after = edited(&example(), before);
        assert!(after.starts_with(&format!("{before}\n[checksums]\npy = ")), "{after}");
        let rest = after.find("\n[[image]]").map(|start| &after[start..]);
        let fresh = example().to_toml();
        assert_eq!(rest, fresh.find("\n[[image]]").map(|start| &fresh[start..]));
    }

    #[test]
    fn a_list_in_brackets_is_taken_apart() {
        let lock = with_another();
        let image =
            "image = [{ toolchain = 'py', platform = 'x86_64-linux', recipe = 'r', tree = 't' }]\n";
        let after = edited(&lock, image);
        assert_eq!(after.matches("[[image]]").count(), lock.images.len());
    }
}
