//! What a token endpoint refuses is told in its own words, once, with what to do.

use serde_json::json;

use super::server::TokenServer;
use super::{key, login, write};
use crate::common::cloud::{Cloud, pointed_at};
use crate::common::program::User;

#[test]
fn the_endpoints_own_words_reach_the_reader() {
    let cloud = Cloud::new();
    let refused = |error: &str, words: &str| {
        let body = json!({"error": error, "error_description": words}).to_string();
        TokenServer::new(move |_| (400, body.clone()))
    };
    let by_key: fn(&TokenServer) -> serde_json::Value = key;
    for (error, words, file, hint) in [
        (
            "invalid_grant",
            "Invalid JWT Signature.",
            by_key,
            "hint: the key was deleted or disabled: `gcloud iam service-accounts keys list",
        ),
        (
            "invalid_grant",
            "reauth related error (invalid_rapt)",
            login,
            "hint: your organization asks for a new login after some hours: run `gcloud auth application-default login`",
        ),
        (
            "invalid_grant",
            "Token has been expired or revoked.",
            login,
            "hint: the login has expired or was revoked",
        ),
    ] {
        let server = refused(error, words);
        let user = pointed_at(User::new(), cloud.address())
            .with("CLOUDSDK_AUTH_DISABLE_CREDENTIALS", "false");
        let path = write(&user, "credentials.json", &file(&server).to_string());
        let user = user.with("GOOGLE_APPLICATION_CREDENTIALS", path);
        let before = cloud.seen().len();
        for verb in [
            &["up", "--yes"][..],
            &["down", "--yes"],
            &["status"],
            &["token"],
        ] {
            let said = user.run(verb).ends(1);
            let told = format!("says: {error}: {words} (HTTP 400)");
            assert_eq!(said.err.matches(&told).count(), 1, "{verb:?}: {}", said.err);
            assert!(said.err.contains(hint), "{verb:?}: {}", said.err);
        }
        assert_eq!(server.seen().len(), 4, "once a run");
        let sent = cloud.seen().into_iter().skip(before);
        let apis = sent.filter(|seen| seen.path.contains("googleapis.com"));
        assert_eq!(apis.count(), 0, "nothing was sent");
    }
}
