//! The client against a server that fails in every way in which a server or a network can fail.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket};

use super::scripted::{Reply, Scripted};
use super::{Api, ApiError, Auth, Call, Class, Client, Endpoints, MayHaveApplied, NoWatch, Watch};

pub(super) fn client(server: &Scripted) -> Client {
    Client::new(Endpoints::emulator(&server.base()), Auth::none()).unwrap()
}

pub(super) fn refusal(code: u16, message: &str) -> Reply {
    Reply::Json(code, json!({"error": {"code": code, "message": message}}))
}

pub(super) fn get() -> Call {
    Call::get(Api::Compute, "projects/p/global/networks/n")
}

fn post() -> Call {
    Call::post(Api::Compute, "projects/p/global/networks").json(json!({"name": "n"}))
}

/// Plays a script for one call; returns the result and the number of requests that arrived.
async fn outcome(call: Call, script: Vec<Reply>) -> (Result<Value, ApiError>, usize) {
    let server = Scripted::plays(script).await;
    let result = client(&server).send(&call, &NoWatch).await;
    (result, server.seen().len())
}

#[tokio::test]
async fn a_call_arrives_as_it_was_said() {
    let server = Scripted::plays([
        Reply::Json(200, json!({"a": 1})),
        Reply::Raw(204, String::new(), String::new()),
        Reply::Json(200, json!({})),
        Reply::Json(200, json!({})),
    ])
    .await;
    let client = client(&server);
    let call = post().query("requestId", "0-1").query("filter", "a=b c");
    assert_eq!(client.send(&call, &NoWatch).await.unwrap(), json!({"a": 1}));
    let gone = Call::delete(Api::Storage, "b/x/o/y%2Fz");
    assert_eq!(client.send(&gone, &NoWatch).await.unwrap(), Value::Null);
    let object = Call::post(Api::Storage, "b/x/o")
        .query("name", "y/z")
        .upload("text/plain", b"hello".to_vec());
    assert_eq!(client.send(&object, &NoWatch).await.unwrap(), json!({}));

    client
        .send(
            &Call::post(Api::Compute, "projects/p/global/operations/o/wait"),
            &NoWatch,
        )
        .await
        .unwrap();

    let seen = server.seen();
    assert_eq!(seen[3].header("content-length"), Some("0"));
    assert_eq!(
        server.lines()[..3],
        [
            "POST /compute.googleapis.com/compute/v1/projects/p/global/networks?requestId=0-1&filter=a%3Db+c",
            "DELETE /storage.googleapis.com/storage/v1/b/x/o/y%2Fz",
            "POST /storage.googleapis.com/upload/storage/v1/b/x/o?name=y%2Fz&uploadType=media",
        ]
    );
    assert_eq!(
        (seen[0].header("content-type"), &*seen[0].body),
        (Some("application/json"), r#"{"name":"n"}"#)
    );
    assert_eq!((seen[1].header("content-type"), &*seen[1].body), (None, ""));
    assert_eq!(
        (seen[2].header("content-type"), &*seen[2].body),
        (Some("text/plain"), "hello")
    );
    for request in &seen {
        assert_eq!(request.header("accept"), Some("application/json"));
        assert!(
            request
                .header("user-agent")
                .unwrap()
                .starts_with("provision/")
        );
        assert_eq!(request.header("authorization"), None);
        assert_eq!(request.header("x-goog-user-project"), None);
    }
}

/// What is repeated, what is returned, and what is reported about its effect.
#[tokio::test]
async fn only_what_does_no_harm_is_sent_twice() {
    let ok = || Reply::Json(200, json!({"ok": true}));
    let html = |code| {
        Reply::Raw(
            code,
            "content-type: text/html\r\n".into(),
            "<html>oops".into(),
        )
    };
    let mine = || post().repeatable();
    type Expected = Result<(), (Class, MayHaveApplied)>;
    #[rustfmt::skip]
    let cases: Vec<(&str, Call, Vec<Reply>, usize, Expected)> = vec![
        ("reset before", get(), vec![Reply::ResetBefore, ok()], 1, Ok(())),
        ("reset before", post(), vec![Reply::ResetBefore], 0, Err((Class::LostConnection, MayHaveApplied::Unknown))),
        ("reset after", get(), vec![Reply::ResetAfter, ok()], 2, Ok(())),
        ("reset after", post(), vec![Reply::ResetAfter], 1, Err((Class::LostConnection, MayHaveApplied::Unknown))),
        ("reset after", mine(), vec![Reply::ResetAfter, ok()], 2, Ok(())),
        ("cut off", get(), vec![Reply::CutOff, ok()], 2, Ok(())),
        ("cut off", post(), vec![Reply::CutOff], 1, Err((Class::LostConnection, MayHaveApplied::Yes))),
        ("503", get(), vec![refusal(503, "busy"), ok()], 2, Ok(())),
        ("503", post(), vec![refusal(503, "busy")], 1, Err((Class::ServerFault, MayHaveApplied::Yes))),
        ("503", mine(), vec![refusal(503, "busy"), refusal(500, "b"), ok()], 3, Ok(())),
        ("html 502", get(), vec![html(502), ok()], 2, Ok(())),
        ("429", post(), vec![refusal(429, "slowly"), ok()], 2, Ok(())),
        ("429 of one cluster", mine(), vec![refusal(429, "hits the concurrent operations quota 5")], 1, Err((Class::Busy, MayHaveApplied::No))),
        ("html 404", get(), vec![html(404)], 1, Err((Class::NotJson, MayHaveApplied::No))),
        ("html 200", mine(), vec![html(200)], 1, Err((Class::NotJson, MayHaveApplied::Yes))),
        ("400", mine(), vec![refusal(400, "no")], 1, Err((Class::BadRequest, MayHaveApplied::No))),
        ("403", get(), vec![refusal(403, "no")], 1, Err((Class::PermissionDenied, MayHaveApplied::No))),
        // The first attempt may have created it; the rejection of the second one does not undo that.
        ("503 then 409", mine(), vec![refusal(503, "busy"), refusal(409, "already exists")], 2, Err((Class::AlreadyExists, MayHaveApplied::Yes))),
        ("409", mine(), vec![refusal(409, "already exists")], 1, Err((Class::AlreadyExists, MayHaveApplied::No))),
    ];
    for (name, call, script, requests, want) in cases {
        let name = format!("{name}, {}, repeatable: {}", call.method, call.repeatable);
        let (result, arrived) = outcome(call, script).await;
        let got = result
            .map(|_| ())
            .map_err(|error| (error.class, error.left_machine));
        assert_eq!((got, arrived), (want, requests), "{name}");
    }
}

/// Counts, and runs an action at the first retry.
struct Told<F: FnOnce() + Send> {
    said: Mutex<Vec<(String, u32, Duration)>>,
    first: Mutex<Option<F>>,
}

impl<F: FnOnce() + Send> Watch for Told<F> {
    fn retrying(&self, call: &str, why: &str, attempt: u32, after: Duration) {
        self.said
            .lock()
            .unwrap()
            .push((format!("{call}: {why}"), attempt, after));
        if let Some(first) = self.first.lock().unwrap().take() {
            first();
        }
    }
    fn progress(&self, _: &str) {}
}

fn told<F: FnOnce() + Send>(first: F) -> Told<F> {
    Told {
        said: Mutex::new(Vec::new()),
        first: Mutex::new(Some(first)),
    }
}

#[tokio::test]
async fn a_refused_connection_harms_nobody_and_is_tried_again() {
    // A port that is reserved and closed until the first retry opens it.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let base = format!("http://{}", socket.local_addr().unwrap());
    let (send, receive) = std::sync::mpsc::channel();
    let watch = told(move || {
        let listener: TcpListener = socket.listen(8).unwrap();
        send.send(Scripted::on(listener, [Reply::Json(200, json!({}))]))
            .unwrap();
    });
    let client = Client::new(Endpoints::emulator(&base), Auth::none()).unwrap();
    // Sent again although it is not repeatable, because it never left the machine.
    client.send(&post(), &watch).await.unwrap();
    assert_eq!(receive.recv().unwrap().seen().len(), 1);
    let said = watch.said.into_inner().unwrap();
    assert_eq!(said[0].1, 1);
    assert!(
        said[0]
            .0
            .starts_with("POST compute.googleapis.com/compute/v1/projects/p/global/networks: "),
        "{said:?}"
    );
    assert!(said[0].0.contains("Connection refused"), "{said:?}");
}

#[tokio::test]
async fn retry_after_is_kept() {
    let header = "retry-after: 1\r\ncontent-type: application/json\r\n".to_owned();
    let server = Scripted::plays([
        Reply::Raw(429, header, "{}".into()),
        Reply::Json(200, json!({})),
    ])
    .await;
    let watch = told(|| {});
    let started = Instant::now();
    client(&server).send(&post(), &watch).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(
        watch.said.into_inner().unwrap()[0].2,
        Duration::from_secs(1)
    );
    // A user does not wait for a day: the error is returned at once.
    let header = "retry-after: 86400\r\n".to_owned();
    let server = Scripted::plays([Reply::Raw(503, header, "{}".into())]).await;
    let error = client(&server).send(&get(), &NoWatch).await.unwrap_err();
    assert_eq!(error.retry_after, Some(Duration::from_secs(86_400)));
}

#[tokio::test]
async fn a_pause_in_the_details_is_kept_like_one_in_the_header() {
    let details = |delay: &str| {
        json!({"error": {"code": 429, "message": "Quota exceeded for limit 'Read requests per minute'.", "status": "RESOURCE_EXHAUSTED",
            "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}]}})
    };
    let server = Scripted::plays([
        Reply::Json(429, details("1.2s")),
        Reply::Json(200, json!({})),
    ])
    .await;
    let watch = told(|| {});
    let started = Instant::now();
    client(&server).send(&post(), &watch).await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(1200));
    let pause = watch.said.into_inner().unwrap()[0].2;
    assert_eq!(pause, Duration::from_millis(1200));
    // More than a call is repeated for: it is a quota, and nothing is sent again.
    let server = Scripted::plays([Reply::Json(429, details("86401s"))]).await;
    let error = client(&server).send(&post(), &NoWatch).await.unwrap_err();
    assert_eq!((error.class, error.attempts), (Class::QuotaExceeded, 1));
}

#[tokio::test]
async fn a_list_is_read_to_its_last_page() {
    let server = Scripted::plays([
        Reply::Json(200, json!({"services": [1, 2], "nextPageToken": "a=="})),
        Reply::Json(200, json!({"nextPageToken": "b"})),
        Reply::Json(200, json!({"services": [3]})),
    ])
    .await;
    let call = Call::get(Api::ServiceUsage, "v1/projects/p/services").query("pageSize", "2");
    let all = client(&server)
        .list(&call, "services", &NoWatch)
        .await
        .unwrap();
    assert_eq!(all, [json!(1), json!(2), json!(3)]);
    let first = "GET /serviceusage.googleapis.com/v1/projects/p/services?pageSize=2";
    assert_eq!(
        server.lines(),
        [
            first.to_owned(),
            format!("{first}&pageToken=a%3D%3D"),
            format!("{first}&pageToken=b")
        ]
    );
}

pub(super) fn token_file(folder: &tempfile::TempDir, token: &str) -> Auth {
    let file = folder.path().join("token");
    std::fs::write(&file, token).unwrap();
    Auth::from_env(&|name| {
        (name == "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE").then(|| file.display().to_string())
    })
}

#[tokio::test]
async fn a_token_that_was_replaced_is_read_again_once() {
    let folder = tempfile::tempdir().unwrap();
    let auth = token_file(&folder, "old\n");
    let file = folder.path().join("token");
    let replaced = |with: &'static str| {
        let file = file.clone();
        let write = move || std::fs::write(file, with).unwrap();
        Reply::After(
            Box::new(write),
            Box::new(refusal(401, "invalid credentials")),
        )
    };
    let server = Scripted::plays([
        replaced("new\n"),
        Reply::Json(200, json!({})),
        refusal(401, "invalid credentials"),
        replaced("newer\n"),
        replaced("newest\n"),
    ])
    .await;
    let client = Client::new(Endpoints::emulator(&server.base()), auth).unwrap();
    // A rejected token has had no effect, so even this call may be sent again.
    client.send(&post(), &NoWatch).await.unwrap();
    // The file contains the token that was just rejected: asking again would change nothing.
    let error = client.send(&post(), &NoWatch).await.unwrap_err();
    assert_eq!(
        (error.class, error.http, error.left_machine),
        (Class::Unauthenticated, Some(401), MayHaveApplied::No)
    );
    assert!(error.hint().unwrap().contains("gcloud auth"));
    let tokens: Vec<_> = server
        .seen()
        .iter()
        .map(|seen| seen.header("authorization").unwrap().to_owned())
        .collect();
    assert_eq!(tokens, ["Bearer old", "Bearer new", "Bearer new"]);
    // Once: a file that keeps changing does not keep a call alive forever.
    client.send(&post(), &NoWatch).await.unwrap_err();
    assert_eq!(server.seen().len(), 5);
}

#[tokio::test]
async fn a_missing_token_file_is_named_and_nothing_is_sent() {
    let server = Scripted::plays([]).await;
    let auth = Auth::from_env(&|name| {
        (name == "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE").then(|| "/nowhere/token".into())
    });
    let client = Client::new(Endpoints::emulator(&server.base()), auth).unwrap();
    let error = client.send(&get(), &NoWatch).await.unwrap_err();
    assert_eq!(
        (error.class, error.http, error.left_machine),
        (Class::Unauthenticated, None, MayHaveApplied::No)
    );
    assert!(
        error
            .to_string()
            .contains("/nowhere/token (CLOUDSDK_AUTH_ACCESS_TOKEN_FILE)"),
        "{error}"
    );
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn an_error_reads_as_google_said_it() {
    let body = json!({"error": {"code": 400, "message": "The resource 'x' is not ready",
        "errors": [{"reason": "resourceNotReady"}]}});
    let (result, _) = outcome(get(), vec![Reply::Json(400, body)]).await;
    let error = result.unwrap_err();
    assert_eq!(
        error.to_string(),
        "The resource 'x' is not ready (HTTP 400 resourceNotReady)"
    );
    assert_eq!(
        &*error.call,
        "GET compute.googleapis.com/compute/v1/projects/p/global/networks/n"
    );
    let (result, _) = outcome(get(), vec![refusal(503, "busy"), refusal(404, "gone")]).await;
    assert_eq!(
        result.unwrap_err().to_string(),
        "gone (HTTP 404), after 2 tries"
    );
}
