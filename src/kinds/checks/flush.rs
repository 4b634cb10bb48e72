//! How late a proxy writes its log. Envoy buffers lines and writes them when enough bytes or enough time have accumulated. Its
//! admin endpoint reports the time.

use std::time::Duration;

use serde_json::Value;

use super::check::{CheckTarget, WITHIN};
use crate::cluster::ContainerRef;

/// The command that reads the proxy's command line options.
const ASK: [&str; 4] = ["pilot-agent", "request", "GET", "server_info"];
/// Envoy's own default of `--file-flush-interval-msec` (documentation of its command line). Istio's agent sets 1 s
/// (`pkg/envoy/proxy.go`).
const USUAL: Duration = Duration::from_secs(10);
/// The longest interval that is used; a longer one is reduced to it.
const LONGEST: Duration = Duration::from_secs(30);

/// The longest flush interval of these proxies. For a proxy that does not report one, Envoy's default counts.
pub async fn interval(place: &CheckTarget<'_>, proxies: &[ContainerRef]) -> Duration {
    let command = ASK.map(str::to_owned);
    let ask = |proxy| place.cluster.exec(proxy, &command, WITHIN);
    let told = futures_util::future::join_all(proxies.iter().map(ask)).await;
    let intervals = told.into_iter().map(|ran| {
        let said = ran.ok().filter(|ran| ran.code == 0);
        said.and_then(|ran| read(&ran.stdout)).unwrap_or(USUAL)
    });
    intervals.max().unwrap_or(USUAL)
}

/// The interval in the answer of `/server_info`: `command_line_options.file_flush_interval`, a duration in protobuf's JSON
/// format. Pure.
fn read(text: &str) -> Option<Duration> {
    let told: Value = serde_json::from_str(text).ok()?;
    let told = told.pointer("/command_line_options/file_flush_interval")?;
    let seconds: f64 = told.as_str()?.strip_suffix('s')?.parse().ok()?;
    let interval = Duration::try_from_secs_f64(seconds).ok()?;
    Some(interval.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_interval_is_what_the_proxy_runs_under() {
        for (told, expected) in [
            (json!("1s"), Some(1_000)),
            (json!("10s"), Some(10_000)),
            (json!("0.050s"), Some(50)),
            (json!("86400s"), Some(30_000)),
            (json!("-1s"), None),
            (json!("1"), None),
            (json!(1), None),
            (json!("infs"), None),
            (json!("NaNs"), None),
        ] {
            let text = json!({"command_line_options": {"file_flush_interval": told}}).to_string();
            let expected = expected.map(Duration::from_millis);
            assert_eq!(read(&text), expected, "{text}");
        }
        assert_eq!(read("no JSON"), None);
        assert_eq!(read("{}"), None);
    }
}
