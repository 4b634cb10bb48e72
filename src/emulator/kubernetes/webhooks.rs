//! Validating webhooks: called before a user's write is stored, and reported with the API server's texts.
//!
//! A webhook at an https address of this machine is really called. Any other address counts as unreachable, because this
//! emulator calls no other machine. A Service stands for pods that do not run here, so one that exists allows everything, and one
//! that does not exist is unreachable. Mutating webhooks, match conditions and equivalent versions are not supported, nor are
//! webhooks called for what the cluster's own controllers write. Texts and codes are those of Kubernetes' source (not recorded).

use std::time::Duration;

use base64::Engine as _;
use reqwest::{Certificate, Client};
use serde_json::{Value, json};

use super::api;
use super::call::{ApiCall, CallTarget};
use super::cluster::Cluster;
use super::object;
use super::reply::ApiReply;
use super::resource::{self, Resource};
use super::selectors;
use super::served_kinds;
use super::status::Status;
use crate::loopback;

/// Where the configurations are.
const CONFIGURATIONS: &str = "validatingwebhookconfigurations.admissionregistration.k8s.io/";
/// Kubernetes' own default.
const TIMEOUT: u64 = 10;

/// Why a webhook cannot be called at all.
#[derive(Debug, Clone, thiserror::Error)]
enum Unreachable {
    /// Its address is that of another machine.
    #[error("the emulator calls only this machine")]
    Outside,
    /// Its Service does not exist.
    #[error("service {0:?} not found")]
    NoService(String),
}

/// Why a webhook gives no answer.
#[derive(Debug, thiserror::Error)]
enum WebhookError {
    /// It cannot be called.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// The call failed: its certificate, the connection, or an answer that is not a review.
    #[error(transparent)]
    Http(reqwest::Error),
}

impl From<reqwest::Error> for WebhookError {
    fn from(error: reqwest::Error) -> WebhookError {
        // The address stands in the API server's sentence already.
        WebhookError::Http(error.without_url())
    }
}

/// A call of a webhook.
pub struct AdmissionCall {
    name: String,
    address: String,
    /// Why it cannot be asked at all.
    unreachable: Option<Unreachable>,
    authority: Vec<u8>,
    timeout: u64,
    ignores_failure: bool,
    review: Value,
}

/// The webhooks to call for a request, each with the object as it would be stored.
///
/// # Errors
/// 400 for a dry run that a webhook cannot take part in.
pub fn questions(cluster: &mut Cluster, call: &ApiCall) -> Result<Vec<AdmissionCall>, Status> {
    let found = cluster.store.list(CONFIGURATIONS);
    let hooks: Vec<Value> = found
        .into_iter()
        .flat_map(|(_, one)| one["webhooks"].as_array().cloned().unwrap_or_default())
        .collect();
    let Some(asked) = (!hooks.is_empty())
        .then(|| AdmissionRequest::of(cluster, call))
        .flatten()
    else {
        return Ok(Vec::new());
    };
    let concerned: Vec<Value> = hooks
        .into_iter()
        .filter(|hook| asked.is_ruled_by(hook))
        .collect();
    if concerned.is_empty() {
        return Ok(Vec::new());
    }
    let Some(request) = asked.request(cluster, call)? else {
        return Ok(Vec::new());
    };
    let labels = |object: &Value| object["metadata"]["labels"].clone();
    let namespace = asked.target.namespace.as_deref();
    let namespace = namespace.map(|name| {
        let found = cluster.store.get(&format!("namespaces//{name}"));
        found.map_or(Value::Null, labels)
    });
    let mut questions = Vec::new();
    for hook in concerned {
        let selects = |field: &str, labels: &Value| {
            hook.get(field).is_none_or(|selector| {
                *selector == json!({}) || selectors::selects(selector, labels)
            })
        };
        let object = ["object", "oldObject"].iter().any(|which| {
            request[which].is_object() && selects("objectSelector", &labels(&request[which]))
        });
        if !object
            || !namespace
                .as_ref()
                .is_none_or(|labels| selects("namespaceSelector", labels))
        {
            continue;
        }
        let effects = hook["sideEffects"].as_str().unwrap_or_default();
        if call.dry_run()? && !["None", "NoneOnDryRun"].contains(&effects) {
            return Err(Status::bad_request(format!(
                "admission webhook {:?} does not support dry run",
                text(&hook["name"])
            )));
        }
        questions.extend(AdmissionCall::of(cluster, &hook, &request));
    }
    Ok(questions)
}

/// A request that webhooks may refuse.
struct AdmissionRequest {
    target: CallTarget,
    resource: Resource,
    operation: &'static str,
}

impl AdmissionRequest {
    fn of(cluster: &Cluster, call: &ApiCall) -> Option<AdmissionRequest> {
        let target = CallTarget::of(&call.path)?;
        let resource = served_kinds::find(
            &cluster.store,
            &target.group,
            &target.version,
            &target.plural,
        )?;
        // Webhooks are not called for webhook configurations.
        if target.subresource.is_some() || resource.group == "admissionregistration.k8s.io" {
            return None;
        }
        let name = target.name.clone().unwrap_or_default();
        let namespace = target.namespace.clone().unwrap_or_default();
        let there = cluster.get(&resource, &namespace, &name).is_some();
        let operation = match (call.method.as_str(), &target.name) {
            ("POST", None) => "CREATE",
            ("PATCH", Some(_)) if !there => "CREATE",
            ("PUT" | "PATCH", Some(_)) => "UPDATE",
            ("DELETE", Some(_)) => "DELETE",
            _ => return None,
        };
        Some(AdmissionRequest {
            target,
            resource,
            operation,
        })
    }

    /// Whether one of the webhook's rules is about this request.
    fn is_ruled_by(&self, hook: &Value) -> bool {
        let has = |list: &Value, wanted: &str| {
            let all = list.as_array().into_iter().flatten();
            all.filter_map(Value::as_str)
                .any(|one| one == "*" || one == "*/*" || one == wanted)
        };
        let scoped = |scope: &Value| match scope.as_str() {
            Some("Namespaced") => self.resource.namespaced,
            Some("Cluster") => !self.resource.namespaced,
            _ => true,
        };
        let mut rules = hook["rules"].as_array().into_iter().flatten();
        rules.any(|rule| {
            has(&rule["apiGroups"], &self.target.group)
                && has(&rule["apiVersions"], &self.target.version)
                && has(&rule["operations"], self.operation)
                && has(&rule["resources"], &self.target.plural)
                && scoped(&rule["scope"])
        })
    }

    /// The review that a webhook gets; none for a request that is refused anyway.
    fn request(&self, cluster: &mut Cluster, call: &ApiCall) -> Result<Option<Value>, Status> {
        let CallTarget {
            group,
            version,
            namespace,
            plural,
            name,
            ..
        } = &self.target;
        let old = name.as_ref().and_then(|name| {
            let found = cluster.get(
                &self.resource,
                namespace.as_deref().unwrap_or_default(),
                name,
            );
            found.map(|old| object::printed(&self.resource, version, old))
        });
        let mut object = Value::Null;
        if self.operation != "DELETE" {
            let mut trial = call.clone();
            trial.query.retain(|(name, _)| name != "dryRun");
            trial.query.push(("dryRun".to_owned(), "All".to_owned()));
            let Ok(ApiReply::Object { body, .. }) = api::answer(cluster, &trial) else {
                return Ok(None);
            };
            object = body;
        }
        let named = &object["metadata"]["name"];
        let kind = json!({"group": group, "version": version, "kind": self.resource.kind});
        let resource = json!({"group": group, "version": version, "resource": plural});
        let mut request = json!({
            "uid": cluster.uid(),
            "kind": kind, "requestKind": kind,
            "resource": resource, "requestResource": resource,
            "name": name.as_ref().map_or_else(|| named.clone(), |name| json!(name)),
            "operation": self.operation,
            "userInfo": {"username": "user@example.com", "groups": ["system:authenticated"]},
            "object": object,
            "oldObject": old,
            "dryRun": call.dry_run()?,
        });
        if let Some(namespace) = namespace {
            request["namespace"] = json!(namespace);
        }
        Ok(Some(request))
    }
}

impl AdmissionCall {
    /// None for a webhook whose Service exists: nothing runs behind it that could refuse.
    fn of(cluster: &Cluster, hook: &Value, request: &Value) -> Option<AdmissionCall> {
        let config = &hook["clientConfig"];
        let service = &config["service"];
        let (address, unreachable) = match config["url"].as_str() {
            Some(url) => {
                let host = url.parse::<reqwest::Url>().ok();
                let host = host.as_ref().and_then(reqwest::Url::host_str);
                let here = host.is_some_and(loopback::is_loopback);
                (url.to_owned(), (!here).then_some(Unreachable::Outside))
            }
            None => {
                let (namespace, name) = (text(&service["namespace"]), text(&service["name"]));
                let key = resource::key("services", namespace, name);
                if cluster.store.get(&key).is_some() {
                    return None;
                }
                let (port, path) = (
                    service["port"].as_u64().unwrap_or(443),
                    text(&service["path"]),
                );
                let address = format!("https://{name}.{namespace}.svc:{port}{path}");
                (address, Some(Unreachable::NoService(name.to_owned())))
            }
        };
        let bundle = text(&config["caBundle"]);
        Some(AdmissionCall {
            name: text(&hook["name"]).to_owned(),
            address,
            unreachable,
            authority: base64::engine::general_purpose::STANDARD
                .decode(bundle)
                .unwrap_or_default(),
            timeout: hook["timeoutSeconds"].as_u64().unwrap_or(TIMEOUT),
            ignores_failure: hook["failurePolicy"] == "Ignore",
            review: json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}),
        })
    }

    /// Calls it.
    ///
    /// # Errors
    /// Its refusal with its own text; 500 if it cannot be called and its failure policy is not to ignore that.
    pub async fn ask(&self) -> Result<(), Status> {
        let answer = match &self.unreachable {
            Some(why) => Err(why.clone().into()),
            None => self.sent().await,
        };
        match answer {
            Ok(response) if response["allowed"] == true => Ok(()),
            Ok(response) => Err(self.denied(&response["status"])),
            Err(_) if self.ignores_failure => Ok(()),
            Err(why) => Err(Status::internal(format!(
                "failed calling webhook {:?}: failed to call webhook: Post \"{}?timeout={}s\": {why}",
                self.name, self.address, self.timeout
            ))),
        }
    }

    async fn sent(&self) -> Result<Value, WebhookError> {
        let authority = Certificate::from_pem(&self.authority)?;
        let client = Client::builder()
            .timeout(Duration::from_secs(self.timeout))
            .tls_certs_only([authority])
            .no_proxy()
            .build()?;
        let sent = client.post(&self.address).json(&self.review).send().await;
        let mut review: Value = sent?.json().await?;
        Ok(review["response"].take())
    }

    /// A refusal with the API server's text.
    fn denied(&self, status: &Value) -> Status {
        let by = format!("admission webhook {:?} denied the request", self.name);
        let message = match (text(&status["message"]), text(&status["reason"])) {
            ("", "") => format!("{by} without explanation"),
            ("", reason) => format!("{by}: {reason}"),
            (message, _) => format!("{by}: {message}"),
        };
        let code = status["code"]
            .as_u64()
            .and_then(|code| u16::try_from(code).ok());
        let mut refusal = Status::bad_request(message);
        refusal.code = code.filter(|code| (400..600).contains(code)).unwrap_or(400);
        refusal.reason = match text(&status["reason"]) {
            "Forbidden" => "Forbidden",
            "Invalid" => "Invalid",
            _ => "",
        };
        refusal
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
