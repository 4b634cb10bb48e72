//! A server on this machine that stands for everybody who gives tokens: Google's token endpoint, the Security Token Service, IAM
//! Credentials, an identity provider, and the metadata server.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its method and its path.
    pub line: String,
    /// The header `Authorization`.
    pub authorization: String,
    /// The header `Metadata-Flavor`.
    pub flavor: String,
    /// Its body.
    pub body: String,
}

/// The server; it ends with the test.
pub struct TokenServer {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    _runtime: Runtime,
}

impl TokenServer {
    /// A server with these answers.
    pub fn new(
        answer: impl Fn(&Seen) -> (u16, String) + Clone + Send + Sync + 'static,
    ) -> TokenServer {
        let runtime = Runtime::new().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        let handler = move |request: Request<Body>| {
            let (answer, log) = (answer.clone(), log.clone());
            async move {
                let mut seen = head(&request);
                let body = to_bytes(request.into_body(), 1 << 20).await.unwrap();
                seen.body = String::from_utf8(body.to_vec()).unwrap();
                let (status, text) = answer(&seen);
                log.lock().unwrap().push(seen);
                (StatusCode::from_u16(status).unwrap(), text)
            }
        };
        let listener = runtime
            .block_on(TcpListener::bind(("127.0.0.1", 0)))
            .unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(handler);
        runtime.spawn(async move { axum::serve(listener, router).await });
        TokenServer {
            address,
            seen,
            _runtime: runtime,
        }
    }

    /// A server that gives everybody a token which says how it was asked for.
    pub fn generous() -> TokenServer {
        TokenServer::new(|seen| (200, granted(seen)))
    }

    /// An address of it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Its host and port.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// The requests so far; they are forgotten.
    pub fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

/// A request without its body.
fn head(request: &Request<Body>) -> Seen {
    let header = |name: &str| {
        let value = request.headers().get(name);
        value.map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
    };
    Seen {
        line: format!("{} {}", request.method(), request.uri().path()),
        authorization: header("authorization"),
        flavor: header("metadata-flavor"),
        body: String::new(),
    }
}

/// The answer of everybody who gives tokens.
pub fn granted(seen: &Seen) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let (_, path) = seen.line.split_once(' ').unwrap();
    let token = |word: &str| json!({"access_token": format!("ya29.{word}"), "expires_in": 3600, "token_type": "Bearer"});
    let answer = match path {
        "/key" => token("by-key"),
        "/login" => {
            let claims = URL_SAFE_NO_PAD.encode(r#"{"email": "me@example.com"}"#);
            let mut answer = token("by-login");
            answer["id_token"] = json!(format!("e30.{claims}.sig"));
            answer
        }
        "/sts" => token("by-federation"),
        "/oauthtoken" => token("by-workforce"),
        "/oidc" => json!({"value": "the-subject-token"}),
        path if path.ends_with("/default/token") => token("by-metadata"),
        path if path.ends_with("/default/email") => {
            return "robot@p.iam.gserviceaccount.com".to_owned();
        }
        path if path.ends_with(":generateAccessToken") => {
            json!({"accessToken": "ya29.impersonated", "expireTime": "2099-01-01T00:00:00Z"})
        }
        other => panic!("nobody serves {other}"),
    };
    answer.to_string()
}
