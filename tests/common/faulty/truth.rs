//! Holds what a run said and remembers against what is there: what a failure says it left, what the journal takes for ours, and
//! how often each thing was made.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use provision::engine::journal::Journal;
use provision::engine::state::{State, TrackedResource};
use provision::kinds::ResourceId;
use serde_json::Value;

use super::super::cloud::{Cloud, PROJECT, unhashed};
use super::super::program::User;

/// A step that failed, as `--output json` tells it.
#[derive(Debug, Clone)]
pub struct Told {
    /// The step.
    pub step: String,
    /// What failed.
    pub error: String,
    /// What to do.
    pub hint: String,
    /// What is left.
    pub left: String,
}

/// The steps that failed.
pub fn told(out: &str) -> Vec<Told> {
    let events = out
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let failed = events.filter(|event| event["event"] == "failed" || is_refusal(event));
    failed
        .map(|event| {
            let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
            if is_refusal(&event) {
                return Told {
                    step: String::new(),
                    error: event["errors"].to_string(),
                    hint: text("hint"),
                    left: "nothing new".to_owned(),
                };
            }
            Told {
                step: text("step"),
                error: text("error"),
                hint: text("hint"),
                left: text("left"),
            }
        })
        .collect()
}

/// Whether a check before the run refused to begin it, and said that nothing was changed.
fn is_refusal(event: &Value) -> bool {
    let hint = event["hint"].as_str().unwrap_or_default();
    event["event"] == "error" && hint.contains("nothing was changed")
}

/// The project's state folder.
pub fn journal(user: &User) -> PathBuf {
    let folder = user.home().join(".local/state/provision").join(PROJECT);
    folder.join("journal.jsonl")
}

/// What is there, at one moment.
pub struct There {
    google: BTreeMap<String, Value>,
    objects: BTreeMap<String, Value>,
}

impl There {
    /// Now.
    pub fn now(cloud: &Cloud) -> There {
        There {
            google: cloud.inventory(),
            objects: cloud.objects(),
        }
    }

    /// Whether a thing is there, or of a set one of these parts; none where the kind has nothing to be there.
    fn holds(&self, thing: &ResourceId, parts: &[String]) -> Option<bool> {
        let at = |key: &str| {
            thing
                .at
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        match thing.kind.as_str() {
            // `CLUSTER PLURAL.GROUP/NAMESPACE/NAME`.
            "kubernetes.object" => {
                let own = format!("/{}/{}", at("namespace"), at("name"));
                let is_it = |name: &String| {
                    let object = name.rsplit_once(' ').map_or("", |(_, object)| object);
                    let plural = object.split(['.', '/']).next().unwrap_or_default();
                    is_plural(at("kind"), plural) && object.ends_with(&own)
                };
                Some(self.objects.keys().any(is_it))
            }
            "dns.records" => {
                let zone = place(thing)?;
                let named = |part: &String| {
                    let (name, kind) = part.split_once(' ').unwrap_or((part, ""));
                    self.google
                        .contains_key(&format!("{zone}/rrsets/{name}/{kind}"))
                };
                Some(parts.iter().any(named))
            }
            kind if kind.ends_with("Members") => {
                let pairs = pairs(self.google.get(&format!("{}/iamPolicy", place(thing)?)));
                Some(parts.iter().any(|part| pairs.contains(part)))
            }
            _ => Some(self.google.contains_key(&place(thing)?)),
        }
    }
}

/// Whether this is a kind's plural: the kind in small letters, but for the end.
fn is_plural(kind: &str, plural: &str) -> bool {
    let kind = kind.to_lowercase();
    let end = plural.strip_prefix(&kind[..kind.len() - 1]);
    end.is_some_and(|end| end.len() <= 3)
}

/// A thing's name in the inventory; none where it has none.
fn place(thing: &ResourceId) -> Option<String> {
    let key = thing.key();
    let path = key.split_once(' ')?.1;
    let path = path
        .trim_start_matches("v1/")
        .trim_start_matches("v2/")
        .to_owned();
    let (api, _) = thing.kind.split_once('.')?;
    let api = match thing.kind.as_str() {
        "iam.projectMembers" => "cloudresourcemanager",
        _ => api,
    };
    let path = match api {
        "storage" => {
            let path = path.replacen("b/", "projects/_/buckets/", 1);
            path.replacen("/o/", "/objects/", 1)
        }
        "compute" | "dns" | "container" | "gkehub" | "iam" | "cloudresourcemanager" => path,
        _ => return None,
    };
    Some(unhashed(&format!("//{api}.googleapis.com/{path}")))
}

/// The roles and members of a policy.
fn pairs(policy: Option<&Value>) -> BTreeSet<String> {
    let bindings = policy.and_then(|policy| policy["bindings"].as_array());
    let pair = |binding: &Value| -> Vec<String> {
        let members = binding["members"].as_array().into_iter().flatten();
        members
            .filter_map(|member| {
                Some(format!(
                    "{} {}",
                    binding["role"].as_str()?,
                    member.as_str()?
                ))
            })
            .collect()
    };
    bindings.into_iter().flatten().flat_map(pair).collect()
}

/// In what the failures of a run are untrue: each a sentence.
pub fn untrue(told: &[Told], user: &User, before: &There, after: &There) -> Vec<String> {
    let state = Journal::read(&journal(user)).unwrap();
    let mut lies = Vec::new();
    for told in told {
        if told.error.is_empty() || told.hint.is_empty() || told.left.is_empty() {
            lies.push(format!("nothing to go by: {told:?}"));
        }
        for known in state
            .resources
            .iter()
            .filter(|known| known.step == told.step)
        {
            let parts: Vec<String> = known
                .parts
                .iter()
                .cloned()
                .chain(known.our_parts())
                .collect();
            let (Some(was), Some(is)) = (
                before.holds(&known.resource, &parts),
                after.holds(&known.resource, &parts),
            ) else {
                continue;
            };
            if let Some(lie) = lie(&told.left, &known.resource.short(), was, is) {
                let like: Vec<&String> = after
                    .objects
                    .keys()
                    .filter(|name| name.ends_with(&known.resource.short()))
                    .collect();
                lies.push(format!("{lie}: {told:?}, {}, beside {like:?}", known.key));
            }
        }
    }
    lies
}

/// What is untrue about a sentence, of a thing that was there before the run and is there after it, or not.
fn lie(left: &str, short: &str, was: bool, is: bool) -> Option<&'static str> {
    let after = left.strip_prefix(short);
    match after {
        _ if left == "nothing new" => (is && !was).then_some("something new is there"),
        Some(words) if words.starts_with(" does not exist") => is.then_some("it exists"),
        Some(words) if words.starts_with(" may ") => None,
        Some(words)
            if [
                " exists",
                " still exists",
                " was created",
                " was changed",
                " is unchanged",
            ]
            .iter()
            .any(|start| words.starts_with(start)) =>
        {
            (!is).then_some("it does not exist")
        }
        Some(words) if words.starts_with(" was deleted") => None,
        _ if left.starts_with("whether ") => None,
        // About another thing of the same step.
        None if [" is ", " was ", " may ", " exist"]
            .iter()
            .any(|form| left.contains(form)) =>
        {
            None
        }
        _ => Some("no sentence that a test knows"),
    }
}

/// What is there of ours and the journal does not know it: names.
pub fn orphans(cloud: &Cloud, user: &User, empty: &BTreeMap<String, Value>) -> Vec<String> {
    let state = Journal::read(&journal(user)).unwrap();
    let ours: Vec<(String, &TrackedResource)> = state
        .ours()
        .filter_map(|known| Some((place(&known.resource)?, known)))
        .collect();
    let inventory = cloud.inventory();
    let mut orphans: Vec<String> = inventory
        .keys()
        .filter(|name| !empty.contains_key(*name) && !claimed(name, &ours, &state))
        .cloned()
        .collect();
    for (name, policy) in inventory
        .iter()
        .filter(|(name, _)| name.ends_with("/iamPolicy"))
    {
        let strange = pairs(Some(policy))
            .into_iter()
            .filter(|pair| pair.contains("serviceAccount:sa-") || pair.contains(".svc.id.goog["))
            .filter(|pair| !state.ours().any(|known| known.our_parts().contains(pair)))
            // What goes with the account or the bucket that it is about is no orphan.
            .filter(|_| !claimed(name, &ours, &state));
        orphans.extend(strange.map(|pair| format!("{name}: {pair}")));
    }
    orphans
}

/// Whether a name is that of something of ours, of what lives in it, or of what Google makes beside it.
fn claimed(name: &str, ours: &[(String, &TrackedResource)], state: &State) -> bool {
    let by_google = ["gke-cluster1-", "/k8s1-"]
        .iter()
        .any(|mark| name.contains(mark));
    let has_network = state
        .ours()
        .any(|known| known.resource.kind == "compute.network");
    let first_cluster =
        name.ends_with("/fleets/default") || name.contains("/workloadIdentityPools/");
    first_cluster
        || (by_google && has_network)
        || ours.iter().any(|(place, known)| {
            let set =
                known.resource.kind.ends_with("Members") || known.resource.kind == "dns.records";
            !set && (name == place || name.starts_with(&format!("{place}/")))
        })
}

/// Things that were made more than once, of the requests that a cloud has answered.
pub fn doubles(cloud: &Cloud) -> Vec<String> {
    let mut made: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (number, seen) in cloud.seen().iter().enumerate() {
        let last = seen.path.rsplit('/').next().unwrap_or_default();
        let creates = seen.method == "POST"
            && seen.status < 300
            && !last.contains(':')
            && !["wait", "changes", "o"].contains(&last);
        if !creates {
            continue;
        }
        let body = &seen.body;
        let named = [
            &body["name"],
            &body["accountId"],
            &body["cluster"]["name"],
            &body["nodePool"]["name"],
        ];
        let name = named
            .iter()
            .find_map(|name| name.as_str())
            .unwrap_or_default();
        let given = |name: &str| {
            let mut parts = seen.query.split('&');
            parts.find_map(|part| part.strip_prefix(&format!("{name}=")).map(str::to_owned))
        };
        // The same request under its id is answered twice and done once.
        let request = given("requestId").unwrap_or_else(|| number.to_string());
        let beside = given("membershipId").unwrap_or_default();
        made.entry(format!("{} {name}{beside}", seen.path))
            .or_default()
            .insert(request);
    }
    let twice = made.into_iter().filter(|(_, requests)| requests.len() > 1);
    twice.map(|(name, _)| name).collect()
}
