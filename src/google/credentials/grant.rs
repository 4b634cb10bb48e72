//! One exchange with a token endpoint: a request that proves who asks, and the access token or the refusal that answers it.
//!
//! The endpoint's own words are kept, without the secrets of the request. What a refusal advises is decided in `hint.rs`.

use std::error::Error as _;
use std::time::Duration;

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
use crate::google::http::Http;
use crate::text::{beginning, chain};

/// The scope of every token: what an identity may do is decided by its roles.
pub(super) const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// How long one request may take.
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
        loop {
            let error = match self.once().await {
                Ok(text) => return Ok(text),
                Err(error) => error,
            };
            // A host that does not exist, or on which nobody listens, is no matter of milliseconds.
            match pauses.next().filter(|_| error.may_pass()) {
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

    async fn once(&self) -> Result<String, TokenError> {
        let mut answer = self
            .request()?
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

    fn request(&self) -> Result<RequestBuilder, TokenError> {
        let client = self.http.of(&self.url).map_err(|error| self.lost(&error))?;
        let mut request = client
            .request(self.method.clone(), self.url.clone())
            .timeout(ANSWERED)
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
        TokenError::Unreachable {
            host: self.host(),
            words: self.hidden(&words),
            asked: self.asked.clone(),
            connects: error.is_connect(),
        }
    }

    fn refused(&self, http: u16, headers: &HeaderMap, body: &[u8]) -> TokenError {
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |key: &str| answer[key].as_str().map(|text| self.hidden(text));
        // OAuth's errors are texts; those of IAM Credentials have the envelope of Google's other APIs.
        let (code, words) = match text("error") {
            Some(code) => (Some(code), text("error_description").unwrap_or_default()),
            None => {
                let refusal = Refusal::of_answer(http, body);
                (
                    refusal.reason.or(refusal.status),
                    self.hidden(&refusal.message),
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
            ahead: ahead(headers, Timestamp::now()),
        }))
    }

    /// A text from outside, without the secrets of the request.
    fn hidden(&self, text: &str) -> String {
        let mut forms: Vec<String> = self.secrets.iter().flat_map(|one| forms(one)).collect();
        // The whole before its parts.
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        let hidden = forms.iter().fold(text.to_owned(), |text, form| {
            text.replace(form.as_str(), "(a secret)")
        });
        beginning(&hidden)
    }
}

/// The forms in which somebody may repeat a secret: as it is, as it is in a form and in a header, and each of its words.
fn forms(secret: &str) -> Vec<String> {
    let words = secret.split_whitespace().chain([secret.trim()]);
    let long = words.filter(|word| word.len() >= SHORTEST);
    long.flat_map(|word| {
        let encoded = form_urlencoded::byte_serialize(word.as_bytes()).collect();
        [word.to_owned(), encoded, STANDARD.encode(word)]
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
        ] {
            assert_eq!(exchange.hidden(text), expected);
        }
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
