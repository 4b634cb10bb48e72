//! Columns and lines for a reader: of a table the widest cell decides, of a text the terminal.

/// Rows as lines, two spaces between columns, nothing after the last.
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

/// Width of texts: what is read in an 80-column terminal and pasted into reviews.
pub const WIDTH: usize = 80;

/// A text in lines of [`WIDTH`]: the first begins with `first`, the others below the end of that. A word is never broken: a
/// cluster's name, a URL or a command is to be copied whole.
pub fn folded(first: &str, said: &str) -> String {
    let below = " ".repeat(first.chars().count());
    let options = textwrap::Options::new(WIDTH)
        .initial_indent(first)
        .subsequent_indent(&below)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .break_words(false);
    textwrap::fill(said, options) + "\n"
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_widest_cell_decides() {
        let rows = [
            vec!["a".to_owned(), "bb".to_owned()],
            vec!["ccc".to_owned(), "d".to_owned()],
        ];
        assert_eq!(super::columns(&rows), "a    bb\nccc  d\n");
    }
}
