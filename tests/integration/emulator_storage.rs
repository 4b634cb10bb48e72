//! The emulator's storage, over HTTP.

use crate::common::emulator::{Cloud, message, reason};
use serde_json::{Value, json};

const BUCKETS: &str = "/storage.googleapis.com/storage/v1/b";
const BUCKET: &str = "/storage.googleapis.com/storage/v1/b/demo-proj-bucket";

async fn cloud() -> Cloud {
    let cloud = Cloud::start().await;
    let (status, bucket) = cloud
        .post(
            &format!("{BUCKETS}?project=demo-proj"),
            json!({"name": "demo-proj-bucket"}),
        )
        .await;
    assert_eq!(status, 200, "{bucket}");
    cloud
}

async fn upload(cloud: &Cloud, name: &str, bytes: &'static [u8]) -> Value {
    let path = format!("/upload/storage/v1/b/demo-proj-bucket/o?uploadType=media&name={name}");
    let request = cloud
        .raw("POST", &path)
        .header("content-type", "text/plain")
        .body(bytes);
    request.send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn a_bucket_is_what_google_makes_of_a_name() {
    let cloud = cloud().await;
    let (_, bucket) = cloud.get(BUCKET).await;
    let constants = [
        ("kind", json!("storage#bucket")),
        ("id", json!("demo-proj-bucket")),
        ("location", json!("US")),
        ("locationType", json!("multi-region")),
        ("rpo", json!("DEFAULT")),
        ("metageneration", json!("1")),
        ("etag", json!("CAE=")),
        ("storageClass", json!("STANDARD")),
    ];
    for (field, value) in constants {
        assert_eq!(bucket[field], value, "{field}");
    }
    assert_eq!(
        bucket["iamConfiguration"]["uniformBucketLevelAccess"],
        json!({"enabled": false})
    );
    let (status, patched) = cloud.patch(BUCKET, json!({"labels": {"a": "b"}})).await;
    assert_eq!(
        (status, &patched["metageneration"], &patched["etag"]),
        (200, &json!("2"), &json!("CAI="))
    );
    let (status, _) = cloud
        .patch(
            &format!("{BUCKET}?ifMetagenerationMatch=1"),
            json!({"labels": null}),
        )
        .await;
    assert_eq!(status, 412);
    let region = json!({"name": "demo-proj-region", "location": "us-central1"});
    let (_, region) = cloud
        .post(&format!("{BUCKETS}?project=demo-proj"), region)
        .await;
    assert_eq!(
        (&region["location"], &region["locationType"]),
        (&json!("US-CENTRAL1"), &json!("region"))
    );
    assert!(region.get("rpo").is_none());
    let (_, listed) = cloud.get(&format!("{BUCKETS}?project=demo-proj")).await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn bucket_names_belong_to_the_whole_world() {
    let cloud = cloud().await;
    let cases = [
        (
            "demo-proj",
            "demo-proj-bucket",
            409,
            "Your previous request to create the named bucket succeeded and you already own it.",
        ),
        (
            "other-proj",
            "demo-proj-bucket",
            409,
            "The requested bucket name is not available.",
        ),
        (
            "demo-proj",
            "Not_A_Name",
            400,
            "Invalid bucket name: 'Not_A_Name'",
        ),
    ];
    for (project, name, status, words) in cases {
        let (got, refusal) = cloud
            .post(
                &format!("{BUCKETS}?project={project}"),
                json!({"name": name}),
            )
            .await;
        assert_eq!(got, status, "{refusal}");
        assert!(message(&refusal).starts_with(words), "{refusal}");
    }
}

#[tokio::test]
async fn bytes_come_back_as_they_went() {
    let cloud = cloud().await;
    let object = upload(&cloud, "dir%2Fhello", b"hello\n").await;
    assert_eq!(object["name"], "dir/hello");
    assert_eq!(
        (&object["size"], &object["contentType"]),
        (&json!("6"), &json!("text/plain"))
    );
    // The sums of "hello\n", as gsutil prints them.
    assert_eq!(object["md5Hash"], "sZRqySSS0jR8YjW00mERhA==");
    assert_eq!(object["crc32c"], "NT3Yvg==");
    let generation = object["generation"].as_str().unwrap();
    assert_eq!(
        object["id"],
        format!("demo-proj-bucket/dir/hello/{generation}")
    );

    for path in [
        format!("{BUCKET}/o/dir%2Fhello?alt=media"),
        format!(
            "/download/storage/v1/b/demo-proj-bucket/o/dir%2Fhello?alt=media&generation={generation}"
        ),
    ] {
        let response = cloud.raw("GET", &path).send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/plain");
        assert_eq!(response.headers()["x-goog-generation"], generation);
        assert_eq!(
            response.bytes().await.unwrap().as_ref(),
            b"hello\n",
            "{path}"
        );
    }
    let (_, metadata) = cloud.get(&format!("{BUCKET}/o/dir%2Fhello")).await;
    assert_eq!(metadata, object);

    let body = "--b\r\nContent-Type: application/json\r\n\r\n{\"name\": \"two\", \"contentType\": \"text/css\"}\r\n\
        --b\r\nContent-Type: text/plain\r\n\r\na\r\nb\r\n--b--";
    let path =
        "/storage.googleapis.com/upload/storage/v1/b/demo-proj-bucket/o?uploadType=multipart";
    let request = cloud
        .raw("POST", path)
        .header("content-type", "multipart/related; boundary=b")
        .body(body);
    let object: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(
        (&object["size"], &object["contentType"]),
        (&json!("4"), &json!("text/css"))
    );
}

#[tokio::test]
async fn objects_are_listed_by_name_and_deleted_by_generation() {
    let cloud = cloud().await;
    assert_eq!(
        cloud.get(&format!("{BUCKET}/o")).await.1,
        json!({"kind": "storage#objects"})
    );
    for name in ["b", "a%2Fx", "a%2Fy", "c"] {
        upload(&cloud, name, b"1").await;
    }
    let names = |body: &Value| -> Vec<String> {
        body["items"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|item| item["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        names(&cloud.get(&format!("{BUCKET}/o?versions=True")).await.1),
        ["a/x", "a/y", "b", "c"]
    );
    let (_, top) = cloud.get(&format!("{BUCKET}/o?delimiter=/")).await;
    assert_eq!(
        (names(&top), &top["prefixes"]),
        (vec!["b".to_owned(), "c".to_owned()], &json!(["a/"]))
    );

    assert_eq!(
        cloud.delete(&format!("{BUCKET}/o/b?generation=1")).await.0,
        404
    );
    let generation = cloud.get(&format!("{BUCKET}/o/b")).await.1["generation"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        cloud
            .delete(&format!("{BUCKET}/o/b?generation={generation}"))
            .await,
        (204, Value::Null)
    );
    let (status, refusal) = cloud.get(&format!("{BUCKET}/o/b")).await;
    assert_eq!(
        (status, message(&refusal)),
        (404, "No such object: demo-proj-bucket/b")
    );

    let (status, refusal) = cloud.delete(BUCKET).await;
    assert_eq!(
        (status, message(&refusal)),
        (409, "The bucket you tried to delete is not empty.")
    );
    for name in ["a%2Fx", "a%2Fy", "c"] {
        cloud.delete(&format!("{BUCKET}/o/{name}")).await;
    }
    assert_eq!(
        cloud.get(&format!("{BUCKET}/storageLayout")).await.1["locationType"],
        "multi-region"
    );
    assert_eq!(
        cloud.get(&format!("{BUCKET}/managedFolders")).await.1,
        json!({"kind": "storage#managedFolders"})
    );
    assert_eq!(cloud.delete(BUCKET).await, (204, Value::Null));
    let (status, refusal) = cloud.get(BUCKET).await;
    assert_eq!(
        (status, reason(&refusal), message(&refusal)),
        (404, "notFound", "The specified bucket does not exist.")
    );
    assert!(
        cloud.running.inventory().is_empty(),
        "{:?}",
        cloud.running.inventory()
    );
}

#[tokio::test]
async fn an_upload_can_insist_that_nothing_is_there() {
    let cloud = cloud().await;
    let path =
        "/upload/storage/v1/b/demo-proj-bucket/o?uploadType=media&name=x&ifGenerationMatch=0";
    let first = cloud.raw("POST", path).body("1").send().await.unwrap();
    let second = cloud.raw("POST", path).body("2").send().await.unwrap();
    assert_eq!(
        (first.status().as_u16(), second.status().as_u16()),
        (200, 412)
    );
}

#[tokio::test]
async fn a_policy_is_replaced_under_its_etag() {
    let cloud = cloud().await;
    let path = format!("{BUCKET}/iam");
    let (_, mut policy) = cloud
        .get(&format!("{path}?optionsRequestedPolicyVersion=3"))
        .await;
    assert_eq!(policy["resourceId"], "projects/_/buckets/demo-proj-bucket");
    assert_eq!(
        policy["bindings"][0]["role"],
        "roles/storage.legacyBucketOwner"
    );
    assert_eq!(
        policy["bindings"][0]["members"],
        json!(["projectEditor:demo-proj", "projectOwner:demo-proj"])
    );
    let stale = policy.clone();
    policy["version"] = json!(3);
    let readers =
        json!({"role": "roles/storage.objectViewer", "members": ["user:reader@example.com"]});
    policy["bindings"].as_array_mut().unwrap().push(readers);
    let (status, set) = cloud.put(&path, policy.clone()).await;
    assert_eq!((status, &set["version"]), (200, &json!(1)), "{set}");
    assert_ne!(set["etag"], stale["etag"]);
    assert_eq!(cloud.get(&path).await.1["bindings"], policy["bindings"]);
    let (status, refusal) = cloud.put(&path, stale).await;
    assert_eq!((status, reason(&refusal)), (412, "conditionNotMet"));

    policy["etag"] = set["etag"].clone();
    policy["bindings"][2]["members"] =
        json!(["serviceAccount:none@demo-proj.iam.gserviceaccount.com"]);
    let (status, refusal) = cloud.put(&path, policy).await;
    let words = "Service account none@demo-proj.iam.gserviceaccount.com does not exist.";
    assert_eq!((status, message(&refusal)), (400, words));
}
