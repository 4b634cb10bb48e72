//! What a server says of this machine: its address as seen over HTTPS, and its own time. Neither needs credentials.

use std::time::Duration;

use ipnet::IpNet;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::DATE;
use serde_json::Value;
use thiserror::Error;

use super::answer::causes;
use super::{Api, Client};

/// Google's public resolver, asked over HTTPS: it passes on the network of the sender, from which its request came.
const RESOLVER: &str = "https://dns.google/resolve?name=o-o.myaddr.l.google.com&type=TXT";
/// The words before that network in the answer. Source: Google's documentation of its public DNS.
const SUBNET: &str = "edns0-client-subnet ";
/// A doctor's patience for one answer.
const WITHIN: Duration = Duration::from_secs(6);

/// Why a server said nothing.
#[derive(Debug, Error)]
pub enum OutsideError {
    /// There was no answer.
    #[error("{0}")]
    Silent(String),
    /// The answer does not contain it.
    #[error("{0} did not say it")]
    Unsaid(&'static str),
}

/// The network from which this machine's HTTPS requests come, through the machine's proxy if it has one. Where the machine has IPv6,
/// it is the one of that.
///
/// # Errors
/// There is no answer, or it names no network.
pub async fn network(client: &Client) -> Result<IpNet, OutsideError> {
    let answer = client.http(Api::Compute).get(RESOLVER).timeout(WITHIN);
    let answer = answer.send().await.map_err(silent)?;
    let text = answer.text().await.map_err(silent)?;
    subnet(&text).ok_or(OutsideError::Unsaid("dns.google"))
}

/// The time of the server of an API, from the header of any answer.
///
/// # Errors
/// There is no answer, or it has no time.
pub async fn time(client: &Client, api: Api) -> Result<Timestamp, OutsideError> {
    let url = format!("{}/", client.endpoints().origin(api));
    let answer = client.http(api).get(url).timeout(WITHIN);
    let answer = answer.send().await.map_err(silent)?;
    let date = answer.headers().get(DATE);
    let date = date.and_then(|date| date.to_str().ok()).and_then(read_date);
    date.ok_or(OutsideError::Unsaid("the server"))
}

fn silent(error: reqwest::Error) -> OutsideError {
    OutsideError::Silent(causes(&error.without_url()))
}

/// The network in the resolver's answer. Pure.
fn subnet(text: &str) -> Option<IpNet> {
    let answer: Value = serde_json::from_str(text).ok()?;
    let records = answer.get("Answer")?.as_array()?;
    let texts = records.iter().filter_map(|record| record["data"].as_str());
    texts
        .filter_map(|text| text.trim_matches('"').strip_prefix(SUBNET))
        .find_map(|network| network.parse().ok())
}

/// A date as HTTP writes it. Pure.
fn read_date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_network_is_read_from_the_resolvers_answer() {
        let answer = r#"{"Status": 0, "Answer": [
            {"name": "o-o.myaddr.l.google.com.", "type": 16, "TTL": 60, "data": "\"172.217.40.1\""},
            {"name": "o-o.myaddr.l.google.com.", "type": 16, "TTL": 60, "data": "\"edns0-client-subnet 203.0.113.0/24\""}]}"#;
        assert_eq!(subnet(answer), "203.0.113.0/24".parse().ok());
        let answer = answer.replace("203.0.113.0/24", "2001:db8:1::/56");
        assert_eq!(subnet(&answer), "2001:db8:1::/56".parse().ok());
        for text in [
            "",
            "{}",
            r#"{"Answer": [{"data": "x"}]}"#,
            r#"{"Answer": [{"data": "edns0-client-subnet x"}]}"#,
        ] {
            assert_eq!(subnet(text), None, "{text}");
        }
    }

    #[test]
    fn a_date_is_read_as_http_writes_it() {
        let expected = "2026-11-30T14:02:03Z".parse().ok();
        assert_eq!(read_date("Mon, 30 Nov 2026 14:02:03 GMT"), expected);
        assert_eq!(read_date("yesterday"), None);
    }
}
