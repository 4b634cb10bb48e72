//! Columns and folded text: the widest cell sets a column's width, the terminal that of a text.

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
