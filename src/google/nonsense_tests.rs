//! Answers that make no sense: for any answer there is a readable error, and nothing panics or hangs.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use serde_json::{Value, json};

use super::envelope::Refusal;
use super::scripted::{Reply, Scripted};
use super::{
    Api, ApiError, Auth, Call, Class, Client, Dialect, Endpoints, NoWatch, Operation, answer,
};

const DIALECTS: [Dialect; 4] = [
    Dialect::Compute,
    Dialect::Container,
    Dialect::LongRunning,
    Dialect::DnsChange,
];

/// The field names that the parsers search for, so that nonsense occurs where meaningful values are expected.
const FIELDS: &str = "error|errors|message|status|code|details|@type|reason|name|done|id|kind|progress|metadata|detail|\
    statusMessage|statusDetail|httpErrorStatusCode|clusterConditions|nodepoolConditions|x";
const TEXTS: &str = "|DONE|done|RUNNING|PENDING|type.googleapis.com/google.rpc.ErrorInfo|dns#operation|\
    operations/noop.DONE_OPERATION|[^a]{0,9}|/{0,3}";

/// Any JSON, made of meaningful words.
fn nonsense() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0u64..600).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        TEXTS.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((FIELDS, inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// An error is a sentence that fits on a screen.
fn readable(error: &ApiError) -> Result<(), TestCaseError> {
    let words = error.to_string();
    prop_assert!(!words.trim().is_empty());
    prop_assert!(words.chars().count() < 6_100, "{} characters", words.len());
    // There may be a hint or not; calling the function does not panic.
    let _ = error.hint();
    Ok(())
}

proptest! {
    #[test]
    fn any_answer_is_read_or_refused(
        code in 100u16..600,
        body in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            nonsense().prop_map(|value| value.to_string().into_bytes()),
            "<[a-z]{1,4}>?[^<]{0,40}(</p>)?".prop_map(String::into_bytes),
        ],
        header in proptest::collection::vec(32u8..255, 0..20),
    ) {
        let call = Call::post(Api::Compute, "projects/p/global/networks");
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_bytes(&header) {
            headers.insert(LOCATION, value.clone());
            headers.insert(RETRY_AFTER, value);
        }
        let status = StatusCode::from_u16(code).unwrap();
        match answer::read(&call, status, &headers, &body) {
            Ok(_) => prop_assert!(status.is_success()),
            Err(error) => {
                prop_assert_eq!(error.http, Some(code));
                readable(&error)?;
            }
        }
    }

    #[test]
    fn any_operation_has_a_state_and_an_end(value in nonsense(), path in "[a-z/%0-9]{0,30}") {
        let call = Call::post(Api::Container, path);
        prop_assert!(!Refusal::of_operation(&value).message.is_empty());
        for dialect in DIALECTS {
            let _ = dialect.progress(&value);
            if let Err(error) = Operation::of(dialect, &call, &value) {
                prop_assert!(error.of_operation);
                readable(&error)?;
            }
        }
    }

    #[test]
    fn a_recorded_refusal_with_a_hole_in_it_is_still_one(
        row in any::<prop::sample::Index>(),
        hole in any::<prop::sample::Index>(),
        with in nonsense(),
    ) {
        let rows: Vec<Value> =
            serde_json::from_str(include_str!("../../fixtures/errors.json")).unwrap();
        let mut body = row.get(&rows)["body"].clone();
        let mut pointers = Vec::new();
        walk(&body, String::new(), &mut pointers);
        if let Some(place) = body.pointer_mut(&pointers[hole.index(pointers.len())]) {
            *place = with;
        }
        let call = Call::get(Api::Compute, "projects/p");
        let error = ApiError::refused(&call, Refusal::of_answer(409, body.to_string().as_bytes()));
        readable(&error)?;
        readable(&ApiError::operation(&call, &body))?;
    }
}

/// The JSON pointers of all parts of a value, including the value itself.
fn walk(value: &Value, at: String, all: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                walk(
                    value,
                    format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")),
                    all,
                );
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                walk(value, format!("{at}/{index}"), all);
            }
        }
        _ => {}
    }
    all.push(at);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn polling_nonsense_ends_when_the_time_is_up(
        answers in proptest::collection::vec(nonsense(), 1..6),
        dialect in prop::sample::select(DIALECTS.to_vec()),
    ) {
        let within = Duration::from_millis(300);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (result, took) = runtime.block_on(async {
            // The last answer is repeated for every further request.
            let last = answers.last().cloned().unwrap_or(json!({}));
            let script = answers.into_iter().chain((0..50).map(|_| last.clone()));
            let server = Scripted::plays(script.map(|value| Reply::Json(200, value))).await;
            let client = Client::new(Endpoints::emulator(&server.base()), Auth::none()).unwrap();
            let operation = Operation { api: Api::Compute, dialect, path: "projects/p/global/operations/o".into() };
            let began = Instant::now();
            (operation.wait(&client, within, &NoWatch).await, began.elapsed())
        });
        prop_assert!(took < Duration::from_secs(10), "{took:?}");
        if let Err(error) = result {
            prop_assert!(error.of_operation || error.class == Class::Deadline, "{error:?}");
            readable(&error)?;
        }
    }
}
