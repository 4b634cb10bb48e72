//! Sends calls: adds the token, reads the answer, repeats what may be repeated.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use super::envelope::Refusal;
use super::http::CONNECT;
use super::quota::{self, OtherConsumer, Quota};
use super::retry::{self, RetryDecision};
use super::{
    Api, ApiError, Auth, Body, Call, Class, Endpoints, MayHaveApplied, SetupError, Token, Watch,
    answer,
};
use super::{quota_probe, reach};
use crate::recording::{Exchange, Recorder, json_or_text};

/// A client of Google's APIs. Clones share one connection pool and one token.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
    /// Where the exchanges are recorded, if they are.
    recorder: Option<Recorder>,
}

struct Inner {
    endpoints: Endpoints,
    auth: Auth,
    /// For Google: through the machine's proxy, if it has one.
    outward: reqwest::Client,
    /// For this machine: never through a proxy, which would receive the token in plain text.
    inward: reqwest::Client,
    /// Whether any server has answered a request yet.
    answered: AtomicBool,
    /// The project that the calls of a person count against.
    quota: Quota,
}

/// The size limit of an answer, in bytes after decompression. The longest page of a list that Google sends is a tenth
/// of it; a longer answer would fill the memory before it could be recognized as invalid.
const LONGEST_ANSWER: usize = 32 << 20;
/// The maximum number of pages of a list. A server that never sends a last page must not block a run forever.
const MOST_PAGES: usize = 1_000;

/// A request that is ready to be sent.
struct Prepared {
    request: RequestBuilder,
    /// The token that it contains.
    token: Option<Token>,
    /// The project that its header says it counts against.
    quota_project: Option<String>,
}

/// A failed attempt, and the token that it was sent with.
type Failed = (ApiError, Option<Token>);

impl Client {
    /// A client that calls `endpoints` with the credentials of `auth`. Fails on an endpoint that could leak a token,
    /// and if HTTPS cannot be set up. Nothing is sent yet, and no search for credentials is made.
    pub fn new(endpoints: Endpoints, auth: Auth) -> Result<Client, SetupError> {
        endpoints.check()?;
        let http = auth.http();
        let inward = http
            .inward(endpoints.has_https_here())
            .map_err(SetupError::Http)?;
        let outward = match endpoints.has_google() {
            true => http.outward().map_err(SetupError::Http)?,
            false => inward.clone(),
        };
        Ok(Client {
            inner: Arc::new(Inner {
                endpoints,
                auth,
                outward,
                inward,
                answered: AtomicBool::new(false),
                quota: Quota::default(),
            }),
            recorder: None,
        })
    }

    /// The same client, with its exchanges recorded.
    #[must_use]
    pub fn recorded(self, recorder: Option<Recorder>) -> Client {
        Client { recorder, ..self }
    }

    /// Where the exchanges are recorded, if they are.
    pub fn recorder(&self) -> Option<&Recorder> {
        self.recorder.as_ref()
    }

    /// The same client for the work on one project: the calls of a person count against it, unless another one is named. Call it
    /// once, before the first request.
    pub fn of_project(self, project: &str) -> Client {
        self.inner.quota.set_project(project);
        self
    }

    /// The endpoints of the calls.
    pub fn endpoints(&self) -> &Endpoints {
        &self.inner.endpoints
    }

    /// The credentials in use.
    pub fn auth(&self) -> &Auth {
        &self.inner.auth
    }

    /// The HTTP client for the endpoint of an API: for Google through the machine's proxy, if it has one.
    pub(super) fn http(&self, api: Api) -> &reqwest::Client {
        match self.inner.endpoints.is_loopback(api) {
            true => &self.inner.inward,
            false => &self.inner.outward,
        }
    }

    /// Reads an address of this machine, without a token and in one attempt; `call` is its name in an error.
    pub(super) async fn local(&self, call: &Call, url: &str) -> Result<Value, ApiError> {
        let missing = |error| answer::missing(call, error);
        let request = self.inner.inward.get(url).timeout(CONNECT);
        let mut answer = request.send().await.map_err(missing)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(missing)? {
            body.extend_from_slice(&part);
            if body.len() > LONGEST_ANSWER {
                return Err(answer::too_long(call, status, LONGEST_ANSWER));
            }
        }
        answer::read(call, status, &headers, &body)
    }

    /// Sends a call and returns the JSON of the answer; an empty answer is `null`.
    ///
    /// A rate limit is waited out, and so are a server fault and a lost connection if sending twice is harmless, all
    /// within [`retry::PATIENCE`]; a rejected token is replaced once. Every other error is returned. As long as nothing has ever
    /// answered, a connection that cannot be made is repeated only for [`reach::FIRST_PATIENCE`].
    pub async fn send(&self, call: &Call, watch: &dyn Watch) -> Result<Value, ApiError> {
        let started = Instant::now();
        let mut may_have_applied = MayHaveApplied::No;
        let mut renewed = false;
        let mut attempt = 1;
        loop {
            let (error, token) = match self.once(call).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => *failed,
            };
            let mut error = error.after(&mut may_have_applied);
            error.attempts = attempt;
            let refused = token.filter(|_| error.class == Class::Unauthenticated && !renewed);
            let pause = match refused {
                Some(token) if self.inner.auth.renew(&token).await => {
                    renewed = true;
                    Duration::ZERO
                }
                _ => match retry::verdict(
                    &error,
                    call.repeatable,
                    attempt,
                    started.elapsed(),
                    dice(),
                ) {
                    RetryDecision::GiveUp => return Err(self.explained(call, error)),
                    RetryDecision::Again(pause)
                        if self.was_never_reached(&error)
                            && started.elapsed() + pause > reach::FIRST_PATIENCE =>
                    {
                        return Err(self.explained(call, error));
                    }
                    RetryDecision::Again(pause) => pause,
                },
            };
            watch.retrying(&error.call, &error.message, attempt, pause);
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    /// Whether no server has ever answered, and this request did not reach one either.
    fn was_never_reached(&self, error: &ApiError) -> bool {
        !self.inner.answered.load(Ordering::Relaxed) && reach::was_unreachable(error)
    }

    /// The error; for a run's first request with the host and the proxy.
    fn explained(&self, call: &Call, error: ApiError) -> ApiError {
        match self.was_never_reached(&error) {
            true => {
                let url = self.inner.endpoints.url(call).ok();
                reach::explained(error, url.as_ref(), &|name| std::env::var(name).ok())
            }
            false => error,
        }
    }

    /// Sends a list call, page after page, and returns the members of `items` of all pages.
    pub async fn list(
        &self,
        call: &Call,
        items: &str,
        watch: &dyn Watch,
    ) -> Result<Vec<Value>, ApiError> {
        let pages = self.pages(call, watch).await?;
        Ok(pages
            .into_iter()
            .flat_map(|page| members(page, items))
            .collect())
    }

    /// The same for an aggregated list: `items` has a field for each zone and region, which contains its members
    /// under `within`.
    pub async fn list_aggregated(
        &self,
        call: &Call,
        within: &str,
        watch: &dyn Watch,
    ) -> Result<Vec<Value>, ApiError> {
        let pages = self.pages(call, watch).await?;
        let scopes = pages.into_iter().filter_map(|mut page| {
            let Value::Object(scopes) = page.get_mut("items")?.take() else {
                return None;
            };
            Some(scopes.into_iter().map(|(_, scope)| scope))
        });
        let scopes = scopes.flatten();
        Ok(scopes.flat_map(|scope| members(scope, within)).collect())
    }

    /// All pages of a list, unchanged. This is the only place that follows a page to the next one.
    async fn pages(&self, call: &Call, watch: &dyn Watch) -> Result<Vec<Value>, ApiError> {
        let mut all = Vec::new();
        let mut page = call.clone();
        for _ in 0..MOST_PAGES {
            let answer = self.send(&page, watch).await?;
            let next = answer["nextPageToken"]
                .as_str()
                .filter(|next| !next.is_empty())
                .map(|next| call.clone().query("pageToken", next));
            all.push(answer);
            match next {
                Some(next) => page = next,
                None => return Ok(all),
            }
        }
        Err(ApiError::unanswered(
            call,
            Class::Other,
            MayHaveApplied::Yes,
            format!("the list does not end after {MOST_PAGES} pages"),
        ))
    }

    /// A single attempt.
    async fn once(&self, call: &Call) -> Result<Value, Box<Failed>> {
        let Prepared {
            request,
            token,
            quota_project,
        } = self
            .request(call)
            .await
            .map_err(|error| Box::new((error, None)))?;
        // A proxy's error page may repeat the request including its headers. The token is removed from the body
        // before anything else reads it: only the beginning of a long page is reported, and that may end in the
        // middle of a token.
        let failed = |error: ApiError| Box::new((error.without(token.as_ref()), token.clone()));
        let mut answer = request
            .send()
            .await
            .inspect_err(|_| self.record(call, None, &[]))
            .map_err(|e| failed(answer::missing(call, e)))?;
        self.inner.answered.store(true, Ordering::Relaxed);
        let (status, mut headers) = (answer.status(), answer.headers().clone());
        let mut body = Vec::new();
        while let Some(part) = answer
            .chunk()
            .await
            .inspect_err(|_| self.record(call, Some(status.as_u16()), &[]))
            .map_err(|e| failed(answer::cut_off(call, e)))?
        {
            if body.len() + part.len() > LONGEST_ANSWER {
                return Err(failed(answer::too_long(call, status, LONGEST_ANSWER)));
            }
            body.extend_from_slice(&part);
        }
        if let Some(token) = &token {
            body = token.hidden_in_body(body);
            token.hide_in_header(&mut headers, &LOCATION);
        }
        self.record(call, Some(status.as_u16()), &body);
        match answer::read(call, status, &headers, &body) {
            Ok(answer) => {
                self.inner.quota.learn(call, &answer);
                Ok(answer)
            }
            Err(error) => {
                let refusal = Refusal::of_answer(status.as_u16(), &body);
                let quota = &self.inner.quota;
                let other = quota.other_consumer(&refusal, quota_project.as_deref());
                Err(failed(match other {
                    Some(other) => with_consumer(error, other),
                    None => error,
                }))
            }
        }
    }

    /// The project that a call counts against.
    async fn quota_project(&self, call: &Call, token: &Token) -> Option<String> {
        if !wants_quota_project(call) {
            return None;
        }
        match token.quota_project() {
            Some(project) => Some(project.to_owned()),
            None if token.is_user() => {
                let quota = &self.inner.quota;
                let (http, endpoints) = (self.http(Api::ServiceUsage), self.endpoints());
                quota
                    .of_user(|project| quota_probe::ask(http, endpoints, project, token))
                    .await
            }
            None => None,
        }
    }

    /// Records an exchange, under Google's own address of the call. The token is in neither part.
    fn record(&self, call: &Call, status: Option<u16>, answer: &[u8]) {
        let Some(recorder) = &self.recorder else {
            return;
        };
        let Ok(url) = Endpoints::google().url(call) else {
            return;
        };
        recorder.write(Exchange {
            method: call.method.to_string(),
            url: url.into(),
            body: match &call.body {
                Body::Empty => Value::Null,
                Body::Json(body) => body.clone(),
                Body::Upload { bytes, .. } => json_or_text(bytes),
            },
            status,
            response: json_or_text(answer),
        });
    }

    /// The request, with what it is sent with.
    async fn request(&self, call: &Call) -> Result<Prepared, ApiError> {
        let Inner {
            endpoints,
            auth,
            outward,
            inward,
            ..
        } = &*self.inner;
        let loopback = endpoints.is_loopback(call.api);
        let unsent =
            |class, message| ApiError::unanswered(call, class, MayHaveApplied::No, message);
        if leads_elsewhere(&call.path) {
            let message = format!(
                "{}: not sent, because the link leads to another host",
                call.path
            );
            return Err(unsent(Class::BadRequest, message));
        }
        let url = endpoints
            .url(call)
            .map_err(|e| unsent(Class::BadRequest, format!("{}: {e}", call.path)))?;
        let token = match auth.token().await {
            Ok(token) => token,
            // A server on this machine may need no credentials; if it does, it reports that itself.
            Err(e) if loopback && e.nothing_found() => None,
            Err(e) => {
                let class = match e.is_network() {
                    true => Class::LostConnection,
                    false => Class::Unauthenticated,
                };
                return Err(unsent(class, e.to_string()).caused_by(e));
            }
        };
        let http = if loopback { inward } else { outward };
        let mut quota_project = None;
        let mut request = http
            .request(call.method.clone(), url)
            .timeout(call.patience())
            .header(ACCEPT, "application/json");
        if let Some(token) = &token {
            let bearer = token.bearer().ok_or_else(|| {
                unsent(
                    Class::Unauthenticated,
                    "the access token is not printable text".into(),
                )
            })?;
            request = request.header(AUTHORIZATION, bearer);
            quota_project = self.quota_project(call, token).await;
            if let Some(project) = &quota_project {
                request = request.header(quota::HEADER, project);
            }
        }
        let request = match &call.body {
            // Google's front ends reject a POST without a content length with 411, even if the body is empty.
            Body::Empty if !matches!(call.method, Method::GET | Method::DELETE) => {
                request.header(CONTENT_LENGTH, 0)
            }
            Body::Empty => request,
            Body::Json(body) => request.json(body),
            Body::Upload {
                content_type,
                bytes,
            } => request
                .header(CONTENT_TYPE, content_type)
                .body(bytes.clone()),
        };
        Ok(Prepared {
            request,
            token,
            quota_project,
        })
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("endpoints", &self.inner.endpoints)
            .finish_non_exhaustive()
    }
}

/// The members of a list in a field of an answer; an answer without members has no such field.
fn members(mut answer: Value, field: &str) -> Vec<Value> {
    match answer.get_mut(field).map(Value::take) {
        Some(Value::Array(members)) => members,
        _ => Vec::new(),
    }
}

/// Whether a path leads to another resource than its segments state: a name in it, from a step or from a server, goes
/// up a level by the rules of URLs, or ends the path. URL parsers skip a tab or a line break, so that `.` and `.`
/// around one are two dots.
fn leads_elsewhere(path: &str) -> bool {
    let up = |segment: &str| {
        let segment = segment.to_ascii_lowercase().replace("%2e", ".");
        segment == "." || segment == ".."
    };
    let odd = |c: char| "?#\\".contains(c) || c.is_whitespace() || c.is_control();
    path.contains(odd) || path.split('/').any(up)
}

/// User credentials are billed to a project of their own, which must have the called API enabled. Enabling the first
/// API in that project is the only call that cannot name it.
fn wants_quota_project(call: &Call) -> bool {
    let enables = call.path.ends_with(":enable") || call.path.ends_with(":batchEnable");
    !(call.api == Api::ServiceUsage && enables)
}

/// The refusal of a call that counts against a project in which the API is off, but which is not the run's own. Enabling the API
/// in the run's project does not help, so nobody may wait for it.
fn with_consumer(error: ApiError, other: OtherConsumer) -> ApiError {
    ApiError {
        class: Class::QuotaProject,
        message: format!("{}; {other}", error.message),
        ..error
    }
    .caused_by(other)
}

/// A random number between 0 and 1, from the package's only source of randomness.
fn dice() -> f64 {
    f64::from(uuid::Uuid::new_v4().as_fields().0) / f64::from(u32::MAX)
}
