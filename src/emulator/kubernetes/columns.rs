//! The columns of each kind, as the real server has them.

use serde_json::{Value, json};

use super::object::plain;
use super::resource::Resource;

/// What is in a column.
pub enum Cell {
    /// What this makes of the object.
    Of(fn(&Value) -> Value),
    /// How long ago the time at this path was.
    Age(String),
    /// What is at this path.
    At(String),
}

/// A column.
pub struct Printed {
    /// Its heading.
    pub name: String,
    /// `string`, `integer`, `date`.
    pub kind: String,
    /// 0 for always, 1 for `-o wide`.
    pub priority: u8,
    /// What is in it.
    pub cell: Cell,
}

/// Kind, heading, type, priority, content; the name comes first and the age last of the unranked ones, see [`of`].
type TableRow = (
    &'static str,
    &'static str,
    &'static str,
    u8,
    fn(&Value) -> Value,
);

const ROWS: &[TableRow] = &[
    ("Namespace", "Status", "string", 0, |object| {
        object["status"]["phase"].clone()
    }),
    ("Node", "Status", "string", 0, node_status),
    ("Node", "Roles", "string", 0, |_| json!("<none>")),
    ("Node", "Version", "string", 0, |object| {
        object["status"]["nodeInfo"]["kubeletVersion"].clone()
    }),
    ("Node", "Internal-IP", "string", 1, |object| {
        address(object, "InternalIP")
    }),
    ("Node", "External-IP", "string", 1, |object| {
        address(object, "ExternalIP")
    }),
    ("Node", "OS-Image", "string", 1, |object| {
        object["status"]["nodeInfo"]["osImage"].clone()
    }),
    ("Node", "Kernel-Version", "string", 1, |object| {
        object["status"]["nodeInfo"]["kernelVersion"].clone()
    }),
    ("Node", "Container-Runtime", "string", 1, |object| {
        object["status"]["nodeInfo"]["containerRuntimeVersion"].clone()
    }),
    ("Pod", "Ready", "string", 0, pod_ready),
    ("Pod", "Status", "string", 0, pod_status),
    ("Pod", "Restarts", "integer", 0, |_| json!("0")),
    ("Pod", "IP", "string", 1, |object| {
        or_none(&object["status"]["podIP"])
    }),
    ("Pod", "Node", "string", 1, |object| {
        or_none(&object["spec"]["nodeName"])
    }),
    ("Pod", "Nominated Node", "string", 1, |_| json!("<none>")),
    ("Pod", "Readiness Gates", "string", 1, |_| json!("<none>")),
    ("Service", "Type", "string", 0, |object| {
        object["spec"]["type"].clone()
    }),
    ("Service", "Cluster-IP", "string", 0, |object| {
        or_none(&object["spec"]["clusterIP"])
    }),
    ("Service", "External-IP", "string", 0, |_| json!("<none>")),
    ("Service", "Port(s)", "string", 0, ports),
    ("Service", "Selector", "string", 1, |object| {
        pairs(&object["spec"]["selector"])
    }),
    ("ServiceAccount", "Secrets", "string", 0, |object| {
        count(&object["secrets"])
    }),
    ("ConfigMap", "Data", "string", 0, |object| {
        count(&object["data"])
    }),
    ("Secret", "Type", "string", 0, |object| {
        object["type"].clone()
    }),
    ("Secret", "Data", "string", 0, |object| {
        count(&object["data"])
    }),
    ("Deployment", "Ready", "string", 0, |object| {
        json!(format!(
            "{}/{}",
            number(&object["status"]["readyReplicas"]),
            number(&object["spec"]["replicas"])
        ))
    }),
    ("Deployment", "Up-to-date", "string", 0, |object| {
        json!(number(&object["status"]["updatedReplicas"]))
    }),
    ("Deployment", "Available", "string", 0, |object| {
        json!(number(&object["status"]["availableReplicas"]))
    }),
    ("Deployment", "Containers", "string", 1, |object| {
        containers(object, "name")
    }),
    ("Deployment", "Images", "string", 1, |object| {
        containers(object, "image")
    }),
    ("Deployment", "Selector", "string", 1, |object| {
        pairs(&object["spec"]["selector"]["matchLabels"])
    }),
    ("ReplicaSet", "Desired", "integer", 0, |object| {
        json!(number(&object["spec"]["replicas"]))
    }),
    ("ReplicaSet", "Current", "integer", 0, |object| {
        json!(number(&object["status"]["replicas"]))
    }),
    ("ReplicaSet", "Ready", "integer", 0, |object| {
        json!(number(&object["status"]["readyReplicas"]))
    }),
    ("DaemonSet", "Desired", "integer", 0, |object| {
        json!(number(&object["status"]["desiredNumberScheduled"]))
    }),
    ("DaemonSet", "Current", "integer", 0, |object| {
        json!(number(&object["status"]["currentNumberScheduled"]))
    }),
    ("DaemonSet", "Ready", "integer", 0, |object| {
        json!(number(&object["status"]["numberReady"]))
    }),
    (
        "HorizontalPodAutoscaler",
        "Reference",
        "string",
        0,
        |object| {
            let target = &object["spec"]["scaleTargetRef"];
            json!(format!(
                "{}/{}",
                plain(&target["kind"]),
                plain(&target["name"])
            ))
        },
    ),
    ("HorizontalPodAutoscaler", "Targets", "string", 0, targets),
    (
        "HorizontalPodAutoscaler",
        "MinPods",
        "string",
        0,
        |object| json!(number(&object["spec"]["minReplicas"]).to_string()),
    ),
    (
        "HorizontalPodAutoscaler",
        "MaxPods",
        "string",
        0,
        |object| json!(number(&object["spec"]["maxReplicas"]).to_string()),
    ),
    (
        "HorizontalPodAutoscaler",
        "Replicas",
        "string",
        0,
        |object| json!(number(&object["status"]["currentReplicas"]).to_string()),
    ),
    (
        "PodDisruptionBudget",
        "Min Available",
        "string",
        0,
        |object| or_na(&object["spec"]["minAvailable"]),
    ),
    (
        "PodDisruptionBudget",
        "Max Unavailable",
        "string",
        0,
        |object| or_na(&object["spec"]["maxUnavailable"]),
    ),
    (
        "PodDisruptionBudget",
        "Allowed Disruptions",
        "integer",
        0,
        |object| json!(number(&object["status"]["disruptionsAllowed"])),
    ),
    ("RoleBinding", "Role", "string", 0, |object| {
        json!(format!(
            "{}/{}",
            plain(&object["roleRef"]["kind"]),
            plain(&object["roleRef"]["name"])
        ))
    }),
    ("ClusterRoleBinding", "Role", "string", 0, |object| {
        json!(format!(
            "{}/{}",
            plain(&object["roleRef"]["kind"]),
            plain(&object["roleRef"]["name"])
        ))
    }),
    ("NetworkPolicy", "Pod-Selector", "string", 0, |object| {
        pairs(&object["spec"]["podSelector"]["matchLabels"])
    }),
    (
        "MutatingWebhookConfiguration",
        "Webhooks",
        "integer",
        0,
        |object| json!(object["webhooks"].as_array().map_or(0, Vec::len)),
    ),
    (
        "ValidatingWebhookConfiguration",
        "Webhooks",
        "integer",
        0,
        |object| json!(object["webhooks"].as_array().map_or(0, Vec::len)),
    ),
];

/// Kinds that show when they were made rather than how long ago.
const DATED: &[&str] = &["Role", "ClusterRole", "CustomResourceDefinition"];

/// The columns of a kind.
pub fn of(resource: &Resource) -> Vec<Printed> {
    let shown = |name: &str, kind: &str, priority, cell| Printed {
        name: name.to_owned(),
        kind: kind.to_owned(),
        priority,
        cell,
    };
    let created = ".metadata.creationTimestamp".to_owned();
    let name = shown("Name", "string", 0, Cell::At(".metadata.name".to_owned()));
    if resource.custom {
        let mut columns = vec![name];
        for column in &resource.columns {
            let path = column.path.clone();
            let cell = if column.kind == "date" {
                Cell::Age(path)
            } else {
                Cell::At(path)
            };
            columns.push(shown(&column.name, &column.kind, 0, cell));
        }
        if resource.columns.is_empty() {
            columns.push(shown("Age", "date", 0, Cell::Age(created)));
        }
        return columns;
    }
    if resource.kind == "Event" {
        return vec![
            shown(
                "Last Seen",
                "string",
                0,
                Cell::Age(".lastTimestamp".to_owned()),
            ),
            shown("Type", "string", 0, Cell::At(".type".to_owned())),
            shown("Reason", "string", 0, Cell::At(".reason".to_owned())),
            shown(
                "Object",
                "string",
                0,
                Cell::Of(|event| {
                    let about = &event["involvedObject"];
                    json!(format!(
                        "{}/{}",
                        plain(&about["kind"]).to_lowercase(),
                        plain(&about["name"])
                    ))
                }),
            ),
            shown("Message", "string", 0, Cell::At(".message".to_owned())),
            shown("Name", "string", 1, Cell::At(".metadata.name".to_owned())),
        ];
    }
    let own = |wide: bool| {
        let rows = ROWS.iter().filter(move |(kind, _, _, priority, _)| {
            *kind == resource.kind && (*priority > 0) == wide
        });
        rows.map(|(_, name, kind, priority, make)| shown(name, kind, *priority, Cell::Of(*make)))
    };
    let last = if DATED.contains(&resource.kind.as_str()) {
        shown("Created At", "date", 0, Cell::At(created))
    } else {
        shown("Age", "string", 0, Cell::Age(created))
    };
    let mut columns = vec![name];
    columns.extend(own(false));
    // A node shows its version after its age.
    let at = if resource.kind == "Node" {
        columns.len() - 1
    } else {
        columns.len()
    };
    columns.insert(at, last);
    columns.extend(own(true));
    columns
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

fn count(value: &Value) -> Value {
    json!(
        value
            .as_object()
            .map_or_else(
                || value.as_array().map_or(0, Vec::len),
                serde_json::Map::len
            )
            .to_string()
    )
}

fn or_none(value: &Value) -> Value {
    if value.is_null() {
        json!("<none>")
    } else {
        value.clone()
    }
}

fn or_na(value: &Value) -> Value {
    if value.is_null() {
        json!("N/A")
    } else {
        json!(plain(value))
    }
}

fn pairs(labels: &Value) -> Value {
    let pairs: Vec<String> = labels
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", plain(value)))
        .collect();
    json!(if pairs.is_empty() {
        "<none>".to_owned()
    } else {
        pairs.join(",")
    })
}

fn node_status(node: &Value) -> Value {
    let ready = node["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|one| one["type"] == "Ready" && one["status"] == "True");
    let cordoned = if node["spec"]["unschedulable"] == true {
        ",SchedulingDisabled"
    } else {
        ""
    };
    json!(format!(
        "{}{cordoned}",
        if ready { "Ready" } else { "NotReady" }
    ))
}

fn address(node: &Value, kind: &str) -> Value {
    let found = node["status"]["addresses"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|one| one["type"] == kind);
    found.map_or(json!("<none>"), |one| one["address"].clone())
}

fn pod_ready(pod: &Value) -> Value {
    let states = pod["status"]["containerStatuses"]
        .as_array()
        .into_iter()
        .flatten();
    let ready = states.filter(|state| state["ready"] == true).count();
    json!(format!(
        "{ready}/{}",
        pod["spec"]["containers"].as_array().map_or(0, Vec::len)
    ))
}

fn pod_status(pod: &Value) -> Value {
    if pod["metadata"].get("deletionTimestamp").is_some() {
        return json!("Terminating");
    }
    let mut states = pod["status"]["containerStatuses"]
        .as_array()
        .into_iter()
        .flatten();
    let waiting = states.find_map(|state| state["state"]["waiting"].get("reason"));
    waiting.unwrap_or(&pod["status"]["phase"]).clone()
}

fn ports(service: &Value) -> Value {
    let ports = service["spec"]["ports"].as_array().into_iter().flatten();
    let ports: Vec<String> = ports
        .map(|port| format!("{}/{}", port["port"], plain(&port["protocol"])))
        .collect();
    json!(if ports.is_empty() {
        "<none>".to_owned()
    } else {
        ports.join(",")
    })
}

fn containers(workload: &Value, field: &str) -> Value {
    let containers = workload["spec"]["template"]["spec"]["containers"]
        .as_array()
        .into_iter()
        .flatten();
    json!(
        containers
            .map(|one| plain(&one[field]))
            .collect::<Vec<_>>()
            .join(",")
    )
}

fn targets(autoscaler: &Value) -> Value {
    let metrics = autoscaler["spec"]["metrics"]
        .as_array()
        .into_iter()
        .flatten();
    let told: Vec<String> = metrics
        .map(|metric| {
            let of = &metric["resource"];
            format!(
                "{}: <unknown>/{}%",
                plain(&of["name"]),
                of["target"]["averageUtilization"]
            )
        })
        .collect();
    json!(told.join(", "))
}
