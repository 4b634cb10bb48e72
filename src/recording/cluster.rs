//! A cluster's client whose exchanges are written into a recording. Its requests and answers pass unchanged.

use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use hyper::{Request, Response, StatusCode};
use kube::client::Body;
use serde_json::Value;
use tower::{BoxError, Service};

use super::{Exchange, Recorder, json_or_text};

/// Parameters of a query whose answer is written as it happens, without an end.
const STREAMS: [&str; 2] = ["follow=true", "watch=true"];

/// What stands for a cluster's address in a recording.
const HOST: &str = "https://kubernetes.default.svc";

/// A client of one cluster, and the recording of its exchanges.
#[derive(Clone)]
pub struct Recorded {
    client: kube::Client,
    recorder: Recorder,
}

impl Recorded {
    /// The client, with its exchanges recorded.
    pub fn client(client: kube::Client, recorder: Recorder) -> kube::Client {
        kube::Client::new(Recorded { client, recorder }, "default")
    }
}

impl Service<Request<Body>> for Recorded {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // Each request waits for its own clone of the client.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Recorded { client, recorder } = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let sent = body.collect_bytes().await?;
            let path = parts.uri.path_and_query();
            let path = path.map_or("/", |path| path.as_str()).to_owned();
            let mut exchange = Exchange {
                method: parts.method.to_string(),
                url: format!("{HOST}{path}"),
                body: json_or_text(&sent),
                status: None,
                response: Value::Null,
            };
            let answer = client
                .send(Request::from_parts(parts, Body::from(sent.to_vec())))
                .await
                .inspect_err(|_| recorder.write(exchange.clone()))?;
            exchange.status = Some(answer.status().as_u16());
            // What follows is not an answer but a connection, or lines that somebody waits for one by one.
            let is_stream = path
                .split(['?', '&'])
                .any(|parameter| STREAMS.contains(&parameter));
            if answer.status() == StatusCode::SWITCHING_PROTOCOLS
                || (is_stream && answer.status().is_success())
            {
                recorder.write(exchange);
                return Ok(answer);
            }
            let (parts, body) = answer.into_parts();
            let received = body
                .collect_bytes()
                .await
                .inspect_err(|_| recorder.write(exchange.clone()))?;
            exchange.response = json_or_text(&received);
            recorder.write(exchange);
            Ok(Response::from_parts(parts, Body::from(received.to_vec())))
        })
    }
}
