//! One exchange with a token endpoint: a request that proves who asks, and the access token or the refusal that answers it.
//!
//! The endpoint's own words are kept, without the secrets of the request. What a refusal advises is decided in `hint.rs`.

use std::error::Error as _;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderValue};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use url::{Url, form_urlencoded};

use super::error::{Asked, Refused, TokenError};
use super::identity;
use crate::google::envelope::Refusal;
use crate::google::http::{Http, is_on_link};
use crate::google::{Class, connection_advice, quota};
use crate::recording::without_secrets;
use crate::text::{beginning, chain};

/// The scope of every token: what an identity may do is decided by its roles.
pub(super) const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// How long an exchange may take, with its repetitions.
const ANSWERED: Duration = Duration::from_secs(15);
/// The pauses between the tries of a request that got no answer, or a fault of the server.
const PAUSES: [u64; 4] = [50, 100, 200, 400];
/// The size limit of an answer, in bytes. Google's are below 10 KB.
const LONGEST: usize = 1 << 20;
/// A shorter text is no secret, and replacing it would damage words.
const SHORTEST: usize = 8;

/// An access token, and who it belongs to if the answer says so.
pub(super) struct Grant {
    pub token: String,
    pub expires: Option<Timestamp>,
    /// The e-mail address of a user, from the id token beside it.
    pub account: Option<String>,
    /// The refresh token that replaces the one of the request.
    pub refresh_token: Option<String>,
}

/// A request for a token, or for something on the way to one.
pub(super) struct Exchange<'a> {
    http: &'a Http,
    method: Method,
    url: Url,
    /// Who is asked, for the error.
    asked: Asked,
    /// Texts that no error may contain.
    secrets: Vec<String>,
    headers: HeaderMap,
    content_type: &'static str,
    body: Vec<u8>,
    basic: Option<(&'a str, &'a str)>,
    bearer: Option<&'a str>,
    patience: Duration,
}

impl<'a> Exchange<'a> {
    /// A request without a body.
    pub fn get(http: &'a Http, url: Url, asked: Asked) -> Exchange<'a> {
        Exchange {
            http,
            method: Method::GET,
            url,
            asked,
            secrets: Vec::new(),
            headers: HeaderMap::new(),
            content_type: "",
            body: Vec::new(),
            basic: None,
            bearer: None,
            patience: ANSWERED,
        }
    }

    /// A form, as OAuth 2.0 asks for (RFC 6749).
    pub fn form(
        http: &'a Http,
        url: Url,
        asked: Asked,
        fields: &[(&str, &'a str)],
        secrets: &[&'a str],
    ) -> Exchange<'a> {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        Exchange {
            method: Method::POST,
            content_type: "application/x-www-form-urlencoded",
            body: body.into_bytes(),
            secrets: secrets.iter().map(|secret| (*secret).to_owned()).collect(),
            ..Exchange::get(http, url, asked)
        }
    }

    /// A JSON body, with an access token.
    pub fn json(
        http: &'a Http,
        url: Url,
        asked: Asked,
        body: &Value,
        bearer: &'a str,
    ) -> Exchange<'a> {
        Exchange {
            method: Method::POST,
            content_type: "application/json",
            body: body.to_string().into_bytes(),
            secrets: vec![bearer.to_owned()],
            bearer: Some(bearer),
            ..Exchange::get(http, url, asked)
        }
    }

    /// The same with a user name and a password.
    pub fn basic(mut self, user: &'a str, password: &'a str) -> Exchange<'a> {
        self.secrets.push(password.to_owned());
        self.secrets.push(format!("{user}:{password}"));
        Exchange {
            basic: Some((user, password)),
            ..self
        }
    }

    /// The same with another time limit.
    pub fn within(self, patience: Duration) -> Exchange<'a> {
        Exchange { patience, ..self }
    }

    /// The same with the project that the request counts against. A name that is none is left out.
    pub fn charged_to(mut self, project: Option<&str>) -> Exchange<'a> {
        if let Some(project) = project.and_then(|name| HeaderValue::try_from(name).ok()) {
            self.headers.insert(quota::HEADER, project);
        }
        self
    }

    /// The same with headers, whose values are secrets.
    pub fn headers(mut self, headers: &'a [(String, String)]) -> Result<Exchange<'a>, TokenError> {
        for (name, value) in headers {
            let bad = |_| TokenError::Subject {
                words: format!("the header {name:?} of its credential_source is not valid"),
            };
            let parsed = name.parse::<reqwest::header::HeaderName>();
            let name = parsed.map_err(|_| bad(()))?;
            let mut parsed = HeaderValue::try_from(value).map_err(|_| bad(()))?;
            parsed.set_sensitive(true);
            self.headers.insert(name, parsed);
            self.secrets.push(value.clone());
        }
        Ok(self)
    }

    /// The text of the answer. A try that got no answer, or a fault of the server, is repeated a few times within a second.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub async fn text(&self) -> Result<String, TokenError> {
        let mut pauses = PAUSES.into_iter();
        let began = Instant::now();
        loop {
            let left = self.patience.saturating_sub(began.elapsed());
            let error = match self.once(left).await {
                Ok(text) => return Ok(text),
                Err(error) => error,
            };
            // A host that does not exist, or on which nobody listens, is no matter of milliseconds.
            let is_time = began.elapsed() + Duration::from_millis(500) < self.patience;
            match pauses.next().filter(|_| is_time && error.may_pass()) {
                Some(pause) => tokio::time::sleep(Duration::from_millis(pause)).await,
                None => return Err(error),
            }
        }
    }

    /// The JSON of the answer.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub async fn answer(&self) -> Result<Value, TokenError> {
        let text = self.text().await?;
        serde_json::from_str(&text).map_err(|_| self.unreadable())
    }

    /// The token of an OAuth 2.0 answer: `access_token`, `expires_in` in seconds.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub async fn grant(&self) -> Result<Grant, TokenError> {
        let answer = self.answer().await?;
        let token = answer["access_token"].as_str();
        let token = token.filter(|token| !token.is_empty());
        let seconds = answer["expires_in"].as_i64();
        Ok(Grant {
            token: token.ok_or_else(|| self.unreadable())?.to_owned(),
            expires: seconds.and_then(|seconds| {
                Timestamp::now()
                    .checked_add(SignedDuration::from_secs(seconds))
                    .ok()
            }),
            account: answer["id_token"].as_str().and_then(identity::email_in),
            refresh_token: answer["refresh_token"].as_str().map(str::to_owned),
        })
    }

    /// The error of an answer that is not what was asked for.
    pub fn unreadable(&self) -> TokenError {
        TokenError::Unreadable {
            host: self.host(),
            asked: self.asked.clone(),
        }
    }

    fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    async fn once(&self, within: Duration) -> Result<String, TokenError> {
        let mut answer = self
            .request(within)?
            .send()
            .await
            .map_err(|error| self.lost(&error))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|error| self.lost(&error))? {
            body.extend_from_slice(&part);
            if body.len() > LONGEST {
                return Err(self.unreadable());
            }
        }
        if !status.is_success() {
            return Err(self.refused(status.as_u16(), &headers, &body));
        }
        String::from_utf8(body).map_err(|_| self.unreadable())
    }

    fn request(&self, within: Duration) -> Result<RequestBuilder, TokenError> {
        let client = match self.asked {
            // It answers only the machine itself, whatever its name is: no proxy can reach it for us.
            Asked::Metadata => self.http.inward(false),
            _ => self.http.of(&self.url),
        };
        let client = client.map_err(|error| self.lost(&error))?;
        let mut request = client
            .request(self.method.clone(), self.url.clone())
            .timeout(within)
            .headers(self.headers.clone());
        if self.method == Method::POST {
            request = request
                .header(CONTENT_TYPE, self.content_type)
                .body(self.body.clone());
        }
        if let Some((user, password)) = self.basic {
            request = request.basic_auth(user, Some(password));
        }
        if let Some(token) = self.bearer {
            request = request.bearer_auth(token);
        }
        Ok(request)
    }

    fn lost(&self, error: &reqwest::Error) -> TokenError {
        let words = error.source().map_or_else(|| error.to_string(), chain);
        let host = self.url.host_str().unwrap_or_default();
        let env = |name: &str| std::env::var(name).ok();
        let proxy = match (&self.asked, is_on_link(&self.url)) {
            (Asked::Metadata, _) | (_, true) => None,
            _ => connection_advice::proxy_words(host, &env),
        };
        TokenError::Unreachable {
            host: self.host(),
            words: self.hidden(&words),
            asked: self.asked.clone(),
            connects: error.is_connect(),
            timed_out: error.is_timeout(),
            proxy,
        }
    }

    fn refused(&self, http: u16, headers: &HeaderMap, body: &[u8]) -> TokenError {
        // What is read is cut, and of a secret that is cut in its middle nothing would be found afterwards.
        let body = without_secrets(&self.without_own(&String::from_utf8_lossy(body)));
        let body = body.as_bytes();
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |key: &str| answer[key].as_str().map(|text| self.hidden(text));
        // OAuth's errors are texts; those of IAM Credentials have the envelope of Google's other APIs.
        let (code, words, class) = match text("error") {
            Some(code) => {
                let words = text("error_description").unwrap_or_default();
                (Some(code), words, None)
            }
            None => {
                let refusal = Refusal::of_answer(http, body);
                let class = Class::of(&refusal);
                (
                    refusal.reason.or(refusal.status),
                    self.hidden(&refusal.message),
                    Some(class),
                )
            }
        };
        TokenError::Refused(Box::new(Refused {
            host: self.host(),
            asked: self.asked.clone(),
            http,
            code,
            words,
            subtype: text("error_subtype"),
            class,
            ahead: ahead(headers, Timestamp::now()),
        }))
    }

    /// The beginning of a text from outside, without secrets.
    fn hidden(&self, text: &str) -> String {
        beginning(&without_secrets(&self.without_own(text)))
    }

    /// A text from outside, without the secrets of the request.
    fn without_own(&self, text: &str) -> String {
        let mut forms: Vec<String> = self.secrets.iter().flat_map(|one| forms(one)).collect();
        // The whole before its parts.
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        forms.iter().fold(text.to_owned(), |text, form| {
            text.replace(form.as_str(), "(a secret)")
        })
    }
}

/// The forms in which somebody may repeat a secret: as it is, as it is in a form, in JSON and in a header, and each of its words.
fn forms(secret: &str) -> Vec<String> {
    let words = secret.split_whitespace().chain([secret.trim()]);
    let long = words.filter(|word| word.len() >= SHORTEST);
    long.flat_map(|word| {
        let encoded = form_urlencoded::byte_serialize(word.as_bytes()).collect();
        let in_json = word.replace('/', "\\/");
        [word.to_owned(), encoded, in_json, STANDARD.encode(word)]
    })
    .collect()
}

/// By how many seconds this machine's clock is ahead of the server's, by the `Date` of its answer; negative if it is behind. None if
/// there is no such header.
fn ahead(headers: &HeaderMap, now: Timestamp) -> Option<i64> {
    let date = headers.get(DATE)?.to_str().ok()?;
    let theirs = jiff::fmt::rfc2822::parse(date).ok()?.timestamp();
    Some(now.as_second() - theirs.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::google::scripted::{Reply, Scripted};

    #[test]
    fn a_secret_is_hidden_in_every_form_in_which_it_was_sent() {
        let http = Http::default();
        let url = Url::parse("http://127.0.0.1/").unwrap();
        let secrets = ["bearer 1//long secret", "short"];
        let exchange = Exchange::form(&http, url, Asked::Federation, &[], &secrets);
        let exchange = exchange.basic("me", "pass/word");
        for (text, expected) in [
            ("is bearer 1//long secret wrong", "is (a secret) wrong"),
            ("short is short", "short is short"),
            ("a=bearer+1%2F%2Flong+secret&b", "a=(a secret)&b"),
            ("Basic bWU6cGFzcy93b3Jk!", "Basic (a secret)!"),
            ("pass/word pass%2Fword", "(a secret) (a secret)"),
            (
                "bearer 1\\/\\/long secret refresh_token=1%2F%2Fcut",
                "(a secret) refresh_token=(a secret)",
            ),
        ] {
            assert_eq!(exchange.hidden(text), expected);
        }
    }

    #[test]
    fn no_beginning_of_a_secret_is_told_where_a_page_is_cut() {
        let http = Http::default();
        let url = Url::parse("http://127.0.0.1/").unwrap();
        let secret = format!("1//{}", "canary".repeat(30));
        let secrets = [secret.as_str()];
        let exchange = Exchange::form(&http, url, Asked::Federation, &[], &secrets);
        let encoded: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        for echo in [
            secret.clone(),
            format!("refresh_token={encoded}&x"),
            // The proxy itself has cut what it repeats.
            format!("refresh_token={}", &encoded[..60]),
            format!("Authorization: Bearer ya29.{}", "canary".repeat(9)),
        ] {
            let page = format!("<html>{} {echo}</html>", "x".repeat(130));
            let error = exchange.refused(502, &HeaderMap::new(), page.as_bytes());
            let told = error.to_string();
            assert!(told.contains("xxx"), "{told}");
            assert!(!told.contains("canary"), "{told}");
            let message = format!("{}{echo}", "x ".repeat(990));
            let body = serde_json::json!({"error": {"message": message}}).to_string();
            let error = exchange.refused(502, &HeaderMap::new(), body.as_bytes());
            assert!(!error.to_string().contains("canary"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_server_that_does_not_answer_in_time_is_asked_once() {
        let http = Http::default();
        let server = Scripted::plays([Reply::Silent, Reply::Silent]).await;
        let url = Url::parse(&server.base()).unwrap();
        let exchange = Exchange::get(&http, url, Asked::Federation);
        let error = exchange.within(Duration::from_millis(700)).text().await;
        let error = error.unwrap_err();
        assert!(
            matches!(
                error,
                TokenError::Unreachable {
                    timed_out: true,
                    ..
                }
            ),
            "{error}"
        );
        assert_eq!(server.seen().len(), 1);
    }

    #[test]
    fn the_clock_is_compared_with_the_date_of_the_answer() {
        let now: Timestamp = "2024-02-09T01:35:16Z".parse().unwrap();
        for (date, expected) in [
            ("Fri, 09 Feb 2024 01:35:16 GMT", Some(0)),
            ("Fri, 09 Feb 2024 01:30:16 GMT", Some(300)),
            ("Fri, 09 Feb 2024 02:35:16 GMT", Some(-3600)),
            ("yesterday", None),
        ] {
            let headers = HeaderMap::from_iter([(DATE, HeaderValue::from_static(date))]);
            assert_eq!(ahead(&headers, now), expected, "{date}");
        }
        assert_eq!(ahead(&HeaderMap::new(), now), None);
    }
}
