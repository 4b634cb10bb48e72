//! A terminal as far as this program uses one: it shows what was written to it as lines of text.

/// What a terminal of some width shows, from its first line on.
pub struct Vt {
    width: usize,
    rows: Vec<Vec<char>>,
    /// Of each row: whether it continues the line of the row above, which was too long.
    continues: Vec<bool>,
    row: usize,
    column: usize,
    /// The start of an escape sequence or a character whose end was not read yet.
    rest: Vec<u8>,
}

impl Vt {
    /// An empty terminal.
    pub fn new(width: usize) -> Vt {
        Vt {
            width,
            rows: vec![Vec::new()],
            continues: vec![false],
            row: 0,
            column: 0,
            rest: Vec::new(),
        }
    }

    /// Shows what was written.
    pub fn write(&mut self, bytes: &[u8]) {
        self.rest.extend(bytes);
        let whole = match std::str::from_utf8(&self.rest) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        let text = String::from_utf8(self.rest.drain(..whole).collect()).unwrap();
        let mut rest = text.as_str();
        while let Some(c) = rest.chars().next() {
            if c == '\u{1b}' {
                let Some(end) = rest.find(|c: char| c.is_ascii_alphabetic()) else {
                    self.rest.splice(0..0, rest.bytes());
                    return;
                };
                self.escape(&rest[2..end], &rest[end..=end]);
                rest = &rest[end + 1..];
            } else {
                self.put(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }

    fn escape(&mut self, number: &str, command: &str) {
        let n: usize = number.parse().unwrap_or(1);
        match command {
            "A" => self.row = self.row.saturating_sub(n),
            "B" => self.row += n,
            "C" => self.column += n,
            "D" => self.column = self.column.saturating_sub(n),
            "K" if number == "2" => {
                self.line().clear();
                let row = self.row;
                self.continues[row] = false;
            }
            "K" => {
                let column = self.column;
                self.line().truncate(column);
            }
            "m" => {}
            other => panic!("the program does not write ESC[{number}{other}"),
        }
    }

    fn put(&mut self, c: char) {
        match c {
            '\n' => self.row += 1,
            '\r' => self.column = 0,
            c => {
                if self.column == self.width {
                    self.row += 1;
                    self.column = 0;
                    self.line();
                    let row = self.row;
                    self.continues[row] = true;
                }
                let column = self.column;
                let line = self.line();
                line.resize(line.len().max(column + 1), ' ');
                line[column] = c;
                self.column += 1;
            }
        }
    }

    fn line(&mut self) -> &mut Vec<char> {
        let rows = self.rows.len().max(self.row + 1);
        self.rows.resize(rows, Vec::new());
        self.continues.resize(rows, false);
        &mut self.rows[self.row]
    }

    /// The lines that are shown, without the blanks at their ends.
    pub fn lines(&self) -> Vec<String> {
        let lines = self.rows.iter().map(|row| {
            let line: String = row.iter().collect();
            line.trim_end().to_owned()
        });
        lines.collect()
    }

    /// The lines as they were written: one that was too long for the terminal is one line.
    pub fn written_lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for (row, continues) in self.rows.iter().zip(&self.continues) {
            let text: String = row.iter().collect();
            match lines.last_mut() {
                // A line above a block is filled with blanks up to the terminal's width, and is whole.
                Some(last) if *continues && !last.ends_with(' ') => last.push_str(&text),
                _ => lines.push(text),
            }
        }
        let lines = lines.iter().map(|line| line.trim_end().to_owned());
        lines.collect()
    }
}
