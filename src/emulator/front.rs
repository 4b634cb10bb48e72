//! The front end of every API: from a call on the wire to a checked [`Request`], and from its answer back.
//!
//! Google's front ends do the same before any service sees a request: find the method, find the project, see that the API is
//! enabled there, hold the request against the schema.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::answer::{Body, ErrorResponse, Response};
use super::apis::{self, Api};
use super::check;
use super::clock::Millis;
use super::discovery::{self, Matched, Media};
use super::fields;
use super::multipart;
use super::project_lookup;
use super::request::{Request, Upload};
use super::schema::Violation;
use super::world::World;

/// The reason of a refusal by a front end that does not know the API. It is never printed.
const UNHEARD_OF: &str = "unheardOf";

/// A call as it came, alone or as a part of a batch.
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// The HTTP method.
    pub method: String,
    /// Path and query, as they came.
    pub target: String,
    /// The content type, if one was given.
    pub content_type: Option<String>,
    /// The body; empty when there is none.
    pub body: Vec<u8>,
    /// Where this emulator listens.
    pub base: String,
}

/// An answer on the wire.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The HTTP status.
    pub http: u16,
    /// Headers, the content type included.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// A long poll: ask again at this instant before replying.
    pub hold: Option<Millis>,
}

impl Call {
    /// The path without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The query as it came.
    pub fn raw_query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    fn query(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(self.raw_query().as_bytes())
            .into_owned()
            .collect()
    }
}

/// Answers one call.
pub fn answer(world: &mut World, call: &Call) -> Reply {
    let Some(matched) = discovery::route(&call.method, &canonical(call.path())) else {
        return unrouted(call.path());
    };
    let api = matched.api();
    match served(world, call, &matched) {
        Ok(answer) => reply(api, answer),
        Err(refusal) if refusal.reason == UNHEARD_OF => unrouted(call.path()),
        Err(refused) => refusal(api, &refused),
    }
}

/// Downloads have a path of their own beside the method's (`useMediaDownloadService` in the discovery document), and Google's
/// clients derive it from the root of a host; it leads to the method.
fn canonical(path: &str) -> Cow<'_, str> {
    let bare = path.strip_prefix("/storage.googleapis.com").unwrap_or(path);
    match bare.strip_prefix("/download/") {
        Some(rest) => Cow::Owned(format!("/storage.googleapis.com/{rest}")),
        None => Cow::Borrowed(path),
    }
}

fn served(world: &mut World, call: &Call, matched: &Matched) -> Result<Response, ErrorResponse> {
    let mut request = Request {
        api: matched.api().to_owned(),
        method_id: matched.method.id.clone(),
        params: matched.params.clone(),
        base: call.base.clone(),
        ..Request::default()
    };
    let row =
        apis::find(&request.api).ok_or_else(|| ErrorResponse::not_served(&request.method_id))?;
    let query = call.query();
    admit(world, row, &mut request, &query)?;
    let (body, upload) = content(call, matched)?;
    let checked =
        check::check(matched, &query, body.as_ref()).map_err(|violations| refused(&violations))?;
    (request.query, request.body, request.upload) = (checked.query, checked.body, upload);
    let mut answer = (row.serve)(world, &request)?;
    if let (Body::Json(value), Some(mask)) = (&mut answer.body, request.query("fields")) {
        *value = fields::select(value.take(), mask);
    }
    Ok(answer)
}

/// Finds the project that a request is about, puts its id where its number stood, and sees that it has enabled the API.
fn admit(
    world: &mut World,
    row: &Api,
    request: &mut Request,
    query: &[(String, String)],
) -> Result<(), ErrorResponse> {
    let Some(named) = project_of(request, query) else {
        return Ok(());
    };
    // Only Resource Manager still knows a deleted project.
    let project = match row.name {
        "cloudresourcemanager" => world
            .project(&named)
            .ok_or_else(ErrorResponse::no_project)?,
        _ => project_lookup::named(world, &named)?,
    };
    if project.id != named {
        for value in request.params.values_mut() {
            if *value == named {
                value.clone_from(&project.id);
            } else if let Some(rest) = value.strip_prefix(&format!("projects/{named}")) {
                *value = format!("projects/{}{rest}", project.id);
            }
        }
    }
    if !row.gated {
        return Ok(());
    }
    let service = format!("{}.googleapis.com", row.name);
    let number = project.number.to_string();
    let name = if row.by_number {
        number.as_str()
    } else {
        project.id.as_str()
    };
    let disabled = || ErrorResponse::service_disabled(name, project.number, &service, row.title());
    let since = world
        .enabled_since(&project.id, &service)
        .ok_or_else(disabled)?;
    // An API that was enabled a moment ago still refuses requests (reported; the duration is not documented).
    if world.now() < since + world.duration("services.propagation") {
        // A front end that does not know the API yet answers with a page (reported; how often is not documented).
        let asked = world.count(&format!("front.young/{}/{service}", project.id));
        return Err(match asked % 3 {
            2 => ErrorResponse {
                reason: UNHEARD_OF,
                ..ErrorResponse::not_found("")
            },
            _ => disabled(),
        });
    }
    Ok(())
}

/// The project that a request names, by id or number; none where a wildcard stands for it.
fn project_of(request: &Request, query: &[(String, String)]) -> Option<String> {
    let direct = ["project", "projectId", "projectsId"]
        .into_iter()
        .find_map(|name| request.params.get(name).cloned());
    let within = || {
        let names = request
            .params
            .values()
            .filter_map(|value| value.strip_prefix("projects/"));
        names
            .filter_map(|rest| rest.split(['/', ':']).next())
            .map(str::to_owned)
            .next()
    };
    let asked = || {
        query
            .iter()
            .find(|(name, _)| name == "project")
            .map(|(_, value)| value.clone())
    };
    direct
        .or_else(within)
        .or_else(asked)
        .filter(|name| !matches!(name.as_str(), "-" | "_"))
}

/// The JSON and the media of a call.
fn content(
    call: &Call,
    matched: &Matched,
) -> Result<(Option<Value>, Option<Upload>), ErrorResponse> {
    let upload_type = call
        .query()
        .into_iter()
        .find(|(name, _)| name == "uploadType")
        .map(|(_, value)| value);
    match (matched.media, upload_type.as_deref()) {
        (Media::None, _) => Ok((json_of(&call.body)?, None)),
        (Media::Simple, Some("media")) => {
            let upload = Upload {
                content_type: call.content_type.clone(),
                bytes: call.body.clone(),
            };
            Ok((None, Some(upload)))
        }
        (Media::Simple, Some("multipart")) => {
            let parts = call
                .content_type
                .as_deref()
                .and_then(|kind| multipart::parts(kind, &call.body));
            let Some([metadata, media]) = parts.as_deref() else {
                return Err(ErrorResponse::bad_request("Malformed multipart body."));
            };
            let content_type = media.header("content-type").map(str::to_owned);
            let upload = Upload {
                content_type,
                bytes: media.body.clone(),
            };
            Ok((json_of(&metadata.body)?, Some(upload)))
        }
        // Resumable uploads are for files of many megabytes; nothing of the tutorial is one.
        _ => Err(ErrorResponse::not_served("a resumable upload")),
    }
}

fn json_of(body: &[u8]) -> Result<Option<Value>, ErrorResponse> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    serde_json::from_slice(body).map(Some).map_err(|error| {
        ErrorResponse::bad_request(format!("Invalid JSON payload received. {error}"))
    })
}

/// All that is wrong with a request, in one refusal as Google makes it.
fn refused(violations: &[Violation]) -> ErrorResponse {
    let lines: Vec<&str> = violations.iter().map(|one| one.message.as_str()).collect();
    let fields: Vec<Value> = violations
        .iter()
        .map(|one| json!({"field": one.field, "description": one.message}))
        .collect();
    let reason = violations.first().map_or("badRequest", |one| one.reason);
    let refusal = ErrorResponse {
        reason,
        ..ErrorResponse::bad_request(lines.join("\n"))
    };
    refusal.with_detail(
        json!({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": fields}),
    )
}

fn reply(api: &str, answer: Response) -> Reply {
    let mut reply = match answer.body {
        Body::Json(value) => json_reply(api, answer.http, &value),
        Body::Empty => Reply {
            http: answer.http,
            headers: usual_headers(api, "application/json"),
            body: Vec::new(),
            hold: None,
        },
        Body::Media {
            content_type,
            bytes,
        } => Reply {
            http: answer.http,
            headers: usual_headers(api, &content_type),
            body: bytes,
            hold: None,
        },
    };
    reply.headers.extend(answer.headers);
    reply.hold = answer.hold;
    reply
}

/// A refusal as an API prints it.
pub fn refusal(api: &str, refused: &ErrorResponse) -> Reply {
    json_reply(api, refused.http, &refused.envelope(api))
}

fn json_reply(api: &str, http: u16, value: &Value) -> Reply {
    let mut body = format!("{value:#}").into_bytes();
    body.push(b'\n');
    Reply {
        http,
        headers: usual_headers(api, "application/json; charset=UTF-8"),
        body,
        hold: None,
    }
}

/// The headers that Google's front ends send, those that a client could look at.
fn usual_headers(api: &str, content_type: &str) -> Vec<(&'static str, String)> {
    let fixed: &[(&str, &str)] = if api == "storage" {
        &[
            ("server", "UploadServer"),
            ("vary", "Origin"),
            ("vary", "X-Origin"),
        ]
    } else {
        &[
            ("server", "ESF"),
            ("vary", "Origin"),
            ("vary", "X-Origin"),
            ("vary", "Referer"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "SAMEORIGIN"),
            ("x-xss-protection", "0"),
        ]
    };
    let own = std::iter::once(("content-type", content_type));
    own.chain(fixed.iter().copied())
        .map(|(name, value)| (name, value.to_owned()))
        .collect()
}

/// A path that is no method: a page of HTML, as Google answers it.
fn unrouted(path: &str) -> Reply {
    let shown = percent_decode_str(path)
        .decode_utf8_lossy()
        .replace(['<', '>', '&'], "");
    let page = format!(
        "<!DOCTYPE html>\n<title>Error 404 (Not Found)!!1</title>\n<p>The requested URL <code>{shown}</code> was not found on this server."
    );
    let headers = vec![("content-type", "text/html; charset=UTF-8".to_owned())];
    Reply {
        http: 404,
        headers,
        body: page.into_bytes(),
        hold: None,
    }
}
