//! What a request names, and how it writes.

use serde_json::Value;

use super::call::{ApiCall, CallTarget};
use super::cluster::Cluster;
use super::managed::Writer;
use super::resource::{self, Resource};
use super::status::Status;
use super::write::WriteOptions;

/// The object that a request names.
///
/// # Errors
/// 404.
pub fn stored(
    cluster: &Cluster,
    resource: &Resource,
    target: &CallTarget,
    name: &str,
) -> Result<Value, Status> {
    let namespace = target.namespace.as_deref().unwrap_or_default();
    cluster
        .get(resource, namespace, name)
        .cloned()
        .ok_or_else(|| Status::not_found(resource, name))
}

/// How a request writes.
///
/// # Errors
/// 400 for a dry run that does not exist.
pub fn options(
    cluster: &Cluster,
    call: &ApiCall,
    target: &CallTarget,
    applies: bool,
) -> Result<WriteOptions, Status> {
    let writer = Writer {
        manager: call.manager(),
        applies,
        api_version: resource::api_version(&target.group, &target.version),
        subresource: target.subresource.clone().unwrap_or_default(),
        time: cluster.time(),
    };
    Ok(WriteOptions {
        writer,
        dry_run: call.dry_run()?,
    })
}
