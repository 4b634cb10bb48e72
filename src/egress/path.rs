//! The path of a request as a proxy normalizes it before routes and policies see it (`meshConfig.pathNormalization`).
//!
//! Characters that a URL has to escape and that the caller did not escape are left as they are.

use serde::Serialize;

/// `pathNormalization.normalization`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
pub enum PathNormalization {
    /// Nothing is changed.
    None,
    /// Dot segments are resolved, backslashes are slashes, and escaped unreserved characters are decoded (RFC 3986). Istio's
    /// default.
    #[default]
    Base,
    /// [`PathNormalization::Base`], and adjacent slashes are one.
    MergeSlashes,
    /// [`PathNormalization::MergeSlashes`], after escaped slashes and backslashes are decoded.
    DecodeAndMergeSlashes,
}

impl PathNormalization {
    /// Parses the name of MeshConfig; `None` for any other name.
    pub fn named(name: &str) -> Option<PathNormalization> {
        match name {
            "NONE" => Some(PathNormalization::None),
            "" | "DEFAULT" | "BASE" => Some(PathNormalization::Base),
            "MERGE_SLASHES" => Some(PathNormalization::MergeSlashes),
            "DECODE_AND_MERGE_SLASHES" => Some(PathNormalization::DecodeAndMergeSlashes),
            _ => None,
        }
    }

    /// A path, with its query unchanged.
    pub fn of(self, path: &str) -> String {
        let end = path.find(['?', '#']).unwrap_or(path.len());
        let (bare, rest) = path.split_at(end);
        let slashes = |byte: u8| matches!(byte, b'/' | b'\\');
        let bare = match self {
            PathNormalization::None => return path.to_owned(),
            PathNormalization::DecodeAndMergeSlashes => decoded(bare, slashes),
            _ => bare.to_owned(),
        };
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let bare = without_dots(&decoded(&bare, unreserved).replace('\\', "/"));
        match self {
            PathNormalization::Base | PathNormalization::None => bare + rest,
            _ => merged(&bare) + rest,
        }
    }
}

/// The escaped characters that `wanted` accepts, decoded; all others unchanged.
fn decoded(path: &str, wanted: impl Fn(u8) -> bool) -> String {
    let mut found = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        found.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 3);
        let digits = code.filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let byte = digits.and_then(|code| u8::from_str_radix(code, 16).ok());
        match byte.filter(|byte| wanted(*byte)) {
            Some(byte) => {
                found.push(char::from(byte));
                rest = &rest[at + 3..];
            }
            None => {
                found.push('%');
                rest = &rest[at + 1..];
            }
        }
    }
    found.push_str(rest);
    found
}

/// A path without `.` and `..`.
fn without_dots(path: &str) -> String {
    if !path.split('/').any(|part| matches!(part, "." | "..")) {
        return path.to_owned();
    }
    let mut parts: Vec<&str> = Vec::new();
    let all: Vec<&str> = path.split('/').skip(1).collect();
    for (at, part) in all.iter().enumerate() {
        let last = at + 1 == all.len();
        match *part {
            "." | ".." => {
                if *part == ".." {
                    parts.pop();
                }
                if last {
                    parts.push("");
                }
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// A path in which adjacent slashes are one.
fn merged(path: &str) -> String {
    let mut before = ' ';
    let keep = |each: &char| {
        let twice = before == '/' && *each == '/';
        before = *each;
        !twice
    };
    path.chars().filter(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalized_as_the_mesh_says() {
        use PathNormalization::{Base, DecodeAndMergeSlashes, MergeSlashes, None};
        // (normalization, path, normalized)
        let cases = [
            (Base, "/status/418?x=%61", "/status/418?x=%61"),
            (Base, "/%73ecret", "/secret"),
            (Base, "/%61dmin#a", "/admin#a"),
            (Base, "/%7euser/%2D", "/~user/-"),
            (Base, "/a/./b/../c", "/a/c"),
            (Base, "/../../x", "/x"),
            (Base, "/a/..", "/"),
            (Base, "/%2e%2e/x", "/x"),
            (Base, "/a\\b", "/a/b"),
            (Base, "//status/418", "//status/418"),
            (Base, "/a%2Fb", "/a%2Fb"),
            (Base, "/%zz%2", "/%zz%2"),
            (Base, "/%é", "/%é"),
            (Base, "", ""),
            (None, "/%73ecret/..", "/%73ecret/.."),
            (MergeSlashes, "//a///b?x=//", "/a/b?x=//"),
            (MergeSlashes, "/a%2f%2fb", "/a%2f%2fb"),
            (DecodeAndMergeSlashes, "/a%2f%5Cb", "/a/b"),
        ];
        for (normalization, path, expected) in cases {
            assert_eq!(normalization.of(path), expected, "{normalization:?} {path}");
        }
    }
}
