//! What the program is made of beside its own code: licences, origins and known exceptions, as deny.toml states them.
//!
//! `cargo deny check` says more, as it reads the database of advisories; that comes over the network, and this does not.

use std::process::Command;

use serde_json::Value;

const RULES: &str = include_str!("../../deny.toml");

/// The quoted texts of a list in deny.toml that stand behind `key`, or alone where there is none.
fn listed<'a>(list: &str, key: &str) -> Vec<&'a str> {
    let (_, rest) = RULES.split_once(&format!("\n{list} = [\n")).unwrap();
    let (rest, _) = rest.split_once("\n]").unwrap();
    rest.lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            line.split_once(key)?
                .1
                .split('"')
                .nth(usize::from(key != "\""))
        })
        .collect()
}

/// Everything that is built for the target of deny.toml, as Cargo.lock names it.
fn packages() -> Vec<Value> {
    let target = RULES
        .split_once("targets = [\"")
        .unwrap()
        .1
        .split('"')
        .next()
        .unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        .args(["--filter-platform", target])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    told["packages"].as_array().unwrap().clone()
}

/// Whether a licence expression can be met with these licences: one side of every OR, both of every AND.
fn met(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    any(&words, &mut at, allowed) && at == words.len()
}

fn any(words: &[&str], at: &mut usize, allowed: &[&str]) -> bool {
    let mut holds = all(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        holds |= all(words, at, allowed);
    }
    holds
}

fn all(words: &[&str], at: &mut usize, allowed: &[&str]) -> bool {
    let mut holds = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        holds &= one(words, at, allowed);
    }
    holds
}

fn one(words: &[&str], at: &mut usize, allowed: &[&str]) -> bool {
    let word = words.get(*at).copied().unwrap_or_default();
    *at += 1;
    if word == "(" {
        let holds = any(words, at, allowed);
        *at += 1;
        return holds;
    }
    if words.get(*at) == Some(&"WITH") {
        let name = format!("{word} WITH {}", words.get(*at + 1).unwrap_or(&""));
        *at += 2;
        return allowed.contains(&name.as_str());
    }
    allowed.contains(&word)
}

#[test]
fn licence_expressions_are_understood() {
    let allowed = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"];
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0/MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("(GPL-3.0 OR MIT) AND ISC", true),
        ("GPL-3.0 OR MIT AND GPL-2.0", false),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("Apache-2.0", false),
        ("", false),
    ] {
        assert_eq!(met(expression, &allowed), expected, "{expression}");
    }
}

#[test]
fn everything_has_a_licence_and_an_origin_that_deny_toml_allows() {
    let allowed = listed("allow", "\"");
    let allowed: Vec<&str> = allowed.iter().map(|name| name.trim_matches('"')).collect();
    assert!(
        allowed.contains(&"Apache-2.0 WITH LLVM-exception"),
        "{allowed:?}"
    );
    let banned = listed("deny", "crate = ");
    assert_eq!(banned.len(), 3);
    let packages = packages();
    assert!(packages.len() > 100);
    for package in packages {
        let text = |key: &str| package[key].as_str().unwrap_or_default();
        let name = text("name");
        assert!(
            met(text("license"), &allowed),
            "{name}: {}",
            text("license")
        );
        let ours = package["source"].is_null() && name.starts_with(env!("CARGO_PKG_NAME"));
        assert!(
            ours || text("source").starts_with("registry+"),
            "{name}: {}",
            text("source")
        );
        assert!(!banned.contains(&name), "{name} is banned");
    }
}

#[test]
fn each_exception_is_there_for_a_crate_that_is_there() {
    let ids = listed("ignore", "id = ");
    assert_eq!(ids, ["RUSTSEC-2025-0012", "RUSTSEC-2024-0384"]);
    let lock = include_str!("../../Cargo.lock");
    for reason in listed("ignore", "reason = ") {
        let name = reason.split(':').next().unwrap();
        assert!(
            lock.contains(&format!("\nname = \"{name}\"\n")),
            "{name} is gone: drop its exception"
        );
    }
}
