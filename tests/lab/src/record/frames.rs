//! What a server says over a WebSocket, as messages. Compression is not asked for by those who run programs in pods, and is not read.

use serde_json::{Value, json};

/// The messages of a server's stream of bytes: the channel, and what came by it, in pieces joined. A message that tells how a
/// program ended is JSON and is given as such. What is cut off in its middle is left out.
pub fn messages(mut bytes: &[u8]) -> Vec<Value> {
    let mut channels: Vec<(u8, Vec<u8>)> = Vec::new();
    let mut closed = None;
    while let Some((opcode, payload, rest)) = frame(bytes) {
        bytes = rest;
        match (opcode, payload) {
            (8, [high, low, ..]) => closed = Some(u16::from_be_bytes([*high, *low])),
            // Text, binary, or more of either.
            (0..=2, [channel, rest @ ..]) => {
                match channels.iter_mut().find(|(known, _)| known == channel) {
                    Some((_, text)) => text.extend_from_slice(rest),
                    None => channels.push((*channel, rest.to_vec())),
                }
            }
            _ => {}
        }
    }
    channels.sort_by_key(|(channel, _)| *channel);
    let told = channels.into_iter().map(|(channel, text)| {
        let text = match channel {
            3 => super::readable(&text),
            _ => String::from_utf8_lossy(&text).into(),
        };
        json!({"channel": channel, "said": text})
    });
    told.chain(closed.map(|code| json!({"closed": code})))
        .collect()
}

/// The first frame: its opcode, its payload, what follows it. A server's frames are not masked.
fn frame(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[first, second], rest) = bytes.split_first_chunk()?;
    let (length, rest) = match second & 0x7f {
        126 => {
            let (length, rest) = rest.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        127 => {
            let (length, rest) = rest.split_first_chunk()?;
            (usize::try_from(u64::from_be_bytes(*length)).ok()?, rest)
        }
        length => (usize::from(length), rest),
    };
    let (payload, rest) = rest.split_at_checked(length)?;
    Some((first & 0x0f, payload, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_a_channel_are_joined_and_the_end_is_read() {
        let long = [&[0x82, 126, 1, 1, 1][..], &[b'x'; 256]].concat();
        let bytes = [
            &[0x82, 3, 1, b'o', b'k'][..],
            &[0x82, 2, 1, b'!'],
            &[0x82, 3, 3, b'{', b'}'],
            &[0x88, 2, 3, 232],
            &[0x82, 9, 1],
        ]
        .concat();
        assert_eq!(
            Value::from(messages(&bytes)),
            json!([{"channel": 1, "said": "ok!"}, {"channel": 3, "said": {}}, {"closed": 1000}])
        );
        assert_eq!(messages(&long)[0]["said"].as_str().map(str::len), Some(256));
        assert_eq!(messages(&[0x82]), Vec::<Value>::new());
    }
}
