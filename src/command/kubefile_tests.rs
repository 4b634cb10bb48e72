//! Other people's kubeconfigs, and what is left of them.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::kubefile::{FIELDS, LISTS, MergeResult, merge, merge_while, merged, replace};

fn ours() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "gke_p_z_c",
        "clusters": [{"name": "gke_p_z_c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "gke_p_z_c", "user": {"exec": {"command": "/bin/provision", "args": ["token"]}}}],
        "contexts": [{"name": "gke_p_z_c", "context": {"cluster": "gke_p_z_c", "user": "gke_p_z_c"}}],
    })
}

/// As kubectl writes it, with what people add.
const THEIRS: &str = "# mine
apiVersion: v1
clusters:
- cluster:
    server: https://x # do not touch
    extensions:
    - name: minikube
      extension: {a: 1}
  name: kind
# the old one
- name: gke_p_z_c
  cluster:
    server: https://old

# the last one
- {name: flow, cluster: {server: https://y}}
contexts: []
current-context: kind # home
kind: Config
preferences: {colors: true}
users:
  - name: kind
    user:
      token: \"0123\"

      # deep
      tokenFile: |
        a
        b
";

#[test]
fn what_is_not_ours_stays_to_the_letter() {
    let (text, how) = merged(THEIRS, &ours()).unwrap();
    assert_eq!(how, MergeResult::Kept);
    let expected = THEIRS
        .replace(
            "- name: gke_p_z_c\n  cluster:\n    server: https://old\n",
            "- name: gke_p_z_c\n  cluster:\n    server: \"https://127.0.0.1:1\"\n",
        )
        .replace("contexts: []\n", "contexts:\n- name: gke_p_z_c\n  context:\n    cluster: gke_p_z_c\n    user: gke_p_z_c\n")
        .replace("current-context: kind # home\n", "current-context: gke_p_z_c\n")
        + "  - name: gke_p_z_c\n    user:\n      exec:\n        command: /bin/provision\n        args:\n        - token\n";
    let same = |text: &str| text.replace('"', "");
    assert_eq!(same(&text), same(&expected));
    let again = merged(&text, &ours()).unwrap();
    assert_eq!(again, (text, MergeResult::Kept), "twice is once");
}

#[test]
fn what_is_written_otherwise_keeps_its_content() {
    for there in [
        "{apiVersion: v1, kind: Config, clusters: [{name: k, cluster: {server: https://x}}], users: [], contexts: []}",
        "kind: Config\nclusters: [{name: k, cluster: {server: https://x}}]\n",
        "kind: Config\n\"clusters\":\n- name: k\n  cluster: {server: https://x}\n",
    ] {
        let (text, how) = merged(there, &ours()).unwrap();
        assert_eq!(how, MergeResult::Rewritten, "{text}");
        let read: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(
            read["clusters"][0],
            json!({"name": "k", "cluster": {"server": "https://x"}})
        );
        assert_eq!(read["clusters"][1], ours()["clusters"][0]);
    }
}

#[test]
fn what_is_no_kubeconfig_is_left_alone() {
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
    let told = merge(folder.path(), &ours()).unwrap_err().to_string();
    assert_eq!(told, "not a file");
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "nothing is left beside it: {names:?}");
    fs::File::create(&file).unwrap().set_len(17 << 20).unwrap();
    let told = merge(&file, &ours()).unwrap_err().to_string();
    assert!(told.contains("the limit is 16777216"), "{told}");
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
fn what_somebody_writes_meanwhile_is_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    fs::write(&file, THEIRS).unwrap();
    let theirs = THEIRS.replace("https://y", "https://z");
    let told = merge_while(&file, &ours(), || fs::write(&file, &theirs).unwrap());
    assert!(told.unwrap_err().to_string().contains("run again"));
    assert_eq!(fs::read_to_string(&file).unwrap(), theirs);
}

#[test]
fn what_is_wrong_is_told_without_what_stands_around_it() {
    let there =
        "kind: Config\nusers:\n- name: a\n  user: {token: hunter2-hunter2}\n  x: [\nclusters: []\n";
    let error = merged(there, &ours()).unwrap_err();
    for told in [error.to_string(), format!("{error:?}")] {
        assert!(!told.contains("hunter2"), "{told}");
        assert!(told.contains("line"), "{told}");
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
    // Whoever has the old one open goes on reading the old one: it was replaced, not written over.
    assert_eq!(io::read_to_string(before).unwrap(), THEIRS);
}

/// A line that may stand in a kubeconfig.
const LINE: &str = "(clusters|users|contexts|current-context|kind|apiVersion|x|  cluster|  server|  - name|- name|- cluster|---|# c|)\
    (: |:|)(Config|gke_p_z_c|kind|[a-z0-9]{0,3}|[\\[\\]{},'\"&*!|>%@`#-]{0,3}|\\[\\]|\\{a: b\\}|null|~|true| # y)";

/// What stands in a list under other names than ours.
fn others(config: &Value, list: &str) -> Vec<Value> {
    let entries = config[list].as_array().into_iter().flatten();
    entries
        .filter(|entry| entry["name"] != "gke_p_z_c")
        .cloned()
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever a file says: it is refused, or all that is not ours is in it as before, and ours with it.
    #[test]
    fn any_file_is_refused_or_kept(lines in proptest::collection::vec(LINE, 0..14), head in any::<bool>()) {
        let head = if head { "kind: Config\nclusters:\n" } else { "" };
        let there = format!("{head}{}\n", lines.join("\n"));
        if let Ok((text, _)) = merged(&there, &ours()) {
            let read: Value = serde_saphyr::from_str(&text).unwrap();
            let before: Value = serde_saphyr::from_str(&there).unwrap_or_default();
            for list in LISTS {
                prop_assert_eq!(others(&before, list), others(&read, list), "{}", &text);
                prop_assert!(read[list].as_array().unwrap().contains(&ours()[list][0]), "{}", &text);
            }
            for (field, value) in before.as_object().into_iter().flatten() {
                if !LISTS.contains(&field.as_str()) && !FIELDS.contains(&field.as_str()) {
                    prop_assert_eq!(value, &read[field]);
                }
            }
        }
    }
}
