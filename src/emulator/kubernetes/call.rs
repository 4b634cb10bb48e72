//! A request to a cluster's API, taken apart.

use super::status::Status;

/// A request.
#[derive(Debug, Clone, Default)]
pub struct ApiCall {
    /// `GET`, …
    pub method: String,
    /// The path, decoded.
    pub path: String,
    /// The query, decoded, in its order.
    pub query: Vec<(String, String)>,
    /// The formats that the client accepts.
    pub accept: String,
    /// The content type of the body.
    pub content_type: String,
    /// The user agent: `kubectl/v1.33.1 …`.
    pub agent: String,
    /// The body.
    pub body: Vec<u8>,
}

impl ApiCall {
    /// A query parameter; an empty one is none.
    pub fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// All values of a query parameter.
    pub fn queries(&self, name: &str) -> Vec<String> {
        self.query
            .iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
            .collect()
    }

    /// Whether a query parameter is `true` or `1`.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.query(name), Some("true" | "1"))
    }

    /// Whether the client asks for a table instead of the objects.
    pub fn wants_table(&self) -> bool {
        self.accept.contains("as=Table")
            && self.accept.contains("v=v1;") | self.accept.contains("v=v1,")
            || self.accept.ends_with("as=Table;v=v1")
    }

    /// The manager of the fields that this request sets.
    pub fn manager(&self) -> String {
        let agent = self.agent.split('/').next().unwrap_or_default();
        self.query("fieldManager")
            .unwrap_or(if agent.is_empty() { "unknown" } else { agent })
            .to_owned()
    }

    /// Whether the request is a dry run.
    ///
    /// # Errors
    /// 422 for anything but `All`.
    pub fn dry_run(&self) -> Result<bool, Status> {
        match self.query("dryRun") {
            None => Ok(false),
            Some("All") => Ok(true),
            Some(other) => Err(Status::bad_request(format!(
                "dryRun: Unsupported value: {other:?}: supported values: \"All\""
            ))),
        }
    }
}

/// What a path is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallTarget {
    /// The API group; empty for the core.
    pub group: String,
    /// `v1`.
    pub version: String,
    /// The namespace, if the path has one.
    pub namespace: Option<String>,
    /// `pods`.
    pub plural: String,
    /// The object, if it is about one.
    pub name: Option<String>,
    /// `status`, `log`, …
    pub subresource: Option<String>,
}

impl CallTarget {
    /// The target of a path; None if it is not one of an object or a list.
    pub fn of(path: &str) -> Option<CallTarget> {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let (group, version, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return None,
        };
        let namespace_itself = |part: &str| matches!(part, "status" | "finalize");
        let (namespace, rest) = match rest {
            ["namespaces", namespace, plural, more @ ..]
                if !(more.is_empty() && namespace_itself(plural)) =>
            {
                (Some((*namespace).to_owned()), &rest[2..])
            }
            _ => (None, rest),
        };
        let (plural, name, subresource) = match rest {
            [plural] => (*plural, None, None),
            [plural, name] => (*plural, Some(*name), None),
            [plural, name, below] => (*plural, Some(*name), Some(*below)),
            _ => return None,
        };
        Some(CallTarget {
            group: group.to_owned(),
            version: version.to_owned(),
            namespace,
            plural: plural.to_owned(),
            name: name.map(str::to_owned),
            subresource: subresource.map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_say_what_they_are_about() {
        let told = |path: &str| {
            CallTarget::of(path).map(|target| {
                let or = |part: Option<String>| part.unwrap_or_else(|| "-".to_owned());
                let CallTarget {
                    group,
                    version,
                    namespace,
                    plural,
                    name,
                    subresource,
                } = target;
                format!(
                    "{group}|{version}|{}|{plural}|{}|{}",
                    or(namespace),
                    or(name),
                    or(subresource)
                )
            })
        };
        let cases = [
            ("/api/v1/namespaces", Some("|v1|-|namespaces|-|-")),
            (
                "/api/v1/namespaces/team-x",
                Some("|v1|-|namespaces|team-x|-"),
            ),
            (
                "/api/v1/namespaces/team-x/finalize",
                Some("|v1|-|namespaces|team-x|finalize"),
            ),
            (
                "/api/v1/namespaces/team-x/pods",
                Some("|v1|team-x|pods|-|-"),
            ),
            (
                "/api/v1/namespaces/team-x/pods/p/log",
                Some("|v1|team-x|pods|p|log"),
            ),
            ("/api/v1/pods", Some("|v1|-|pods|-|-")),
            (
                "/apis/apps/v1/namespaces/x/deployments/d/scale",
                Some("apps|v1|x|deployments|d|scale"),
            ),
            ("/apis/apps", None),
            ("/version", None),
        ];
        for (path, want) in cases {
            assert_eq!(told(path).as_deref(), want, "{path}");
        }
    }

    #[test]
    fn a_table_is_wanted_in_the_version_that_is_served() {
        let accepts = |accept: &str| {
            ApiCall {
                accept: accept.to_owned(),
                ..ApiCall::default()
            }
            .wants_table()
        };
        assert!(accepts(
            "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
        ));
        assert!(!accepts(
            "application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
        ));
        assert!(!accepts("application/json"));
    }
}
