//! One thing in the cloud, and the names under which the journal and readers know it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Kind, checks};

/// One thing in the cloud: its kind and where it is. Enough to find it again without the step that made it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResourceId {
    /// The kind's name.
    pub kind: String,
    /// What fills the path.
    pub at: Map<String, Value>,
}

impl ResourceId {
    /// The resource of this kind at this place.
    pub fn new(kind: Kind, at: Map<String, Value>) -> ResourceId {
        ResourceId {
            kind: kind.name().to_owned(),
            at,
        }
    }

    /// Its kind; none where the journal of another version names a kind that this one does not know.
    pub fn kind(&self) -> Option<Kind> {
        Kind::named(&self.kind)
    }

    /// Its kind and path: the name under which the journal knows it.
    pub fn key(&self) -> String {
        let path = self.kind().and_then(|kind| kind.path(&self.at).ok());
        let path = path.unwrap_or_else(|| Value::Object(self.at.clone()).to_string());
        format!("{} {path}", self.kind)
    }

    /// The last part of its path: what a reader calls it.
    pub fn short(&self) -> String {
        let key = self.key();
        if self.kind().is_some_and(|kind| kind.is_claim()) {
            return checks::title(&self.at);
        }
        let last = key.rsplit('/').next().unwrap_or(&key);
        last.split('@').next().unwrap_or(last).to_owned()
    }

    /// What a field of the thing will be, where that follows from where the thing is: of a service account, its address.
    pub fn foresee(&self, field: &str) -> Option<Value> {
        let text = |key: &str| self.at.get(key).and_then(Value::as_str);
        match (self.kind.as_str(), field) {
            ("iam.serviceAccount", "email") => {
                let (account, project) = (text("account")?, text("project")?);
                Some(format!("{account}@{project}.iam.gserviceaccount.com").into())
            }
            (_, "name") => Some(self.short().into()),
            _ => None,
        }
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key())
    }
}
