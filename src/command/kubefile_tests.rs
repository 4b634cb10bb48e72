//! Kubeconfigs with entries of other clusters, and what a merge keeps of them.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::kubefile::{FIELDS, LISTS, merge, merge_while, merged, parse, replace};

fn ours() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "gke_p_z_c",
        "clusters": [{"name": "gke_p_z_c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "gke_p_z_c", "user": {"exec": {"command": "/bin/provision", "args": ["token"]}}}],
        "contexts": [{"name": "gke_p_z_c", "context": {"cluster": "gke_p_z_c", "user": "gke_p_z_c"}}],
    })
}

/// A kubeconfig with what kubectl writes and what users add to it.
const THEIRS: &str = "# mine
apiVersion: v1
clusters:
- cluster:
    server: https://x # do not touch
    extensions:
    - name: minikube
      extension: {a: 1, mode: 0644}
      of-a-newer-version: [1]
  name: kind
- name: gke_p_z_c
  cluster:
    server: https://old
# the last one
- {name: flow, cluster: {server: https://y}}
contexts: []
current-context: kind # home
kind: Config
preferences: {colors: yes}
of-a-newer-version: {a: null}
users:
  - name: kind
    user:
      token: \"0123\"
      as-user-extra: {b: [x], a: [y]}
      tokenFile: |
        a
        b
";

/// The text after a merge that changes something.
fn changed(old: &str) -> String {
    merged(old, &ours()).unwrap().unwrap()
}

#[test]
fn other_entries_and_unknown_fields_survive() {
    let text = changed(THEIRS);
    let mut expected = parse(THEIRS).unwrap();
    expected["clusters"][1] = ours()["clusters"][0].clone();
    expected["contexts"] = ours()["contexts"].clone();
    expected["users"]
        .as_array_mut()
        .unwrap()
        .push(ours()["users"][0].clone());
    expected["current-context"] = json!("gke_p_z_c");
    assert_eq!(parse(&text).unwrap(), expected);
    // The value of each of the odd scalars above in YAML 1.1, which kubectl reads.
    assert_eq!(expected["users"][0]["user"]["token"], "0123");
    assert_eq!(expected["users"][0]["user"]["tokenFile"], "a\nb\n");
    assert_eq!(expected["preferences"]["colors"], true);
    let extension = &expected["clusters"][0]["cluster"]["extensions"][0];
    assert_eq!(extension["extension"]["mode"], 0o644);
    assert_eq!(extension["of-a-newer-version"], json!([1]));
    // The order of entries and fields is kept, comments are not.
    let places: Vec<_> = [
        "apiVersion:",
        "name: kind",
        "name: gke_p_z_c",
        "name: flow",
        "current-context:",
        "users:",
    ]
    .iter()
    .map(|part| text.find(part).unwrap())
    .collect();
    assert!(places.is_sorted(), "{text}");
    assert!(!text.contains('#'), "{text}");
}

#[test]
fn a_file_with_the_same_content_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    fs::write(&file, THEIRS).unwrap();
    merge(&file, &ours()).unwrap();
    // A comment that is added afterwards stays, because a second merge changes nothing.
    let text = format!("# mine\n{}", fs::read_to_string(&file).unwrap());
    fs::write(&file, &text).unwrap();
    let before = fs::metadata(&file).unwrap();
    merge(&file, &ours()).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    let after = fs::metadata(&file).unwrap();
    assert_eq!(before.ino(), after.ino());
    assert_eq!(before.modified().unwrap(), after.modified().unwrap());
}

#[test]
fn the_form_of_a_file_does_not_matter() {
    for there in [
        "{apiVersion: v1, kind: Config, clusters: [{name: k, cluster: {server: https://x}}], users: [], contexts: []}",
        "kind: Config\nclusters: [{name: k, cluster: {server: https://x}}]\n",
        "kind: Config\n\"clusters\":\n- name: k\n  cluster: {server: https://x}\n",
    ] {
        let read = parse(&changed(there)).unwrap();
        assert_eq!(
            read["clusters"][0],
            json!({"name": "k", "cluster": {"server": "https://x"}})
        );
        assert_eq!(read["clusters"][1], ours()["clusters"][0]);
    }
    for empty in ["", "\n", "# only a comment\n", "---\n", "null\n"] {
        assert_eq!(parse(&changed(empty)).unwrap(), ours(), "{empty:?}");
    }
}

#[test]
fn a_file_that_is_not_a_kubeconfig_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    for there in [
        "- 1\n",
        "kind: Pod\n",
        "kind: Config\nusers: 7\n",
        "a: [\n",
        "a: 1\n---\nb: 1\n",
        "x",
    ] {
        fs::write(&file, there).unwrap();
        merge(&file, &ours()).unwrap_err();
        assert_eq!(fs::read_to_string(&file).unwrap(), there);
    }
    fs::write(&file, [0xff, 0xfe]).unwrap();
    merge(&file, &ours()).unwrap_err();
    let error = merge(folder.path(), &ours()).unwrap_err().to_string();
    assert_eq!(error, "not a file");
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "nothing is left beside it: {names:?}");
    fs::File::create(&file).unwrap().set_len(17 << 20).unwrap();
    let error = merge(&file, &ours()).unwrap_err().to_string();
    assert!(error.contains("the limit is 16777216"), "{error}");
}

#[test]
fn a_file_that_cannot_be_replaced_has_nothing_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    fs::create_dir(&file).unwrap();
    replace(&file, b"x").unwrap_err();
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[test]
fn what_another_program_writes_meanwhile_is_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    fs::write(&file, THEIRS).unwrap();
    let theirs = THEIRS.replace("https://y", "https://z");
    let error = merge_while(&file, &ours(), || fs::write(&file, &theirs).unwrap());
    assert!(error.unwrap_err().to_string().contains("run again"));
    assert_eq!(fs::read_to_string(&file).unwrap(), theirs);
}

#[test]
fn an_error_does_not_quote_the_file() {
    let there =
        "kind: Config\nusers:\n- name: a\n  user: {token: hunter2-hunter2}\n  x: [\nclusters: []\n";
    let error = merged(there, &ours()).unwrap_err();
    for text in [error.to_string(), format!("{error:?}")] {
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("line"), "{text}");
    }
}

#[test]
fn the_file_is_private_and_links_stay_links() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    merge(&at("new/kube/config"), &ours()).unwrap();
    assert_eq!(
        (mode(&at("new/kube")), mode(&at("new/kube/config"))),
        (0o700, 0o600)
    );

    fs::write(at("real"), THEIRS).unwrap();
    fs::set_permissions(at("real"), fs::Permissions::from_mode(0o644)).unwrap();
    symlink("real", at("link")).unwrap();
    symlink("nowhere yet", at("dangling")).unwrap();
    symlink("circle", at("circle")).unwrap();
    merge(&at("link"), &ours()).unwrap();
    merge(&at("dangling"), &ours()).unwrap();
    merge(&at("circle"), &ours()).unwrap_err();
    for (link, file) in [("link", "real"), ("dangling", "nowhere yet")] {
        assert_eq!(fs::read_link(at(link)).unwrap(), Path::new(file));
        assert!(
            fs::read_to_string(at(file)).unwrap().contains("gke_p_z_c"),
            "{file}"
        );
        assert_eq!(mode(&at(file)), 0o600, "{file}");
    }
}

#[test]
fn a_kill_in_the_middle_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    fs::write(&file, THEIRS).unwrap();
    let before = fs::File::open(&file).unwrap();
    merge(&file, &ours()).unwrap();
    // A program that has the old file open still reads the old one: it was replaced, not written over.
    assert_eq!(io::read_to_string(before).unwrap(), THEIRS);
}

/// A line that may occur in a kubeconfig.
const LINE: &str = "(clusters|users|contexts|current-context|kind|apiVersion|x|  cluster|  server|  - name|- name|- cluster|---|# c|)\
    (: |:|)(Config|gke_p_z_c|kind|[a-z0-9]{0,3}|[\\[\\]{},'\"&*!|>%@`#-]{0,3}|\\[\\]|\\{a: b\\}|null|~|true| # y)";

/// A string that a careless YAML writer would leave unquoted, or would cut.
const ODD: &str = "(|0|1|\\+1|-0|0123|089|0o17|0x1F|0b1|1_0|1e3|1\\.|\\.5|\\.inf|\\.nan|1:20|2001-01-01|y|n|yes|No|ON|off|true|False|~|null|\
    =|<<|-|\\?|---|%a|@a|`a|!a|&a|\\*a|#|a #b|a: b|a:|\\[a|\\{a|a,b|'a'|\"a\"| a |a  b|\ta|a\r\nb|\n\na\n\n|  a\n b|---\na|[ -~]{0,90}|\\PC{0,9}|[\u{0}-\u{ff}]{0,5})";

/// JSON in ASCII. It is YAML too, and represents each character unambiguously.
fn ascii(value: &Value) -> String {
    let mut text = String::new();
    for character in value.to_string().chars() {
        match character {
            ' '..='~' => text.push(character),
            _ => {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    text
}

/// The entries of a list under other names than ours.
fn others(config: &Value, list: &str) -> Vec<Value> {
    let entries = config[list].as_array().into_iter().flatten();
    entries
        .filter(|entry| entry["name"] != "gke_p_z_c")
        .cloned()
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Any file content is either refused, or everything that is not ours is kept and ours is added.
    #[test]
    fn any_file_is_refused_or_kept(lines in proptest::collection::vec(LINE, 0..14), head in any::<bool>()) {
        let head = if head { "kind: Config\nclusters:\n" } else { "" };
        let there = format!("{head}{}\n", lines.join("\n"));
        if let Ok(new) = merged(&there, &ours()) {
            let text = new.unwrap_or(there.clone());
            let read = parse(&text).unwrap();
            let before = parse(&there).unwrap();
            for list in LISTS {
                prop_assert_eq!(others(&before, list), others(&read, list), "{}", &text);
                prop_assert!(read[list].as_array().unwrap().contains(&ours()[list][0]), "{}", &text);
            }
            for (field, value) in before.as_object().into_iter().flatten() {
                if !LISTS.contains(&field.as_str()) && !FIELDS.contains(&field.as_str()) {
                    prop_assert_eq!(value, &read[field]);
                }
            }
            prop_assert_eq!(merged(&text, &ours()).unwrap(), None, "{}", &text);
        }
    }

    /// Strings that look like something else stay strings, as names, keys and values.
    #[test]
    fn odd_strings_survive(name in ODD, key in ODD, value in ODD, number in any::<i64>(), float in -1e15..1e15) {
        let user = json!({"name": &name, "user": {"token": value, key: [number, float, null, true]}});
        let before = json!({"kind": "Config", "users": [user]});
        let text = changed(&ascii(&before));
        let read = parse(&text).unwrap();
        prop_assert_eq!(&read["users"][0], &user, "{}", &text);
        prop_assert_eq!(merged(&text, &ours()).unwrap(), None, "{}", &text);
    }
}
