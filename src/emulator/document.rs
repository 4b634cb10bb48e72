//! One discovery document: its methods with their paths, and its schemas. Parsing only.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::template::Template;

/// One API in one version.
#[derive(Debug)]
pub struct Document {
    /// `compute`, `iam`: the first label of the host.
    pub api: String,
    /// `v1`, `v3`.
    pub version: String,
    /// Methods by id (`compute.networks.insert`).
    pub methods: BTreeMap<String, Method>,
    /// Schemas by name (`Network`).
    pub schemas: BTreeMap<String, Schema>,
    /// Query parameters that every method takes (`alt`, `fields`).
    pub parameters: BTreeMap<String, Parameter>,
}

/// One method.
#[derive(Debug)]
pub struct Method {
    /// `compute.networks.insert`.
    pub id: String,
    /// `GET`, `POST`, `PUT`, `PATCH`, `DELETE`.
    pub http_method: String,
    /// Path and query parameters by name.
    pub parameters: BTreeMap<String, Parameter>,
    /// Name of the schema of the body.
    pub request: Option<String>,
    /// Name of the schema of the answer; none answers without a body.
    pub response: Option<String>,
    /// The paths it answers, and the kind of request each takes.
    pub(super) routes: Vec<(Template, Media)>,
}

/// A parameter of a method.
#[derive(Debug, Clone, Deserialize)]
pub struct Parameter {
    /// `path` or `query`.
    pub location: String,
    /// `string`, `integer`, `boolean`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// Whether a request without it is refused.
    #[serde(default)]
    pub required: bool,
    /// The same, where Google says it only in the field's text.
    #[serde(rename = "x-required", default)]
    pub stated_required: bool,
    /// Whether it may come several times.
    #[serde(default)]
    pub repeated: bool,
    /// A regular expression that the whole value must match.
    pub pattern: Option<String>,
    /// The allowed values, if they are enumerated.
    #[serde(rename = "enum", default)]
    pub values: Vec<String>,
}

/// A schema, or a property of one. [`super::schema`] checks values against it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Schema {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) format: Option<String>,
    #[serde(rename = "$ref")]
    pub(super) reference: Option<String>,
    pub(super) properties: BTreeMap<String, Schema>,
    pub(super) items: Option<Box<Schema>>,
    pub(super) additional_properties: Option<Box<Schema>>,
    #[serde(rename = "enum")]
    pub(super) values: Vec<String>,
    pub(super) pattern: Option<String>,
    pub(super) read_only: bool,
    #[serde(rename = "x-required")]
    pub(super) stated_required: bool,
    pub(super) annotations: Annotations,
}

/// Google's annotations of a schema.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Annotations {
    pub(super) required: Vec<String>,
}

impl Schema {
    /// Whether it has a property of this name.
    pub fn has(&self, property: &str) -> bool {
        self.properties.contains_key(property)
    }
}

/// How the content of an object comes with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// Not at all: an ordinary JSON request.
    None,
    /// In the request itself (`/upload/…`, `uploadType=media` or `multipart`).
    Simple,
    /// In requests that follow (`/resumable/upload/…`).
    Resumable,
}

impl Document {
    /// Reads a document as Google publishes it.
    ///
    /// # Errors
    /// What is wrong with its JSON.
    pub fn parse(bytes: &[u8]) -> Result<Document, serde_json::Error> {
        serde_json::from_slice::<Raw>(bytes).map(Document::from)
    }
}

/// The document as it stands in the file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    name: String,
    version: String,
    service_path: String,
    #[serde(default)]
    parameters: BTreeMap<String, Parameter>,
    #[serde(default)]
    schemas: BTreeMap<String, Schema>,
    #[serde(flatten)]
    resource: RawResource,
}

#[derive(Deserialize)]
struct RawResource {
    #[serde(default)]
    methods: BTreeMap<String, RawMethod>,
    #[serde(default)]
    resources: BTreeMap<String, RawResource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawMethod {
    id: String,
    http_method: String,
    path: String,
    #[serde(default)]
    parameters: BTreeMap<String, Parameter>,
    request: Option<RawReference>,
    response: Option<RawReference>,
    media_upload: Option<RawUpload>,
}

#[derive(Deserialize)]
struct RawReference {
    #[serde(rename = "$ref")]
    name: String,
}

#[derive(Deserialize)]
struct RawUpload {
    protocols: BTreeMap<String, RawProtocol>,
}

#[derive(Deserialize)]
struct RawProtocol {
    path: String,
}

impl From<Raw> for Document {
    fn from(raw: Raw) -> Self {
        let mut methods = BTreeMap::new();
        collect(&raw.service_path, raw.resource, &mut methods);
        Self {
            api: raw.name,
            version: raw.version,
            methods,
            schemas: raw.schemas,
            parameters: raw.parameters,
        }
    }
}

fn collect(service_path: &str, resource: RawResource, into: &mut BTreeMap<String, Method>) {
    for raw in resource.methods.into_values() {
        let method = compile(service_path, raw);
        into.insert(method.id.clone(), method);
    }
    for child in resource.resources.into_values() {
        collect(service_path, child, into);
    }
}

fn compile(service_path: &str, raw: RawMethod) -> Method {
    let pattern = |name: &str| {
        raw.parameters
            .get(name)
            .and_then(|parameter| parameter.pattern.as_deref())
    };
    let mut routes = vec![(
        Template::new(&format!("{service_path}{}", raw.path), pattern),
        Media::None,
    )];
    for (protocol, RawProtocol { path }) in raw
        .media_upload
        .into_iter()
        .flat_map(|upload| upload.protocols)
    {
        let media = if protocol == "resumable" {
            Media::Resumable
        } else {
            Media::Simple
        };
        routes.push((Template::new(&path, pattern), media));
    }
    Method {
        id: raw.id,
        http_method: raw.http_method,
        request: raw.request.map(|reference| reference.name),
        response: raw.response.map(|reference| reference.name),
        routes,
        parameters: raw.parameters,
    }
}
