//! Sends calls: adds the token, reads the answer, repeats what may be repeated.

use std::error::Error as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use serde_json::Value;

use super::envelope::Refusal;
use super::retry::{self, Verdict};
use super::{
    Api, ApiError, Auth, Body, Call, Class, Departed, Endpoints, SetupError, Token, Watch,
};

/// A client of Google's APIs. Clones share one pool of connections and one token.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    endpoints: Endpoints,
    auth: Auth,
    /// For Google: through the machine's proxy if it has one.
    outward: reqwest::Client,
    /// For this machine: never through a proxy, which would be handed the token in clear.
    inward: reqwest::Client,
}

const CONNECT: Duration = Duration::from_secs(10);
/// A failed try, and the token that it was sent with.
type Failed = (ApiError, Option<Token>);

impl Client {
    /// A client that calls `endpoints` with the credentials of `auth`. Fails on an endpoint that could leak a token,
    /// and where HTTPS cannot be set up. Nothing is sent yet, and no credentials are looked for.
    pub fn new(endpoints: Endpoints, auth: Auth) -> Result<Client, SetupError> {
        endpoints.check()?;
        // The program chose its provider when it started, and then this changes nothing; a test has not.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            reqwest::Client::builder()
                .user_agent(concat!("provision/", env!("CARGO_PKG_VERSION")))
                .redirect(Policy::none())
                .connect_timeout(CONNECT)
        };
        let built = |builder: reqwest::ClientBuilder| {
            builder.build().map_err(|e| SetupError::Http(chain(&e)))
        };
        let inward = built(builder().no_proxy())?;
        let outward = built(builder())?;
        Ok(Client {
            inner: Arc::new(Inner {
                endpoints,
                auth,
                outward,
                inward,
            }),
        })
    }

    /// Where the calls go.
    pub fn endpoints(&self) -> &Endpoints {
        &self.inner.endpoints
    }

    /// The credentials in use.
    pub fn auth(&self) -> &Auth {
        &self.inner.auth
    }

    /// Sends a call and returns the JSON of the answer; an empty answer is `null`.
    ///
    /// A rate limit is waited out, a server fault and a lost connection too where sending twice does no harm, all
    /// within [`retry::PATIENCE`]; a token that is refused is replaced once. Everything else is returned.
    pub async fn send(&self, call: &Call, watch: &dyn Watch) -> Result<Value, ApiError> {
        let started = Instant::now();
        let mut departed = Departed::No;
        let mut renewed = false;
        let mut attempt = 1;
        loop {
            let (mut error, token) = match self.once(call).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => *failed,
            };
            departed = departed.max(error.left_machine);
            error.left_machine = departed;
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
                    Verdict::GiveUp => return Err(error),
                    Verdict::Again(pause) => pause,
                },
            };
            watch.retrying(&error.call, &error.message, attempt, pause);
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    async fn once(&self, call: &Call) -> Result<Value, Box<Failed>> {
        let Inner {
            endpoints,
            auth,
            outward,
            inward,
        } = &*self.inner;
        let loopback = endpoints.is_loopback(call.api);
        let unsent = |class, message| {
            Box::new((
                ApiError::unanswered(call, class, Departed::No, message),
                None,
            ))
        };
        let url = endpoints
            .url(call)
            .map_err(|e| unsent(Class::BadRequest, format!("{}: {e}", call.path)))?;
        let token = match auth.token().await {
            Ok(token) => token.filter(|_| endpoints.is_trusted(call.api)),
            // What is served on this machine may want no credentials; if it does, it says so itself.
            Err(e) if loopback && e.nothing_found() => None,
            Err(e) if e.is_network() => return Err(unsent(Class::LostConnection, e.to_string())),
            Err(e) => return Err(unsent(Class::Unauthenticated, e.to_string())),
        };
        let http = if loopback { inward } else { outward };
        let mut request = http
            .request(call.method.clone(), url)
            .timeout(call.patience())
            .header(reqwest::header::ACCEPT, "application/json");
        if let Some(token) = &token {
            let Some(bearer) = token.bearer() else {
                return Err(unsent(
                    Class::Unauthenticated,
                    "the access token is not printable text".into(),
                ));
            };
            request = request.header(AUTHORIZATION, bearer);
            if let Some(project) = token.quota_project().filter(|_| wants_quota_project(call)) {
                request = request.header("x-goog-user-project", project);
            }
        }
        request = match &call.body {
            Body::Empty => request,
            Body::Json(body) => request.json(body),
            Body::Upload {
                content_type,
                bytes,
            } => request
                .header(CONTENT_TYPE, content_type)
                .body(bytes.clone()),
        };
        let failed = |error| Box::new((error, token.clone()));
        let answer = request
            .send()
            .await
            .map_err(|e| failed(unanswered(call, &e)))?;
        let status = answer.status();
        let headers = answer.headers().clone();
        let body = answer.bytes().await.map_err(|e| {
            let message = format!("the answer was cut off: {}", chain(&e));
            failed(ApiError::unanswered(
                call,
                Class::LostConnection,
                Departed::Yes,
                message,
            ))
        })?;
        if !status.is_success() {
            let mut refusal = Refusal::of_answer(status.as_u16(), &body);
            if let Some(to) = headers
                .get(reqwest::header::LOCATION)
                .filter(|_| status.is_redirection())
            {
                refusal.message = format!(
                    "a redirect to {} was not followed",
                    String::from_utf8_lossy(to.as_bytes())
                );
            }
            let mut error = ApiError::refused(call, refusal);
            error.retry_after = retry_after(&headers);
            return Err(failed(error));
        }
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body).map_err(|_| {
            let refusal = Refusal::of_answer(status.as_u16(), &body);
            let error = ApiError::unanswered(call, Class::NotJson, Departed::Yes, refusal.message);
            failed(ApiError {
                http: Some(status.as_u16()),
                ..error
            })
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

/// User credentials are billed to a project of their own, which must have the called API enabled. Enabling the first
/// API there is the one call that cannot name it.
fn wants_quota_project(call: &Call) -> bool {
    let enables = call.path.ends_with(":enable") || call.path.ends_with(":batchEnable");
    !(call.api == Api::ServiceUsage && enables)
}

/// An error of the connection. What happened before a connection stood cannot have reached anybody.
fn unanswered(call: &Call, error: &reqwest::Error) -> ApiError {
    let departed = if error.is_connect() || error.is_builder() {
        Departed::No
    } else {
        Departed::Unknown
    };
    let message = if error.is_timeout() && !error.is_connect() {
        format!("no answer within {} s", call.patience().as_secs())
    } else {
        chain(error)
    };
    // A certificate that is not accepted now will not be accepted on the next try.
    let class = if message.contains("certificate") {
        Class::Other
    } else {
        Class::LostConnection
    };
    ApiError::unanswered(call, class, departed, message)
}

/// An error and what caused it, without the address, which may carry an id.
fn chain(error: &reqwest::Error) -> String {
    let mut words = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push(error.to_string());
        cause = error.source();
    }
    words.dedup();
    if words.is_empty() {
        error.to_string()
    } else {
        words.join(": ")
    }
}

/// `Retry-After` in its form in seconds, the only one that Google's APIs use.
fn retry_after(headers: &HeaderMap<HeaderValue>) -> Option<Duration> {
    let seconds = headers
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds))
}

/// A number between 0 and 1, from the one source of chance that the package has.
fn dice() -> f64 {
    f64::from(uuid::Uuid::new_v4().as_fields().0) / f64::from(u32::MAX)
}
