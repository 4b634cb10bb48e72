//! Reads Google's discovery documents, as little of them as a row can be held against. It shares nothing with the
//! emulator, which reads the same documents: two readers are less likely to err alike.

use std::path::Path;

use provision::google::Api;
use serde_json::Value;

/// The discovery document of one API in one version.
pub struct Document {
    document: Value,
}

/// A method of a document.
pub struct Method<'a>(&'a Value);

impl Document {
    /// The document of `api` that serves `path`: the version stands in the path, or else in the API's base.
    pub fn of(api: Api, path: &str) -> Result<Document, String> {
        let whole = full(api, path);
        let version = whole.split('/').find(|part| is_version(part));
        // Cloud Storage's base path is gone below `storage/v1/`; every other API names its version.
        let file = format!("{}.{}.json", api.name(), version.unwrap_or("v1"));
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fixtures/discovery")
            .join(&file);
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{file}: {error}"))?;
        let document = serde_json::from_str(&text).map_err(|error| format!("{file}: {error}"))?;
        Ok(Document { document })
    }

    /// A method of a collection (`projects.locations.clusters`), by the first of the names that the collection has.
    pub fn method(&self, collection: &str, names: &[&str]) -> Option<Method<'_>> {
        let resource = collection
            .split('.')
            .try_fold(&self.document, |resource, name| {
                resource["resources"].get(name)
            })?;
        names
            .iter()
            .find_map(|name| resource["methods"].get(*name))
            .map(Method)
    }

    /// Where a method is served, in the form of [`shape`].
    pub fn path(&self, method: &Method<'_>) -> String {
        let own = ["flatPath", "path"]
            .iter()
            .find_map(|key| method.0[*key].as_str());
        let base = self.document["servicePath"].as_str().unwrap_or_default();
        shape(&format!("{base}{}", own.unwrap_or_default()))
    }

    /// The method that serves this verb at this path, both as [`shape`] has them. Where the document leaves a segment
    /// open, as Service Usage leaves what the parent is, any fits.
    pub fn serving(&self, verb: &str, path: &str) -> Option<Method<'_>> {
        let fits = |method: &&Value| {
            let method = Method(method);
            let own = self.path(&method);
            let same = own
                .split('/')
                .zip(path.split('/'))
                .all(|(open, segment)| open == "{}" || open == segment);
            method.verb() == verb && same && own.split('/').count() == path.split('/').count()
        };
        let mut resources: Vec<&Value> = vec![&self.document];
        while let Some(resource) = resources.pop() {
            let methods = resource["methods"]
                .as_object()
                .into_iter()
                .flat_map(|methods| methods.values());
            if let Some(method) = methods.into_iter().find(fits) {
                return Some(Method(method));
            }
            resources.extend(
                resource["resources"]
                    .as_object()
                    .into_iter()
                    .flat_map(|inner| inner.values()),
            );
        }
        None
    }

    /// The schema of a field, walked from a schema by name; dots separate, items of lists are stepped into.
    pub fn field(&self, schema: &str, path: &str) -> Option<&Value> {
        let named = self.document["schemas"].get(schema)?;
        path.split('.')
            .try_fold(named, |spot, name| self.fields(spot)?.get(name))
    }

    /// The fields of a schema: of what it refers to, or of its items.
    fn fields<'a>(&'a self, schema: &'a Value) -> Option<&'a Value> {
        if let Some(name) = schema.get("$ref") {
            return self.fields(&self.document["schemas"][name.as_str()?]);
        }
        match schema.get("items") {
            Some(items) => self.fields(items),
            None => schema.get("properties"),
        }
    }
}

impl Method<'_> {
    /// The HTTP verb.
    pub fn verb(&self) -> &str {
        self.0["httpMethod"].as_str().unwrap_or_default()
    }

    /// Whether it takes this parameter, in the path or in the query.
    pub fn takes(&self, parameter: &str) -> bool {
        self.0["parameters"].get(parameter).is_some()
    }

    /// The name of the request's schema.
    pub fn request(&self) -> &str {
        self.0["request"]["$ref"].as_str().unwrap_or_default()
    }

    /// The name of the response's schema.
    pub fn response(&self) -> &str {
        self.0["response"]["$ref"].as_str().unwrap_or_default()
    }
}

/// A path below an API's base as the host serves it.
pub fn full(api: Api, path: &str) -> String {
    // The documents of Cloud DNS have the base in each path, those of compute and storage in `servicePath`.
    format!("{}{path}", api.base())
}

/// A path with `{}` for each segment that is filled in, whatever it is called: the documents call a cluster
/// `clustersId`, a row `cluster`. What follows a colon is a verb and stays.
pub fn shape(path: &str) -> String {
    let segment = |segment: &str| match (segment.find('{'), segment.rfind("}:")) {
        (None, _) => segment.to_owned(),
        (Some(_), None) => "{}".to_owned(),
        (Some(_), Some(at)) => format!("{{}}{}", &segment[at + 1..]),
    };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

fn is_version(part: &str) -> bool {
    part.strip_prefix('v')
        .is_some_and(|number| number.parse::<u32>().is_ok())
}
