//! What kind of request it is: method and path without the names in it, so that all firewall rules are made by one kind.

/// A request as it passes.
#[derive(Debug, Clone)]
pub struct Asked {
    /// GET, POST, PUT, PATCH, DELETE.
    pub method: String,
    /// As it came.
    pub path: String,
    /// As it came.
    pub query: String,
    /// Whether a cluster is asked, and not Google.
    pub cluster: bool,
}

/// Behind these stands a name.
const COLLECTIONS: &[&str] = &[
    "projects",
    "regions",
    "zones",
    "locations",
    "clusters",
    "nodePools",
    "memberships",
    "operations",
    "serviceAccounts",
    "managedZones",
    "changes",
    "networks",
    "subnetworks",
    "routers",
    "firewalls",
    "networkEndpointGroups",
    "backendServices",
    "healthChecks",
    "b",
    "o",
];

impl Asked {
    /// The API's name; `kubernetes` for a cluster's.
    pub fn api(&self) -> &str {
        if self.cluster {
            return "kubernetes";
        }
        self.path
            .split('/')
            .find_map(|part| part.strip_suffix(".googleapis.com"))
            .unwrap_or("storage")
    }

    /// The path behind the API's host.
    fn behind(&self) -> &str {
        match self.path.split_once(".googleapis.com/") {
            Some((_, rest)) => rest,
            None => self.path.trim_start_matches('/'),
        }
    }

    /// Its kind: `POST compute compute/v1/projects/*/global/firewalls`.
    pub fn kind(&self) -> String {
        let path = if self.cluster {
            self.object()
        } else {
            self.template()
        };
        let dry = if self.query.contains("dryRun") {
            " dry-run"
        } else {
            ""
        };
        format!("{} {} {path}{dry}", self.method, self.api())
    }

    fn template(&self) -> String {
        let mut named = false;
        let parts = self.behind().split('/').map(|part| {
            let verb = part.split_once(':').map_or("", |(_, verb)| verb);
            let shown = match (named, verb) {
                (true, "") => "*".to_owned(),
                (true, verb) => format!("*:{verb}"),
                (false, _) => part.to_owned(),
            };
            // `operations/acat.p17-1` of serviceusage and `b?project=` alike: what follows a collection is a name.
            named = !named && COLLECTIONS.contains(&part);
            shown
        });
        parts.collect::<Vec<_>>().join("/")
    }

    /// A path of Kubernetes': group, version and plural, names left out.
    fn object(&self) -> String {
        let mut parts: Vec<&str> = self.path.trim_matches('/').split('/').collect();
        let (group, rest) = match parts.first() {
            Some(&"api") => ("core", parts.split_off(2.min(parts.len()))),
            _ => {
                let rest = parts.split_off(3.min(parts.len()));
                (parts.get(1).copied().unwrap_or_default(), rest)
            }
        };
        let rest = match rest.as_slice() {
            ["namespaces", _, rest @ ..] if !rest.is_empty() => rest,
            rest => rest,
        };
        match rest {
            [plural] => format!("{group}/{plural}"),
            [plural, _, below @ ..] => [&[group, plural, "*"], below].concat().join("/"),
            [] => group.to_owned(),
        }
    }

    /// Whether it is meant to change something.
    pub fn changes(&self) -> bool {
        super::super::cloud::is_change(&self.method, &self.path) && !self.query.contains("dryRun")
    }

    /// Whether the API answers it with an operation.
    pub fn begins_operation(&self) -> bool {
        self.changes() && ["compute", "container", "gkehub", "serviceusage"].contains(&self.api())
    }

    /// Whether it replaces a policy.
    pub fn sets_policy(&self) -> bool {
        self.path.ends_with(":setIamPolicy")
            || (self.method == "PUT" && self.path.ends_with("/iam"))
    }
}
