//! Checksums as storage prints them, and its etags.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};

/// `md5Hash`: base64 of the MD5.
pub fn md5(bytes: &[u8]) -> String {
    STANDARD.encode(Md5::digest(bytes))
}

/// `crc32c`: base64 of the CRC-32 after Castagnoli, most significant byte first.
pub fn crc32c(bytes: &[u8]) -> String {
    let sum = bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            if sum & 1 == 1 {
                (sum >> 1) ^ 0x82f6_3b78
            } else {
                sum >> 1
            }
        })
    });
    STANDARD.encode((!sum).to_be_bytes())
}

/// An etag: a message of numbers (field, value) in the encoding of protocol buffers, in base64.
pub fn etag(fields: &[(u8, u64)]) -> String {
    let mut message = Vec::new();
    for (field, value) in fields {
        message.push(field << 3);
        let mut rest = *value;
        while rest >= 0x80 {
            message.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        message.push(rest as u8);
    }
    STANDARD.encode(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_the_published_ones() {
        // RFC 1321 and RFC 3720, appendix B.4.
        assert_eq!(md5(b""), "1B2M2Y8AsgTpgAmY7PhCfg==");
        assert_eq!(
            crc32c(b"123456789"),
            STANDARD.encode(0xe306_9283_u32.to_be_bytes())
        );
        assert_eq!(
            crc32c(&[0; 32]),
            STANDARD.encode(0x8a91_36aa_u32.to_be_bytes())
        );
    }

    #[test]
    fn etags_are_those_of_real_buckets() {
        assert_eq!(etag(&[(1, 1)]), "CAE=");
        assert_eq!(etag(&[(1, 2)]), "CAI=");
        assert_eq!(etag(&[(1, 300)]), STANDARD.encode([8, 0xac, 2]));
    }
}
