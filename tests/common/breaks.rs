//! Ways to break a file.

use proptest::prelude::*;
use proptest::sample::Index;

/// One way to break bytes.
#[derive(Debug, Clone)]
pub enum Break {
    Flip(Index, u8),
    Cut(Index),
    Drop(Index, Index),
    Repeat(Index, Index),
    Insert(Index, Vec<u8>),
    /// A line is gone, or stands twice, or changes places with another.
    DropLine(Index),
    RepeatLine(Index),
    SwapLines(Index, Index),
}

/// Any of them.
pub fn breaks() -> impl Strategy<Value = Break> {
    let at = any::<Index>;
    prop_oneof![
        (at(), 0u8..8).prop_map(|(at, bit)| Break::Flip(at, bit)),
        at().prop_map(Break::Cut),
        (at(), at()).prop_map(|(from, to)| Break::Drop(from, to)),
        (at(), at()).prop_map(|(from, to)| Break::Repeat(from, to)),
        (at(), proptest::collection::vec(any::<u8>(), 1..12))
            .prop_map(|(at, bytes)| Break::Insert(at, bytes)),
        at().prop_map(Break::DropLine),
        at().prop_map(Break::RepeatLine),
        (at(), at()).prop_map(|(one, other)| Break::SwapLines(one, other)),
    ]
}

impl Break {
    /// What is left of `bytes`.
    pub fn apply(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        if bytes.is_empty() {
            return bytes;
        }
        let length = bytes.len();
        let range = |one: &Index, other: &Index| {
            let (one, other) = (one.index(length), other.index(length));
            one.min(other)..one.max(other)
        };
        let mut lines: Vec<Vec<u8>> = bytes
            .split_inclusive(|b| *b == b'\n')
            .map(<[u8]>::to_vec)
            .collect();
        let count = lines.len();
        match self {
            Break::Flip(at, bit) => bytes[at.index(length)] ^= 1 << bit,
            Break::Cut(at) => bytes.truncate(at.index(length)),
            Break::Drop(from, to) => drop(bytes.drain(range(from, to))),
            Break::Repeat(from, to) => {
                let again = bytes[range(from, to)].to_vec();
                let at = range(from, to).end;
                bytes.splice(at..at, again);
            }
            Break::Insert(at, more) => {
                let at = at.index(length);
                bytes.splice(at..at, more.iter().copied());
            }
            Break::DropLine(at) => drop(lines.remove(at.index(count))),
            Break::RepeatLine(at) => lines.insert(at.index(count), lines[at.index(count)].clone()),
            Break::SwapLines(one, other) => lines.swap(one.index(count), other.index(count)),
        }
        match self {
            Break::DropLine(_) | Break::RepeatLine(_) | Break::SwapLines(..) => lines.concat(),
            _ => bytes,
        }
    }
}
