//! Google's long-running operations, and waiting for them.
//!
//! An [`Operation`] is what must be stored to find it again after a crash: an address built from the call (project,
//! location, name). The links inside an answer are not used, because they contain project numbers and hosts that
//! differ from those of the request.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::dialect::OperationState;
use super::{Api, ApiError, Call, Class, Client, Dialect, MayHaveApplied, Watch, retry};

/// A running operation. It can be serialized, and another process can wait for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// The API that is polled.
    pub api: Api,
    /// The dialect of the operation.
    pub dialect: Dialect,
    /// The path, relative to the API's base.
    pub path: String,
}

const FIRST_POLL: Duration = Duration::from_millis(50);
const LAST_POLL: Duration = Duration::from_secs(2);

impl Operation {
    /// The operation in the `answer` to `call`; `None` if there is nothing to wait for. The operation may already
    /// have failed; that is the error here.
    pub fn of(
        dialect: Dialect,
        call: &Call,
        answer: &Value,
    ) -> Result<Option<Operation>, ApiError> {
        match dialect.state(answer) {
            OperationState::Running => Ok(dialect.path(call, answer).map(|path| Operation {
                api: call.api,
                dialect,
                path,
            })),
            OperationState::Done => Ok(None),
            OperationState::Failed => Err(ApiError::operation(call, answer)),
        }
    }

    /// Waits until the operation is done, for `within` at most, and returns its last state from Google.
    ///
    /// A failed operation is an error with the class of its own error (`of_operation` is set). An operation that is
    /// no longer known is [`Class::NotFound`]. Server faults and lost connections do not end the wait; only the time
    /// limit does.
    pub async fn wait(
        &self,
        client: &Client,
        within: Duration,
        watch: &dyn Watch,
    ) -> Result<Value, ApiError> {
        let poll = self.poll();
        let started = Instant::now();
        let left = || within.saturating_sub(started.elapsed());
        let mut said = String::new();
        let mut last_trouble = None;
        for pause in retry::delays(FIRST_POLL, LAST_POLL) {
            match tokio::time::timeout(left(), client.send(&poll, watch)).await {
                Err(_) => break,
                Ok(Err(error)) if error.is_transient() => last_trouble = Some(error.to_string()),
                Ok(Err(error)) => return Err(error),
                Ok(Ok(answer)) => {
                    match self.dialect.state(&answer) {
                        OperationState::Done => return Ok(answer),
                        OperationState::Failed => return Err(ApiError::operation(&poll, &answer)),
                        OperationState::Running => {}
                    }
                    last_trouble = None;
                    let now = self.dialect.progress(&answer);
                    if now != said {
                        watch.progress(&now);
                        said = now;
                    }
                }
            }
            if left().is_zero() {
                break;
            }
            tokio::time::sleep(pause.min(left())).await;
        }
        let mut message = format!("{} is not done after {within:?}", self.path);
        for (what, more) in [("last said", Some(said)), ("last error", last_trouble)] {
            if let Some(more) = more.filter(|more| !more.is_empty()) {
                message += &format!("; {what}: {more}");
            }
        }
        Err(ApiError::unanswered(
            &poll,
            Class::Deadline,
            MayHaveApplied::Yes,
            message,
        ))
    }

    /// The call that polls the progress. Compute holds it until the operation is done, for two minutes at most.
    fn poll(&self) -> Call {
        match self.dialect {
            Dialect::Compute => Call::post(self.api, format!("{}/wait", self.path)).repeatable(),
            _ => Call::get(self.api, &self.path),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;

    use super::super::scripted::{Reply, Scripted};
    use super::super::{Auth, Endpoints, NoWatch};
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// A dialect: the call, the answer while the operation runs, what is polled, and the results.
    struct Case {
        dialect: Dialect,
        call: Call,
        running: Value,
        polls: &'static str,
        done: Value,
        failed: Value,
        class: Class,
    }

    /// Shapes as recorded; names, numbers and links are shortened. The links lead to other hosts on purpose.
    fn cases() -> Vec<Case> {
        vec![
            Case {
                dialect: Dialect::Compute,
                call: Call::post(Api::Compute, "projects/p/global/networks"),
                running: json!({"kind": "compute#operation", "name": "operation-1", "status": "RUNNING", "progress": 0,
                    "selfLink": "https://www.googleapis.com/compute/v1/projects/1/global/operations/operation-1"}),
                polls: "POST /compute.googleapis.com/compute/v1/projects/p/global/operations/operation-1/wait",
                done: json!({"name": "operation-1", "status": "DONE", "progress": 100}),
                failed: json!({"name": "operation-1", "status": "DONE", "progress": 100, "httpErrorStatusCode": 400,
                    "httpErrorMessage": "BAD REQUEST", "error": {"errors": [{
                        "code": "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE",
                        "message": "The network resource 'n' is already being used by 'f'"}]}}),
                class: Class::InUse,
            },
            Case {
                dialect: Dialect::Compute,
                call: Call::delete(Api::Compute, "projects/p/regions/r/subnetworks/s"),
                running: json!({"name": "operation-2", "status": "PENDING"}),
                polls: "POST /compute.googleapis.com/compute/v1/projects/p/regions/r/operations/operation-2/wait",
                done: json!({"name": "operation-2", "status": "DONE"}),
                failed: json!({"name": "operation-2", "status": "DONE", "httpErrorStatusCode": 403,
                    "error": {"errors": [{"code": "QUOTA_EXCEEDED", "message": "Quota 'X' exceeded."}]}}),
                class: Class::QuotaExceeded,
            },
            Case {
                dialect: Dialect::Container,
                call: Call::post(Api::Container, "v1/projects/p/locations/z/clusters"),
                running: json!({"name": "operation-3", "status": "PENDING", "zone": "z",
                    "selfLink": "https://container.googleapis.com/v1/projects/1/zones/z/operations/operation-3"}),
                polls: "GET /container.googleapis.com/v1/projects/p/locations/z/operations/operation-3",
                done: json!({"name": "operation-3", "status": "DONE", "statusMessage": ""}),
                failed: json!({"name": "operation-3", "status": "DONE", "statusMessage": "no room",
                    "error": {"code": 8, "message": "Insufficient regional quota to satisfy request"}}),
                class: Class::QuotaExceeded,
            },
            Case {
                dialect: Dialect::LongRunning,
                call: Call::post(Api::ServiceUsage, "v1/projects/p/services:batchEnable"),
                running: json!({"name": "operations/acat.p17-1-2"}),
                polls: "GET /serviceusage.googleapis.com/v1/operations/acat.p17-1-2",
                done: json!({"name": "operations/acat.p17-1-2", "done": true, "response": {}}),
                failed: json!({"name": "operations/acat.p17-1-2", "done": true, "error": {"code": 9,
                    "message": "Billing account for project '1' is not found."}}),
                class: Class::BillingDisabled,
            },
            Case {
                dialect: Dialect::LongRunning,
                call: Call::patch(
                    Api::GkeHub,
                    "v2/projects/p/locations/r/memberships/m/features/servicemesh",
                ),
                running: json!({"name": "projects/p/locations/r/operations/operation-4", "done": false}),
                polls: "GET /gkehub.googleapis.com/v2/projects/p/locations/r/operations/operation-4",
                done: json!({"name": "projects/p/locations/r/operations/operation-4", "done": true}),
                failed: json!({"name": "projects/p/locations/r/operations/operation-4", "done": true,
                    "error": {"code": 7, "message": "no"}}),
                class: Class::PermissionDenied,
            },
            Case {
                dialect: Dialect::DnsChange,
                call: Call::post(Api::Dns, "projects/p/managedZones/z/changes"),
                running: json!({"kind": "dns#change", "id": "66", "status": "pending"}),
                polls: "GET /dns.googleapis.com/dns/v1/projects/p/managedZones/z/changes/66",
                done: json!({"kind": "dns#change", "id": "66", "status": "done"}),
                // A change is rejected at once or succeeds; no error of a running change is known.
                failed: json!({"id": "66", "status": "done", "error": {"code": 13, "message": "x"}}),
                class: Class::ServerFault,
            },
        ]
    }

    async fn play(script: Vec<Reply>) -> (Scripted, Client) {
        let server = Scripted::plays(script).await;
        let client = Client::new(Endpoints::emulator(&server.base()), Auth::none()).unwrap();
        (server, client)
    }

    fn says(answer: &Value) -> Reply {
        Reply::Json(200, answer.clone())
    }

    #[tokio::test]
    async fn each_dialect_ends_well_in_error_or_vanishes() {
        for case in cases() {
            let name = format!("{:?} {}", case.dialect, case.call);
            let operation = Operation::of(case.dialect, &case.call, &case.running)
                .unwrap()
                .unwrap();
            // The content of a journal is enough to continue.
            let written = serde_json::to_string(&operation).unwrap();
            let operation: Operation = serde_json::from_str(&written).unwrap();

            let (server, client) = play(vec![says(&case.running), says(&case.done)]).await;
            let end = operation.wait(&client, LONG, &NoWatch).await.unwrap();
            assert_eq!(end, case.done, "{name}");
            assert_eq!(server.lines(), [case.polls, case.polls], "{name}");

            let (_server, client) = play(vec![says(&case.running), says(&case.failed)]).await;
            let error = operation.wait(&client, LONG, &NoWatch).await.unwrap_err();
            assert_eq!(
                (error.class, error.of_operation),
                (case.class, true),
                "{name}: {error}"
            );

            // Whatever the operation did has taken effect.
            assert_eq!(error.left_machine, MayHaveApplied::Yes, "{name}");

            let gone = json!({"error": {"code": 404, "message": "not found"}});
            let (_server, client) = play(vec![says(&case.running), Reply::Json(404, gone)]).await;
            let error = operation.wait(&client, LONG, &NoWatch).await.unwrap_err();
            assert_eq!(
                (error.class, error.of_operation),
                (Class::NotFound, false),
                "{name}: {error}"
            );

            // Done in the first answer: there is nothing to wait for, or an error at once.
            assert_eq!(
                Operation::of(case.dialect, &case.call, &case.done).unwrap(),
                None,
                "{name}"
            );
            let error = Operation::of(case.dialect, &case.call, &case.failed).unwrap_err();
            assert_eq!(error.class, case.class, "{name}");
        }
    }

    #[test]
    fn what_is_no_operation_is_not_waited_for() {
        let noop = json!({"name": "operations/noop.DONE_OPERATION"});
        let zone = json!({"kind": "dns#managedZone", "id": "1", "name": "z"});
        let enable = Call::post(Api::ServiceUsage, "v1/projects/p/services/s:enable");
        let create = Call::post(Api::Dns, "projects/p/managedZones");
        for (dialect, call, answer) in [
            (Dialect::LongRunning, &enable, &noop),
            (Dialect::LongRunning, &enable, &json!({})),
            (Dialect::Compute, &enable, &Value::Null),
            (Dialect::DnsChange, &create, &zone),
        ] {
            assert_eq!(
                Operation::of(dialect, call, answer).unwrap(),
                None,
                "{answer}"
            );
        }
        let update = Call::patch(Api::Dns, "projects/p/managedZones/z");
        let answer = json!({"kind": "dns#operation", "id": "7", "status": "pending"});
        let operation = Operation::of(Dialect::DnsChange, &update, &answer)
            .unwrap()
            .unwrap();
        assert_eq!(operation.path, "projects/p/managedZones/z/operations/7");
    }

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Watch for Heard {
        fn retrying(&self, _: &str, why: &str, _: u32, _: Duration) {
            self.0.lock().unwrap().push(format!("retry: {why}"));
        }
        fn progress(&self, says: &str) {
            self.0.lock().unwrap().push(says.to_owned());
        }
    }

    #[tokio::test]
    async fn trouble_on_the_way_does_not_end_the_wait() {
        let operation = Operation {
            api: Api::Compute,
            dialect: Dialect::Compute,
            path: "projects/p/global/operations/o".into(),
        };
        let percent = |n: u32| says(&json!({"status": "RUNNING", "progress": n}));
        // A Retry-After that is too long ends the call, not the wait.
        let busy = Reply::Raw(
            503,
            "retry-after: 3600\r\n".into(),
            r#"{"error":{"message":"busy"}}"#.into(),
        );
        let (server, client) = play(vec![
            percent(0),
            percent(10),
            busy,
            Reply::ResetAfter,
            percent(10),
            percent(60),
            says(&json!({"status": "DONE"})),
        ])
        .await;
        let heard = Heard::default();
        operation.wait(&client, LONG, &heard).await.unwrap();
        assert_eq!(server.lines().len(), 7);
        let heard = heard.0.into_inner().unwrap();
        assert_eq!(heard.len(), 4, "{heard:?}");
        assert_eq!(
            [&heard[0], &heard[1], &heard[3]],
            ["RUNNING", "RUNNING 10 %", "RUNNING 60 %"]
        );
        assert!(heard[2].starts_with("retry: "), "{heard:?}");
    }

    #[tokio::test]
    async fn a_deadline_names_what_was_waited_for() {
        let operation = Operation {
            api: Api::Container,
            dialect: Dialect::Container,
            path: "v1/projects/p/locations/z/operations/o".into(),
        };
        // The server holds the second poll forever: the client's deadline ends it.
        let first = says(&json!({"status": "RUNNING", "detail": "nodes are booting"}));
        let (_server, client) = play(vec![first, Reply::Silent]).await;
        let within = Duration::from_millis(300);
        let began = Instant::now();
        let error = operation.wait(&client, within, &NoWatch).await.unwrap_err();
        assert!(began.elapsed() < LONG / 6, "{:?}", began.elapsed());
        assert_eq!(
            (error.class, error.left_machine),
            (Class::Deadline, MayHaveApplied::Yes)
        );
        assert_eq!(
            error.to_string(),
            "v1/projects/p/locations/z/operations/o is not done after 300ms; last said: RUNNING: nodes are booting"
        );
    }
}
