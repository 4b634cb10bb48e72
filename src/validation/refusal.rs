//! What the API server answers to an object that it does not take.

use crate::fault::Fault;
use crate::kind::Kind;
use serde_json::Value;

/// Who refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// The published schema: fields, types, and a definition's own schema.
    Schema,
    /// A definition's rules in CEL.
    Rules,
    /// The API server's own code.
    Validation,
    /// istiod's webhook.
    Webhook,
    /// No such group, version or kind.
    NoSuchKind,
}

/// A refusal.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// Who refuses.
    pub layer: Layer,
    /// The HTTP status.
    pub status: u16,
    /// `Invalid`, `NotFound`; empty where the server gives none.
    pub reason: &'static str,
    /// The answer's message.
    pub message: String,
    /// What is wrong, at least one.
    pub faults: Vec<Fault>,
}

impl Refusal {
    /// 422 with all faults.
    pub fn invalid(layer: Layer, kind: &Kind<'_>, name: &str, faults: Vec<Fault>) -> Refusal {
        let told: Vec<String> = faults
            .iter()
            .map(|fault| format!("{}: {}", fault.field, fault.message))
            .collect();
        let told = match told.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        Refusal {
            layer,
            status: 422,
            reason: "Invalid",
            message: format!("{} {name:?} is invalid: {told}", kind.full()),
            faults,
        }
    }

    /// 500: the patch does not have the form of its kind.
    pub fn untyped(kind: &Kind<'_>, object: &Value, faults: Vec<Fault>) -> Refusal {
        let told: Vec<String> = faults
            .iter()
            .map(|fault| format!("{}: {}", fault.field, fault.message))
            .collect();
        let told = match told.as_slice() {
            [one] => one.clone(),
            many => format!("errors:\n  {}", many.join("\n  ")),
        };
        let message = format!(
            "failed to create typed patch object ({}; {}): {told}",
            named(object),
            kind.grouped()
        );
        Refusal::failed(message, faults)
    }

    /// 500: the object cannot be read as its kind.
    pub fn unconverted(kind: &Kind<'_>, object: &Value, fault: Fault) -> Refusal {
        let message = format!(
            "failed to convert new object ({}; {of}) to proper version: unable to convert unstructured object to {of}: {}",
            named(object),
            fault.message,
            of = kind.grouped()
        );
        Refusal::failed(message, vec![fault])
    }

    fn failed(message: String, faults: Vec<Fault>) -> Refusal {
        Refusal {
            layer: Layer::Schema,
            status: 500,
            reason: "",
            message,
            faults,
        }
    }

    /// 400 of istiod's webhook.
    pub fn denied(faults: Vec<Fault>) -> Refusal {
        let told: Vec<&str> = faults.iter().map(|fault| fault.message.as_str()).collect();
        let told = match told.as_slice() {
            [one] => (*one).to_owned(),
            many => format!(
                "{} errors occurred:\n\t* {}\n\n",
                many.len(),
                many.join("\n\t* ")
            ),
        };
        Refusal {
            layer: Layer::Webhook,
            status: 400,
            reason: "",
            message: format!(
                "admission webhook \"validation.istio.io\" denied the request: configuration is invalid: {told}"
            ),
            faults,
        }
    }

    /// The faults that the answer lists in `details.causes`: only those of a 422.
    pub fn causes(&self) -> &[Fault] {
        match self.status {
            422 => &self.faults,
            _ => &[],
        }
    }
}

/// `NAMESPACE/NAME` as the object itself has them.
fn named(object: &Value) -> String {
    let of = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
    format!("{}/{}", of("namespace"), of("name"))
}
