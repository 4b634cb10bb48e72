//! The client against servers that are not what they should be, or that try to obtain what they must not have.

use std::io::Write;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use serde_json::json;

use super::scripted::{Reply, Scripted};
use super::wire_tests::{client, get, refusal, token_file};
use super::{Api, Call, Class, Client, Endpoints, MayHaveApplied, NoWatch, answer};

#[tokio::test]
async fn a_redirect_is_not_followed_and_takes_no_token_along() {
    let other = Scripted::plays([Reply::Json(200, json!({}))]).await;
    let header = format!("location: {}/x\r\n", other.base());
    let server = Scripted::plays([Reply::Raw(302, header, String::new())]).await;
    let folder = tempfile::tempdir().unwrap();
    let auth = token_file(&folder, "secret-token");
    let client = Client::new(Endpoints::emulator(&server.base()), auth).unwrap();
    let error = client.send(&get(), &NoWatch).await.unwrap_err();
    assert_eq!(
        server.seen()[0].header("authorization"),
        Some("Bearer secret-token")
    );
    assert!(other.seen().is_empty());
    assert_eq!(error.class, Class::Other);
    assert_eq!(
        error.to_string(),
        format!(
            "a redirect to {}/x was not followed (HTTP 302)",
            other.base()
        )
    );
}

#[tokio::test]
async fn words_that_repeat_the_token_are_told_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let auth = token_file(&folder, "ya29.secret-token");
    let page = "<html>Blocked: Authorization: Bearer ya29.secret-token</html>";
    let script = [
        Reply::Raw(403, String::new(), page.into()),
        refusal(403, "ya29.secret-token may not"),
        Reply::Raw(
            302,
            "location: http://x/?t=ya29.secret-token\r\n".into(),
            String::new(),
        ),
        Reply::Raw(200, String::new(), page.into()),
        Reply::Json(
            403,
            json!({"error": {"errors": [{"reason": "ya29.secret-token"}], "message": "x"}}),
        ),
    ];
    let told = script.len();
    let server = Scripted::plays(script).await;
    let client = Client::new(Endpoints::emulator(&server.base()), auth).unwrap();
    for _ in 0..told {
        let error = client.send(&get(), &NoWatch).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("secret-token"), "{shown}");
        assert!(shown.contains("(the access token)"), "{shown}");
    }
}

/// A long message is reduced to its beginning, and that may contain most of a token.
#[tokio::test]
async fn no_part_of_a_token_is_told_where_words_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    let token = format!("ya29.{}", "secret".repeat(30));
    let auth = token_file(&folder, &token);
    let before = |length: usize| "x".repeat(length);
    let to = format!("location: /?{}{token}\r\n", before(1_950));
    let script = [
        Reply::Raw(403, String::new(), format!("{} {token}", before(130))),
        Reply::Raw(200, String::new(), format!("{} {token}", before(130))),
        refusal(403, &format!("{} {token}", before(1_950))),
        Reply::Raw(302, to, String::new()),
    ];
    let told = script.len();
    let server = Scripted::plays(script).await;
    let client = Client::new(Endpoints::emulator(&server.base()), auth).unwrap();
    for _ in 0..told {
        let error = client.send(&get(), &NoWatch).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("xxx"), "{shown}");
        assert!(!shown.contains("secret"), "{shown}");
    }
}

#[tokio::test]
async fn where_a_redirect_leads_is_not_told_without_end() {
    let header = format!("location: http://x/{}\r\n", "y".repeat(20_000));
    let server = Scripted::plays([Reply::Raw(302, header, String::new())]).await;
    let error = client(&server).send(&get(), &NoWatch).await.unwrap_err();
    assert!(error.message.len() < 3_000, "{}", error.message.len());
}

#[test]
fn what_is_no_number_of_seconds_asks_for_no_pause() {
    let call = Call::get(Api::Dns, "x");
    for (said, seconds) in [
        ("7", Some(7)),
        ("0", Some(0)),
        ("18446744073709551615", Some(u64::MAX)),
        ("18446744073709551616", None),
        ("-1", None),
        ("1e9", None),
        ("", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", None),
    ] {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(said))]);
        let error = answer::read(&call, StatusCode::TOO_MANY_REQUESTS, &headers, b"").unwrap_err();
        let pause = error.retry_after;
        assert_eq!(pause, seconds.map(Duration::from_secs), "{said:?}");
    }
}

#[test]
fn what_is_asked_to_wait_longer_than_anybody_waits_is_no_rate() {
    let call = Call::get(Api::Dns, "x");
    for (said, class) in [("60", Class::RateLimited), ("3600", Class::QuotaExceeded)] {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(said))]);
        let error = answer::read(&call, StatusCode::TOO_MANY_REQUESTS, &headers, b"").unwrap_err();
        assert_eq!(error.class, class, "{said}");
    }
}

#[tokio::test]
async fn a_name_does_not_lead_to_another_path() {
    let server = Scripted::plays([]).await;
    for name in [
        "..",
        ".",
        "%2E.",
        "%2e%2e",
        "x/../../y",
        "x?y=z",
        "x#y",
        "\\..\\y",
        "x\\y",
        "x/./y",
        "%2E%2e/y",
        // URL parsers skip these characters.
        ".\t./y",
        ".\n.",
        "\r..",
        "%2\te.",
        "x ",
        "x\u{a0}",
    ] {
        let call = Call::delete(Api::Compute, format!("projects/p/global/networks/{name}"));
        let error = client(&server).send(&call, &NoWatch).await.unwrap_err();
        assert_eq!(
            (error.class, error.left_machine),
            (Class::BadRequest, MayHaveApplied::No)
        );
    }
    assert!(server.seen().is_empty());
}

/// Mebibytes of spaces, compressed to a thousandth of their size.
fn packed(mebibytes: usize) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let spaces = vec![b' '; 1 << 20];
    for _ in 0..mebibytes {
        packer.write_all(&spaces).unwrap();
    }
    packer.finish().unwrap()
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    for (headers, body) in [
        ("", vec![b' '; 33 << 20]),
        ("content-encoding: gzip\r\n", packed(33)),
    ] {
        let server = Scripted::plays([Reply::Bytes(200, headers.into(), body)]).await;
        let client = client(&server);
        let error = client.send(&get(), &NoWatch).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "an answer longer than 32 MiB was not read (HTTP 200)"
        );
        assert_eq!(server.seen().len(), 1, "and not asked for again");
    }
}

#[tokio::test]
async fn an_answer_of_ten_thousand_levels_is_an_error() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for code in [200, 400] {
        let server = Scripted::plays([Reply::Raw(code, String::new(), deep.clone())]).await;
        let error = client(&server).send(&get(), &NoWatch).await.unwrap_err();
        assert!(error.to_string().contains("not JSON"), "{error}");
    }
}

#[tokio::test]
async fn a_list_without_end_ends() {
    let page = || Reply::Json(200, json!({"items": [1], "nextPageToken": "again"}));
    let server = Scripted::plays((0..1_100).map(|_| page())).await;
    let listed = client(&server).list(&get(), "items", &NoWatch).await;
    assert_eq!(
        listed.unwrap_err().to_string(),
        "the list does not end after 1000 pages"
    );
}

#[tokio::test]
async fn an_aggregated_list_is_read_whole_and_ends() {
    let page = |zone: &str, next: &str| {
        let groups = json!({"networkEndpointGroups": [zone]});
        let none = json!({"warning": {"code": "NO_RESULTS_ON_PAGE"}});
        Reply::Json(
            200,
            json!({"items": {zone: groups, "zones/none": none}, "nextPageToken": next}),
        )
    };
    let server =
        Scripted::plays([page("a", "2"), Reply::Json(200, json!([])), page("b", "")]).await;
    let client = client(&server);
    let within = "networkEndpointGroups";
    let list = async || client.list_aggregated(&get(), within, &NoWatch).await;
    // An answer that is not an object has no next page.
    assert_eq!(list().await.unwrap(), ["a"]);
    assert_eq!(list().await.unwrap(), ["b"]);

    let server = Scripted::plays((0..1_100).map(|_| page("a", "again"))).await;
    let listed = super::wire_tests::client(&server);
    let listed = listed.list_aggregated(&get(), within, &NoWatch).await;
    let told = listed.unwrap_err().to_string();
    assert_eq!(told, "the list does not end after 1000 pages");
}
