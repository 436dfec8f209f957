//! Formats tables as plain columns, aligned by spaces, without lines and colours, so that people and `awk`
//! can read them.

/// Formats rows as aligned columns. The first row is the heading.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

/// Formats a number of bytes with a suitable unit.
pub(crate) fn size(bytes: u64) -> String {
    let units = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    match units.into_iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) if bytes < 10 * unit => {
            format!("{}.{} {name}", bytes / unit, bytes % unit / (unit / 10))
        }
        Some((name, unit)) => format!("{} {name}", bytes / unit),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let rows = [vec!["NAME", "VERSION"], vec!["componentize-py", "1"], vec!["é", "", "x"]];
        let rows = rows.map(|row| row.into_iter().map(ToOwned::to_owned).collect());
        assert_eq!(
            table(&rows),
            "NAME             VERSION\ncomponentize-py  1\né                         x\n"
        );
    }

    #[test]
    fn sizes_have_fitting_units() {
        let check = |bytes, expect: &str| assert_eq!(size(bytes), expect);
        check(0, "0 B");
        check(999, "999 B");
        check(1_940, "1.9 kB");
        check(12_345, "12 kB");
        check(741_000_000, "741 MB");
        check(3_210_000_000, "3.2 GB");
    }
}
