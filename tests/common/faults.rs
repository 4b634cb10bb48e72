//! In what a row or a policy disagrees with Google's discovery document: each fault a sentence.

use provision::google::Dialect;
use provision::kinds::iam_policy::{IamPolicyMethods, IamPolicySpec};
use provision::kinds::resource_spec::{
    CreateMethod, DesiredField, ListSemantics, NameIn, ParentCreate, ResourceSpec, UpdateMethod,
};
use provision::kinds::resource_table::ROWS;

use super::methods::{Document, Method, full, shape};

/// Everything in which a row and its document disagree.
pub fn of_row(row: &ResourceSpec) -> Vec<String> {
    let document = match Document::of(row.api, row.path) {
        Ok(document) => document,
        Err(error) => return vec![error],
    };
    let Some(get) = document.method(row.collection, &["get"]) else {
        return vec![format!("no collection {} with a get", row.collection)];
    };
    let mut faults = Vec::new();
    let mut must = |holds: bool, says: String| {
        if !holds {
            faults.push(says);
        }
    };
    let own = shape(&full(row.api, row.path));
    must(
        document.path(&get) == own,
        format!("get is at {}, not {own}", document.path(&get)),
    );
    let (above, _) = own.rsplit_once('/').unwrap_or_default();

    // What each verb of the row needs of its method: names, HTTP verb, path, parameters.
    type Needs<'a> = (&'a str, (&'a [&'a str], &'a str, &'a str), &'a [&'a str]);
    let patch: (&[&str], _, _) = (&["patch"], "PATCH", own.as_str());
    let mut methods: Vec<Needs<'_>> = Vec::new();
    match row.create {
        CreateMethod::Post { .. } => {
            methods.push(("create", (&["insert", "create"], "POST", above), &[]))
        }
        CreateMethod::PatchAllowMissing => {
            methods.push(("create", patch, &["allowMissing", "updateMask"]))
        }
        CreateMethod::Never => {}
    }
    match row.update {
        UpdateMethod::Patch => methods.push(("update", patch, &[])),
        UpdateMethod::PatchMask => methods.push(("update", patch, &["updateMask"])),
        UpdateMethod::Desired(_) => methods.push(("update", (&["update"], "PUT", &own), &[])),
        UpdateMethod::PerField(_) => methods.push(("update", (&["update"], "PUT", &own), &[])),
        UpdateMethod::Never => {}
    }
    methods.push(("delete", (&["delete"], "DELETE", &own), &[]));
    for (what, (names, verb, path), needs) in methods {
        let Some(method) = document.method(row.collection, names) else {
            must(false, format!("{what}: no method {}", names.join(" or ")));
            continue;
        };
        must(
            method.verb() == verb,
            format!("{what} is {}, not {verb}", method.verb()),
        );
        must(
            document.path(&method) == path,
            format!("{what} is at {}, not {path}", document.path(&method)),
        );
        for parameter in needs {
            must(
                method.takes(parameter),
                format!("{what} takes no {parameter}"),
            );
        }
        must(
            method.takes("requestId") == row.request_id,
            format!(
                "{what}: requestId is {}",
                if row.request_id { "not taken" } else { "taken" }
            ),
        );
        if what == "create" {
            for fault in creation(row, &document, &method) {
                must(false, fault);
            }
        }
        let updates = match (row.update, what) {
            (UpdateMethod::Desired(updates), "update") => updates,
            _ => &[],
        };
        for DesiredField { field, desired } in updates {
            let path = format!("update.{desired}");
            let (have, want) = (
                document.field(method.request(), &path),
                document.field(get.response(), field),
            );
            must(have.is_some(), format!("update has no {desired}"));
            must(
                have.map(|f| &f["$ref"]) == want.map(|f| &f["$ref"]),
                format!("{desired} is no {field}"),
            );
        }
    }
    faults.extend(single_fields(row, &document, get.response()));
    faults.extend(fields(row, &document, get.response()));
    faults.extend(templates(row));
    faults
}

/// Each field that has a request of its own: its method, and its place in the resource and in the request.
fn single_fields(row: &ResourceSpec, document: &Document, resource: &str) -> Vec<String> {
    let UpdateMethod::PerField(updates) = row.update else {
        return Vec::new();
    };
    let mut faults = Vec::new();
    for one in updates {
        let name = one.method.unwrap_or("update");
        let Some(method) = document.method(row.collection, &[name]) else {
            faults.push(format!("{}: no method {name}", one.field));
            continue;
        };
        let own = shape(&full(row.api, row.path));
        let (verb, path) = match one.method {
            Some(name) => ("POST", format!("{own}:{name}")),
            None => ("PUT", own),
        };
        if method.verb() != verb || document.path(&method) != path {
            let (verb, path) = (method.verb(), document.path(&method));
            faults.push(format!("{}: {name} is {verb} {path}", one.field));
        }
        let (have, want) = (
            document.field(method.request(), one.body),
            document.field(resource, one.field),
        );
        let is_same = have.is_some() && have.map(|f| &f["type"]) == want.map(|f| &f["type"]);
        if !is_same {
            faults.push(format!("{} is no {}", one.body, one.field));
        }
    }
    faults
}

/// Where the name goes, what wraps the resource, and how the answer says "not yet".
fn creation(row: &ResourceSpec, document: &Document, create: &Method<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    if let CreateMethod::Post { id, wrap, query } = &row.create {
        let inner = wrap.map_or(String::new(), |wrap| format!("{wrap}."));
        let in_body = |path: &str| document.field(create.request(), path).is_some();
        let (there, what) = match id {
            NameIn::Query(parameter) => {
                (create.takes(parameter), format!("no parameter {parameter}"))
            }
            NameIn::Field(field) => (
                in_body(&format!("{inner}{field}")),
                format!("no field {inner}{field}"),
            ),
            NameIn::Beside(field) => (in_body(field), format!("no field {field}")),
        };
        let wrapped = wrap.is_none_or(in_body);
        let asked = query.iter().find(|(parameter, _)| !create.takes(parameter));
        faults.extend((!there).then(|| format!("create: {what}")));
        faults.extend((!wrapped).then(|| format!("create: no field {}", wrap.unwrap_or_default())));
        faults.extend(asked.map(|(parameter, _)| format!("create takes no {parameter}")));
    }
    // Each dialect has an Operation of its own API; an answer that is the resource itself needs none.
    let fits = match row.dialect {
        None => create.response() != "Operation",
        Some(Dialect::Compute) => create.response() == "Operation" && row.api.name() == "compute",
        Some(Dialect::Container) => {
            create.response() == "Operation" && row.api.name() == "container"
        }
        Some(Dialect::LongRunning) => document.field(create.response(), "done").is_some(),
        Some(Dialect::DnsChange) => false,
    };
    faults.extend((!fits).then(|| {
        format!(
            "create answers {}, not {:?}",
            create.response(),
            row.dialect
        )
    }));
    faults
}

/// Every field that the row names is in the resource, and is what the row takes it for.
fn fields(row: &ResourceSpec, document: &Document, resource: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let field = |path: &str| document.field(resource, path);
    let is_list = |path: &str| field(path).is_some_and(|field| field["type"] == "array");
    let settled = row
        .settled
        .iter()
        .flat_map(|settled| [Some(settled.field), settled.why].into_iter().flatten());
    let desired = match row.update {
        UpdateMethod::Desired(updates) => updates,
        _ => &[],
    };
    let desired = desired.iter().map(|one| one.field);
    let named = row
        .fixed
        .iter()
        .chain(row.outputs)
        .chain(row.carries)
        .copied()
        .chain(settled)
        .chain(desired);
    faults.extend(
        named
            .filter(|path| field(path).is_none())
            .map(|path| format!("no field {path}")),
    );
    // A read-only field is nothing that a step could want.
    let stated = row
        .fixed
        .iter()
        .filter(|path| field(path).is_some_and(|field| field["readOnly"] == true));
    faults.extend(stated.map(|path| format!("{path} is read-only")));
    for (path, rule) in row.lists {
        faults.extend((!is_list(path)).then(|| format!("{path} is no list")));
        if let ListSemantics::Keyed(key) = rule {
            let path = format!("{path}.{key}");
            faults.extend(field(&path).is_none().then(|| format!("no field {path}")));
        }
    }
    faults.extend(
        row.allow_list
            .filter(|path| !is_list(path))
            .map(|path| format!("{path} is no list")),
    );
    if let Some(settled) = &row.settled {
        let known = field(settled.field).map(|field| &field["enum"]);
        let known: Vec<&str> = known
            .and_then(|v| v.as_array())
            .into_iter()
            .flatten()
            .filter_map(|v| v.as_str())
            .collect();
        let strange = settled
            .good
            .iter()
            .chain(settled.degraded)
            .chain(settled.changing)
            .chain(settled.bad)
            .filter(|value| !known.contains(value));
        faults.extend(strange.map(|value| format!("{} is never {value}", settled.field)));
    }
    if let Some(ParentCreate { parent, field }) = &row.inside {
        let holds = ROWS
            .iter()
            .find(|row| row.kind == *parent)
            .and_then(|parent| {
                let document = Document::of(parent.api, parent.path).ok()?;
                let get = document.method(parent.collection, &["get"])?;
                Some(document.field(get.response(), field)?["items"]["$ref"] == resource)
            });
        faults.extend(
            (holds != Some(true)).then(|| format!("{parent} has no list {field} of {resource}")),
        );
    }
    faults
}

/// Locks and query parameters are filled from the same `at` as the path.
fn templates(row: &ResourceSpec) -> Vec<String> {
    let keys = |template: &str| -> Vec<String> {
        let parts = template
            .split('{')
            .skip(1)
            .filter_map(|part| part.split_once('}'));
        parts.map(|(key, _)| key.to_owned()).collect()
    };
    let known = keys(row.path);
    let strange = row
        .lock
        .map(keys)
        .unwrap_or_default()
        .into_iter()
        .filter(|key| !known.contains(key));
    strange
        .map(|key| format!("the lock's {key} is not in the path"))
        .collect()
}

/// Everything in which a policy and its document disagree.
pub fn of_policy(policy: &IamPolicySpec) -> Vec<String> {
    let document = match Document::of(policy.api, policy.path) {
        Ok(document) => document,
        Err(error) => return vec![error],
    };
    let own = shape(&full(policy.api, policy.path));
    let ((reads, read), (writes, write)) = match policy.dialect {
        IamPolicyMethods::Body | IamPolicyMethods::Query => {
            (("POST", ":getIamPolicy"), ("POST", ":setIamPolicy"))
        }
        IamPolicyMethods::Compute => (("GET", "/getIamPolicy"), ("POST", "/setIamPolicy")),
        IamPolicyMethods::Storage => (("GET", "/iam"), ("PUT", "/iam")),
    };
    let mut faults = Vec::new();
    match document.serving(reads, &format!("{own}{read}")) {
        Some(method) => {
            let versioned = match policy.dialect {
                IamPolicyMethods::Body => document
                    .field(method.request(), "options.requestedPolicyVersion")
                    .is_some(),
                IamPolicyMethods::Query => method.takes("options.requestedPolicyVersion"),
                IamPolicyMethods::Compute | IamPolicyMethods::Storage => {
                    method.takes("optionsRequestedPolicyVersion")
                }
            };
            faults.extend(
                (!versioned).then(|| "the policy's version is asked for elsewhere".to_owned()),
            );
        }
        None => faults.push(format!("nothing serves {reads} {own}{read}")),
    }
    match document.serving(writes, &format!("{own}{write}")) {
        Some(method) => {
            let inner = if let IamPolicyMethods::Storage = policy.dialect {
                "etag"
            } else {
                "policy.etag"
            };
            let there = document.field(method.request(), inner).is_some();
            faults.extend((!there).then(|| format!("no field {inner}")));
        }
        None => faults.push(format!("nothing serves {writes} {own}{write}")),
    }
    faults
}
