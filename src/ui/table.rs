//! Columns and folded text: the widest cell sets a column's width, the terminal that of a text.

use super::plain;

/// Rows as lines, with two spaces between columns and none after the last.
pub fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    text
}

/// The least width to which a column is cut.
const COLUMN: usize = 10;

/// Rows as lines of at most `width` columns: the first two columns, which are names, are cut in their middle as far as needed, and a
/// line that is still too long at its end.
pub fn fitted(rows: &[Vec<String>], width: usize) -> String {
    let mut rows = rows.to_vec();
    for column in [0, 1] {
        let total = |rows: &[Vec<String>]| {
            let text = columns(rows);
            text.lines()
                .map(|line| line.chars().count())
                .max()
                .unwrap_or(0)
        };
        let over = total(&rows).saturating_sub(width);
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
        let kept = widest.saturating_sub(over).max(COLUMN.min(widest));
        for cell in rows.iter_mut().filter_map(|row| row.get_mut(column)) {
            *cell = cut_in_the_middle(cell, kept);
        }
    }
    let lines = columns(&rows);
    lines.lines().map(|line| cut(line, width) + "\n").collect()
}

/// The least width of a column of texts.
const TEXT: usize = 20;

/// Rows as lines of at most `width` columns: the last column is a text, which goes on below itself. Where too little is left for it,
/// names are cut as in [`fitted`].
pub fn with_text(rows: &[Vec<String>], width: usize) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let names: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().take(count.saturating_sub(1)).cloned().collect())
        .collect();
    let names = columns(&names);
    let names: Vec<&str> = names.lines().collect();
    let widest = names.iter().map(|line| line.chars().count()).max();
    let left = width.saturating_sub(widest.unwrap_or(0) + 2);
    let fits = columns(rows)
        .lines()
        .all(|line| line.chars().count() <= width);
    if fits || left < TEXT {
        return fitted(rows, width);
    }
    let options = textwrap::Options::new(left)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .break_words(false);
    let mut text = String::new();
    for (row, names) in rows.iter().zip(names) {
        let said = row.get(count - 1).map(String::as_str).unwrap_or_default();
        for (n, line) in textwrap::wrap(said, &options).iter().enumerate() {
            let names = if n == 0 { names } else { "" };
            let at = widest.unwrap_or(0);
            let line = format!("{names:<at$}  {line}");
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    text
}

/// The width of texts: that of an 80-column terminal, and of text that is pasted into reviews.
pub const WIDTH: usize = 80;

/// A text in lines of [`WIDTH`]: the first starts with `first`, the others are indented by its length. A word is never broken:
/// the name of a cluster, a URL or a command can be copied whole.
pub fn folded(first: &str, said: &str) -> String {
    let below = " ".repeat(first.chars().count());
    let options = textwrap::Options::new(WIDTH)
        .initial_indent(first)
        .subsequent_indent(&below)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .break_words(false);
    textwrap::fill(said, options) + "\n"
}

/// What stands for the part of a text that was cut.
const CUT: &str = "..";

/// A text of one line, cut at its end to this many columns. It has no colours.
pub fn cut(text: &str, width: usize) -> String {
    let line = plain(text).replace(['\n', '\t'], " ");
    let tail = if width > CUT.len() { CUT } else { "" };
    console::truncate_str(&line, width, tail).into_owned()
}

/// A name, cut in its middle to this many characters: names that begin alike often differ at the end.
pub fn cut_in_the_middle(name: &str, width: usize) -> String {
    let name: Vec<char> = plain(name).chars().collect();
    if name.len() <= width {
        return name.into_iter().collect();
    }
    let kept = width.saturating_sub(CUT.len());
    let end = kept / 2;
    let (begin, end) = (&name[..kept - end], &name[name.len() - end..]);
    let cut: String = begin
        .iter()
        .chain(&CUT.chars().collect::<Vec<_>>())
        .chain(end)
        .collect();
    cut.chars().take(width).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_and_never_wrapped() {
        for (text, width, end, middle) in [
            ("abcdefgh", 8, "abcdefgh", "abcdefgh"),
            ("abcdefgh", 6, "abcd..", "ab..gh"),
            ("abcdefgh", 5, "abc..", "ab..h"),
            ("abcdefgh", 2, "ab", ".."),
            ("abcdefgh", 0, "", ""),
            ("", 4, "", ""),
            ("größe-größe", 7, "größe..", "grö..ße"),
        ] {
            assert_eq!(cut(text, width), end, "{text} {width}");
            assert_eq!(cut_in_the_middle(text, width), middle, "{text} {width}");
        }
        // A character may be two columns wide, and a line is one line.
        assert_eq!(cut("日本語日本語", 6), "日本..");
        assert_eq!(cut("a\nb\u{1b}[2Jc", 80), "a b\u{fffd}[2Jc");
    }

    #[test]
    fn a_table_is_fitted_to_a_width() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [
            row(["STEP", "KIND", "LIVE"]),
            row([
                "allow-ingress-gcp-health-checker",
                "kubernetes.object",
                "as wanted",
            ]),
        ];
        for (width, expected) in [
            (
                80,
                "allow-ingress-gcp-health-checker  kubernetes.object  as wanted",
            ),
            (50, "allow-ing..h-checker  kubernetes.object  as wanted"),
            (35, "allo..cker  kuber..bject  as wanted"),
            (20, "allo..cker  kube...."),
        ] {
            let text = fitted(&rows, width);
            let last = text.lines().last().unwrap();
            assert!(
                text.lines().all(|line| line.chars().count() <= width),
                "{text}"
            );
            assert_eq!(last, expected, "{width}");
        }
    }

    #[test]
    fn a_text_in_a_table_goes_on_below_itself() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [
            row(["NAME", "VALUE", "FROM"]),
            row(["zone", "us-central1-a", "remembered from the run of today"]),
            row(["nodes", "3", ""]),
        ];
        let text = with_text(&rows, 42);
        assert_eq!(
            text,
            "\
NAME   VALUE          FROM
zone   us-central1-a  remembered from the
                      run of today
nodes  3
"
        );
        assert_eq!(with_text(&rows, 60), columns(&rows));
        // Too little is left: the line is cut.
        let narrow = with_text(&rows, 30);
        assert!(narrow.lines().all(|line| line.chars().count() <= 30));
        assert_eq!(with_text(&[], 30), "");
    }

    #[test]
    fn the_widest_cell_decides() {
        let rows = [
            vec!["a".to_owned(), "bb".to_owned()],
            vec!["ccc".to_owned(), "d".to_owned()],
        ];
        assert_eq!(super::columns(&rows), "a    bb\nccc  d\n");
    }
}
