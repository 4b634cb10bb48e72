//! Objects: uploaded whole, downloaded whole.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::bucket_lookup::bucket;
use super::checksums;
use super::generations::{etag, preconditions, touched};
use crate::answer::{Body, ErrorResponse, Response};
use crate::clock;
use crate::request::Request;
use crate::world::World;

/// Where an object's bytes are kept beside its metadata; never printed.
pub const MEDIA: &str = "media in base64";

/// An upload. It replaces what was there.
pub fn insert(world: &mut World, request: &Request) -> Result<Response, ErrorResponse> {
    let (bucket_key, bucket) = bucket(world, request)?;
    let upload = request.upload.clone().unwrap_or_default();
    let name = request
        .query("name")
        .or_else(|| request.text("name"))
        .unwrap_or_default()
        .to_owned();
    if name.is_empty() {
        return Err(ErrorResponse::required("Required parameter: name"));
    }
    let key = format!("{bucket_key}/objects/{name}");
    preconditions(request, world.get(&key))?;
    let (md5, crc32c) = (
        checksums::md5(&upload.bytes),
        checksums::crc32c(&upload.bytes),
    );
    for (field, sum) in [("md5Hash", &md5), ("crc32c", &crc32c)] {
        if let Some(sent) = request.text(field).filter(|sent| sent != sum) {
            return Err(ErrorResponse::invalid(format!(
                "Provided {field} \"{sent}\" doesn't match calculated {field} \"{sum}\"."
            )));
        }
    }
    let generation =
        world.now() * 1_000 + i64::try_from(world.count("generation") % 1_000).unwrap_or(0);
    let now = clock::utc(world.now());
    let bucket_name = bucket["name"].as_str().unwrap_or_default();
    let link = format!("b/{bucket_name}/o/{}", escaped(&name));
    let content_type = request
        .text("contentType")
        .map(str::to_owned)
        .or(upload.content_type);
    let mut value = json!({
        "kind": "storage#object",
        "id": format!("{bucket_name}/{name}/{generation}"),
        "selfLink": format!("https://www.googleapis.com/storage/v1/{link}"),
        "mediaLink": format!("https://storage.googleapis.com/download/storage/v1/{link}?generation={generation}&alt=media"),
        "name": name,
        "bucket": bucket_name,
        "generation": generation.to_string(),
        "metageneration": "1",
        "contentType": content_type.unwrap_or_else(|| "application/octet-stream".to_owned()),
        "storageClass": bucket["storageClass"],
        "size": upload.bytes.len().to_string(),
        "md5Hash": md5,
        "crc32c": crc32c,
        "timeCreated": now,
        "updated": now,
        "timeStorageClassUpdated": now,
        "timeFinalized": now,
    });
    for field in CHANGEABLE {
        if let Some(sent) = request.body.get(*field) {
            value[*field] = sent.clone();
        }
    }
    value["etag"] = json!(etag(&value));
    value[MEDIA] = json!(STANDARD.encode(&upload.bytes));
    world.put(key, value.clone());
    Ok(shown(value).into())
}

/// GET: the metadata, or with `alt=media` the bytes.
pub fn get(world: &World, request: &Request) -> Result<Response, ErrorResponse> {
    let (_, value) = found(world, request)?;
    preconditions(request, Some(&value))?;
    if request.query("alt") != Some("media") {
        return Ok(shown(value).into());
    }
    let text = |field: &str| value[field].as_str().unwrap_or_default().to_owned();
    let bytes = STANDARD.decode(text(MEDIA)).unwrap_or_default();
    Ok(Response {
        http: 200,
        body: Body::Media {
            content_type: text("contentType"),
            bytes,
        },
        headers: vec![
            ("etag", text("etag")),
            ("x-goog-generation", text("generation")),
            ("x-goog-metageneration", text("metageneration")),
            ("x-goog-hash", format!("crc32c={}", text("crc32c"))),
            ("x-goog-hash", format!("md5={}", text("md5Hash"))),
            ("x-goog-stored-content-length", text("size")),
        ],
        hold: None,
    })
}

/// A bucket's objects in order of name: those under `prefix`, and with a `delimiter` the names up to it once each.
pub fn list(world: &World, request: &Request) -> Result<Response, ErrorResponse> {
    let (bucket_key, _) = bucket(world, request)?;
    let (prefix, delimiter) = (
        request.query("prefix").unwrap_or_default(),
        request.query("delimiter").unwrap_or_default(),
    );
    let start = format!("{bucket_key}/objects/");
    let mut objects = world.shuffled(&start, |key| key[start.len()..].starts_with(prefix));
    objects.sort_by_key(|(key, _)| *key);
    let (mut items, mut prefixes): (Vec<Value>, Vec<&str>) = (Vec::new(), Vec::new());
    for (key, value) in objects {
        let name = &key[start.len()..];
        let cut = if delimiter.is_empty() {
            None
        } else {
            name[prefix.len()..].find(delimiter)
        };
        match cut {
            Some(at) => prefixes.push(&name[..prefix.len() + at + delimiter.len()]),
            None => items.push(shown(value.clone())),
        }
    }
    prefixes.dedup();
    let size = request
        .query("maxResults")
        .and_then(|text| text.parse().ok())
        .unwrap_or(1_000)
        .clamp(1, 1_000_usize);
    let from: usize = request
        .query("pageToken")
        .and_then(|token| token.parse().ok())
        .unwrap_or(0);
    let page: Vec<&Value> = items.iter().skip(from).take(size).collect();
    let mut body = json!({ "kind": "storage#objects" });
    if !prefixes.is_empty() {
        body["prefixes"] = json!(prefixes);
    }
    if !page.is_empty() {
        body["items"] = json!(page);
    }
    if items.len() > from + size {
        body["nextPageToken"] = json!((from + size).to_string());
    }
    Ok(body.into())
}

/// PATCH of the metadata.
pub fn patch(world: &mut World, request: &Request) -> Result<Response, ErrorResponse> {
    let (key, mut value) = found(world, request)?;
    preconditions(request, Some(&value))?;
    for field in CHANGEABLE.iter().chain(&["contentType"]) {
        match request.body.get(*field) {
            Some(Value::Null) => {
                if let Value::Object(fields) = &mut value {
                    fields.remove(*field);
                }
            }
            Some(sent) => value[*field] = sent.clone(),
            None => {}
        }
    }
    let value = touched(value, clock::utc(world.now()));
    world.put(key, value.clone());
    Ok(shown(value).into())
}

/// DELETE.
pub fn delete(world: &mut World, request: &Request) -> Result<Response, ErrorResponse> {
    let (key, value) = found(world, request)?;
    preconditions(request, Some(&value))?;
    world.remove(&key);
    Ok(Response::no_content())
}

/// The metadata that a client may set, beside the content type.
const CHANGEABLE: &[&str] = &[
    "metadata",
    "cacheControl",
    "contentEncoding",
    "contentDisposition",
    "contentLanguage",
    "customTime",
];

/// The object that a request's path names, in the generation it names if it does.
fn found(world: &World, request: &Request) -> Result<(String, Value), ErrorResponse> {
    let (bucket_key, bucket) = bucket(world, request)?;
    let name = request.param("object");
    let key = format!("{bucket_key}/objects/{name}");
    let wanted = |value: &&Value| {
        request
            .query("generation")
            .is_none_or(|generation| value["generation"] == generation)
    };
    let value = world.get(&key).filter(wanted).cloned();
    let bucket = bucket["name"].as_str().unwrap_or_default();
    value
        .map(|value| (key, value))
        .ok_or_else(|| ErrorResponse::not_found(format!("No such object: {bucket}/{name}")))
}

/// The metadata as it is printed.
fn shown(mut value: Value) -> Value {
    if let Value::Object(fields) = &mut value {
        fields.remove(MEDIA);
    }
    value
}

/// An object's name as one segment of a path.
fn escaped(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}
