//! A Kubernetes object that a step wants: a file in `manifests/`, or written in the step itself. Pure.
//!
//! Which objects exist and what their fields mean is known to the cluster, not here. This module only locates an object: its
//! version, kind, namespace and name become part of the step's `at`, so that a later chapter's version of an object replaces the
//! earlier one, in whichever way each is written.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::diagnostic::{Diagnostics, unknown};
use super::fields::Fields;
use super::yaml::{Node, Tree};
use super::{SourceLocation, Step};

/// The folder beside the chapters that contains the objects.
pub(super) const FOLDER: &str = "manifests";

/// The fields that an object sets itself and that `at` must not repeat.
const OWN: &[&str] = &["apiVersion", "kind", "name"];

/// The objects by the name that steps use, `manifests/NAME.yaml`; none for a file with an error.
#[derive(Debug, Default)]
pub(super) struct Manifests(BTreeMap<String, Option<Value>>);

impl Manifests {
    /// Adds a file's object. `documents` is none if the file is not YAML, which has been reported.
    pub fn add(
        &mut self,
        name: &str,
        shown: &str,
        documents: Option<&[Node]>,
        diagnostics: &mut Diagnostics,
    ) {
        let object = documents.and_then(|documents| read(shown, documents, diagnostics));
        self.0.insert(name.to_owned(), object);
    }

    /// The object that a step names in `from`; none, and an error, if there is no such object.
    pub fn named(&self, name: &str, line: usize, fields: &mut Fields<'_>) -> Option<Value> {
        if let Some(object) = self.0.get(name) {
            return object.clone();
        }
        let told = if is_name(name) {
            unknown("manifest", name, self.0.keys().map(String::as_str))
        } else {
            format!(
                "`{name}` is not a file in the folder `{FOLDER}`, such as {FOLDER}/gateway.yaml"
            )
        };
        fields.complain(line, told);
        None
    }
}

/// Whether a file's name is that of an object: directly in the folder.
pub(super) fn is_name(name: &str) -> bool {
    name.split_once('/')
        .is_some_and(|(folder, file)| folder == FOLDER && !file.is_empty() && !file.contains('/'))
}

/// The one object of a file, if `kubectl apply -f` would accept it.
fn read(shown: &str, documents: &[Node], diagnostics: &mut Diagnostics) -> Option<Value> {
    let place = |line| SourceLocation {
        file: shown.to_owned(),
        line,
    };
    let [document] = documents else {
        match documents.get(1) {
            None => diagnostics.add(&place(1), "an empty file"),
            Some(second) => diagnostics.add(&place(second.line), "a file must contain one object"),
        }
        return None;
    };
    if !matches!(document.tree, Tree::Map(_)) {
        let told = format!(
            "an object must be a mapping of fields, but this is {}",
            document.is_a()
        );
        diagnostics.add(&place(document.line), told);
        return None;
    }
    let before = diagnostics.0.len();
    document.texts(&mut |line, text, _| {
        if text.contains("${") {
            let told =
                format!("`{text}`: an object with references must be in its step, as `want`");
            diagnostics.add(&place(line), told);
        }
    });
    let object = document.value();
    for field in ["/apiVersion", "/kind", "/metadata/name"] {
        if text_at(&object, field).is_none() {
            let name = field[1..].replace('/', ".");
            diagnostics.add(&place(document.line), format!("missing field `{name}`"));
        }
    }
    (diagnostics.0.len() == before).then_some(object)
}

/// Copies the location of an object into `at`, and the namespace of `at` into an object that has none, as `kubectl -n` does. A
/// value that is not an object is unchanged. Returns the errors.
pub(super) fn locate(at: &mut Map<String, Value>, want: &mut Value) -> Vec<String> {
    let own: Vec<Value> = ["/apiVersion", "/kind", "/metadata/name"]
        .iter()
        .filter_map(|field| text_at(want, field).map(Value::from))
        .collect();
    if own.len() < OWN.len() {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    for (key, value) in OWN.iter().zip(own) {
        if at.insert((*key).to_owned(), value).is_some() {
            wrong.push(format!(
                "`{key}` comes from the object, so `at` cannot contain it"
            ));
        }
    }
    let inside = text_at(want, "/metadata/namespace").map(str::to_owned);
    match (inside, at.get("namespace")) {
        (Some(inside), None) => {
            at.insert("namespace".to_owned(), inside.into());
        }
        (None, Some(outside)) => want["metadata"]["namespace"] = outside.clone(),
        (Some(inside), Some(outside)) if outside.as_str() != Some(&inside) => wrong.push(format!(
            "the object is in namespace `{inside}`, but `at` has {outside}"
        )),
        _ => {}
    }
    wrong
}

/// The first identifying field in which `patched` differs from `object`. None if `object` is not a Kubernetes object.
pub(super) fn moved(object: &Value, patched: &Value) -> Option<&'static str> {
    let fields = ["apiVersion", "kind", "metadata.name", "metadata.namespace"];
    let pointers = fields.map(|field| format!("/{}", field.replace('.', "/")));
    let is_object = pointers[..OWN.len()]
        .iter()
        .all(|pointer| text_at(object, pointer).is_some());
    let mut both = fields.into_iter().zip(&pointers);
    let differs = both.find(|(_, pointer)| object.pointer(pointer) != patched.pointer(pointer));
    differs.map(|(field, _)| field).filter(|_| is_object)
}

/// Reports an object that two steps declare in two versions of its API. To the cluster it is one object, and the later step would
/// not replace the earlier one.
pub(super) fn one_version<'a>(
    steps: impl IntoIterator<Item = &'a Step>,
    diagnostics: &mut Diagnostics,
) {
    let mut first: BTreeMap<String, (&str, &Step)> = BTreeMap::new();
    for step in steps {
        let Some(version) = step.at.get("apiVersion").and_then(Value::as_str) else {
            continue;
        };
        // `apps` for `apps/v1`, empty for `v1`.
        let group = version.split_once('/').map_or("", |(group, _)| group);
        let mut rest: Vec<String> = step
            .at
            .iter()
            .filter(|(key, _)| *key != "apiVersion")
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        rest.sort();
        let (earlier, of) = *first
            .entry(format!("{} {group} {}", step.kind, rest.join(" ")))
            .or_insert((version, step));
        if earlier != version {
            let told = format!(
                "the object of step `{}` has another version: `{version}` here, `{earlier}` there",
                of.id
            );
            diagnostics.add(&step.source, told);
        }
    }
}

fn text_at<'a>(object: &'a Value, field: &str) -> Option<&'a str> {
    object
        .pointer(field)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{FIRST, PARAMS, of_texts};
    use serde_json::{Value, json};

    const GATEWAY: &str =
        "apiVersion: g/v1\nkind: Gateway\nmetadata:\n  name: out\n  namespace: n\nspec: {a: 1}\n";
    const ACCOUNT: &str =
        "# Whose?\napiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: test\n";

    fn load(steps: &str, manifests: &[(&str, &str)]) -> Result<super::super::Tutorial, String> {
        let second = format!("chapter: second\ntitle: t\nsays: s\n---\n{steps}");
        let mut files = vec![
            ("10-first.yaml", FIRST),
            ("20-second.yaml", second.as_str()),
            ("params.yaml", PARAMS),
        ];
        files.extend(manifests);
        of_texts(&files).map_err(|diagnostics| diagnostics.to_string())
    }

    fn step(lines: &str) -> String {
        format!("step: b\nsays: s\nkind: k\n{lines}\n")
    }

    #[test]
    fn where_an_object_is_comes_from_the_object() {
        // (lines of the step; kind, namespace and name of its `at`; namespace in the object)
        for (lines, at, namespace) in [
            ("from: manifests/gateway.yaml", "Gateway n/out", "n"),
            (
                "from: manifests/gateway.yaml\nat: {namespace: n}",
                "Gateway n/out",
                "n",
            ),
            ("from: manifests/account.yaml", "ServiceAccount -/test", "-"),
            (
                "from: manifests/account.yaml\nat: {namespace: team}",
                "ServiceAccount team/test",
                "team",
            ),
            (
                "at: {namespace: team}\n\
                 want: {apiVersion: v1, kind: ServiceAccount, metadata: {name: \"x-${param.mode}\"}}",
                "ServiceAccount team/x-${param.mode}",
                "team",
            ),
            // A value without a version or a name is not an object.
            ("want: {kind: dns, metadata: {name: x}}", "- -/-", "-"),
            (
                "at: {name: y}\nwant: {apiVersion: v1, kind: x}",
                "- -/y",
                "-",
            ),
        ] {
            let manifests = [
                ("manifests/account.yaml", ACCOUNT),
                ("manifests/gateway.yaml", GATEWAY),
            ];
            let tutorial = load(&step(lines), &manifests).unwrap();
            let found = tutorial.steps().find(|step| step.id == "b").unwrap();
            let text =
                |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or("-").to_owned();
            let is = ["kind", "namespace", "name"].map(|key| text(found.at.get(key)));
            assert_eq!(format!("{} {}/{}", is[0], is[1], is[2]), at, "{lines}");
            let inside = text(found.want.pointer("/metadata/namespace"));
            assert_eq!(inside, namespace, "{lines}");
        }
    }

    #[test]
    fn what_a_step_writes_beside_a_file_is_merged_over_it() {
        let file = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: n\n  labels: {team: x, old: a}\nspec: [1, 2]\n";
        for (written, expected) in [
            (
                "want: {metadata: {labels: {old: null, new: \"${param.mode}\"}}}",
                json!({"metadata": {"name": "n", "labels": {"team": "x", "new": "${param.mode}"}}, "spec": [1, 2]}),
            ),
            (
                "want: {spec: [3], status: {deep: {er: true}}}",
                json!({"metadata": {"name": "n", "labels": {"team": "x", "old": "a"}}, "spec": [3], "status": {"deep": {"er": true}}}),
            ),
        ] {
            let lines = step(&format!("{written}\nfrom: manifests/a.yaml"));
            let tutorial = load(&lines, &[("manifests/a.yaml", file)]).unwrap();
            let found = tutorial.steps().find(|step| step.id == "b").unwrap();
            let mut want = expected;
            want["apiVersion"] = "v1".into();
            want["kind"] = "Namespace".into();
            assert_eq!(found.want, want, "{written}");
            assert_eq!(found.at["name"], "n");
        }
    }

    #[test]
    fn one_file_is_many_objects() {
        let steps = "step: x\nsays: s\nkind: k\nat: {namespace: x}\nfrom: manifests/a.yaml\n---\n\
            step: y\nsays: s\nkind: k\nat: {namespace: y}\nfrom: manifests/a.yaml\n";
        let tutorial = load(steps, &[("manifests/a.yaml", ACCOUNT)]).unwrap();
        let namespaces: Vec<&str> = tutorial
            .steps()
            .filter_map(|step| step.want["metadata"]["namespace"].as_str())
            .collect();
        assert_eq!(namespaces, ["x", "y"]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let from = "from: manifests/a.yaml";
        let elsewhere = "is not a file in the folder `manifests`, such as manifests/gateway.yaml";
        // (lines of the step, from line 8; text of the file; expected message: `2` is the chapter, `a` the file)
        for (lines, object, told) in [
            (
                "from: manifests/b.yaml",
                GATEWAY,
                "2:8: unknown manifest `manifests/b.yaml`, did you mean `manifests/a.yaml`?",
            ),
            (
                "from: ../a.yaml",
                GATEWAY,
                &format!("2:8: `../a.yaml` {elsewhere}"),
            ),
            (
                "from: manifests/../10-first.yaml",
                GATEWAY,
                &format!("2:8: `manifests/../10-first.yaml` {elsewhere}"),
            ),
            (
                "from: [a]",
                GATEWAY,
                "2:8: `from` must be a string, but this is a list",
            ),
            (
                "want: x\nfrom: manifests/a.yaml",
                GATEWAY,
                "2:8: `want` must be a mapping, but this is a string",
            ),
            (
                "want: {metadata: {labels: {a: \"${c.d}\"}}}\nfrom: manifests/a.yaml",
                GATEWAY,
                "2:8: unknown step `c`",
            ),
            (
                "from: manifests/a.yaml\nat: {namespace: m}",
                GATEWAY,
                "2:9: the object is in namespace `n`, but `at` has \"m\"",
            ),
            (
                "from: manifests/a.yaml\nat: {name: out}",
                GATEWAY,
                "2:9: `name` comes from the object, so `at` cannot contain it",
            ),
            (from, "", "a:1: an empty file"),
            (
                from,
                "- a\n",
                "a:1: an object must be a mapping of fields, but this is a list",
            ),
            (
                from,
                "a: 1\n---\nb: 2\n",
                "a:3: a file must contain one object",
            ),
            (
                from,
                "kind: x\nmetadata: {name: y}\n",
                "a:1: missing field `apiVersion`",
            ),
            (
                from,
                "apiVersion: v1\nkind: List\nitems: []\n",
                "a:1: missing field `metadata.name`",
            ),
            (
                from,
                "apiVersion: v1\nkind: x\nmetadata:\n  name: \"${a.b}\"\n",
                "a:4: `${a.b}`: an object with references must be in its step, as `want`",
            ),
            (from, "a: [\n", "a:1: unsupported YAML: unclosed"),
        ] {
            let found = load(&step(lines), &[("manifests/a.yaml", object)])
                .unwrap_err()
                .replace("steps/20-second.yaml", "2")
                .replace("steps/manifests/a.yaml", "a");
            assert!(found.starts_with(told), "{lines}: {found}");
            assert_eq!(found.lines().count(), 1, "{lines}: {found}");
        }
    }

    #[test]
    fn an_object_has_one_version() {
        let again = |version: &str, name: &str| {
            format!(
                "{}at: {{cluster: c}}\nfrom: manifests/a.yaml\n---\nstep: c\nsays: s\nkind: k\nat: {{cluster: c}}\n\
                 want: {{apiVersion: {version}, kind: Gateway, metadata: {{name: {name}, namespace: n}}}}\n",
                step("")
            )
        };
        let manifests = [("manifests/a.yaml", GATEWAY)];
        for (version, name) in [
            ("g/v1", "out"),
            ("g/v2", "in"),
            ("h/v2", "out"),
            ("v2", "out"),
        ] {
            assert!(load(&again(version, name), &manifests).is_ok(), "{version}");
        }
        assert_eq!(
            load(&again("g/v2", "out"), &manifests).unwrap_err(),
            "steps/20-second.yaml:12: the object of step `b` has another version: `g/v2` here, `g/v1` there"
        );
    }
}
