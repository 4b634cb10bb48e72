//! The older surface of the API: `projects/{projectId}/zones/{zone}/clusters/{clusterId}`, where a region may stand for the zone.
//!
//! The emulator's own links have this form, as Google's have. Each method is the one of `projects.locations` with its name put
//! together from several parameters; only methods that have a counterpart there are kept in the discovery document.

use crate::request::Request;

/// A method of this surface, and its counterpart.
const METHODS: &[(&str, &str)] = &[
    ("getServerconfig", "getServerConfig"),
    ("clusters.resourceLabels", "clusters.setResourceLabels"),
];

/// The request in the newer form; none if it has that form already.
pub fn newer(request: &Request) -> Option<Request> {
    let method = request
        .method_id
        .strip_prefix("container.projects.zones.")?;
    let method = METHODS
        .iter()
        .find(|(old, _)| *old == method)
        .map_or(method, |(_, new)| new);
    let param = |name: &str| request.params.get(name);
    let mut name = format!(
        "projects/{}/locations/{}",
        request.param("projectId"),
        request.param("zone")
    );
    for (collection, id) in [
        ("clusters", "clusterId"),
        ("nodePools", "nodePoolId"),
        ("operations", "operationId"),
    ] {
        if let Some(id) = param(id) {
            name.push_str(&format!("/{collection}/{id}"));
        }
    }
    let verb = method.rsplit('.').next().unwrap_or_default();
    let by_parent = matches!(verb, "list" | "create");
    let mut newer = request.clone();
    newer.method_id = format!("container.projects.locations.{method}");
    newer.params = [(if by_parent { "parent" } else { "name" }.to_owned(), name)]
        .into_iter()
        .collect();
    Some(newer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery;

    #[test]
    fn a_request_of_the_older_surface_is_one_of_the_newer() {
        let base = "/container.googleapis.com/v1/projects/p/zones/us-central1-a";
        for (verb, path, method, name) in [
            (
                "GET",
                "/clusters/c",
                "clusters.get",
                "projects/p/locations/us-central1-a/clusters/c",
            ),
            (
                "GET",
                "/clusters",
                "clusters.list",
                "projects/p/locations/us-central1-a",
            ),
            (
                "POST",
                "/clusters",
                "clusters.create",
                "projects/p/locations/us-central1-a",
            ),
            (
                "PUT",
                "/clusters/c",
                "clusters.update",
                "projects/p/locations/us-central1-a/clusters/c",
            ),
            (
                "POST",
                "/clusters/c/resourceLabels",
                "clusters.setResourceLabels",
                "projects/p/locations/us-central1-a/clusters/c",
            ),
            (
                "GET",
                "/clusters/c/nodePools/n",
                "clusters.nodePools.get",
                "projects/p/locations/us-central1-a/clusters/c/nodePools/n",
            ),
            (
                "POST",
                "/clusters/c/nodePools",
                "clusters.nodePools.create",
                "projects/p/locations/us-central1-a/clusters/c",
            ),
            (
                "POST",
                "/clusters/c/nodePools/n/setSize",
                "clusters.nodePools.setSize",
                "projects/p/locations/us-central1-a/clusters/c/nodePools/n",
            ),
            (
                "GET",
                "/operations/o",
                "operations.get",
                "projects/p/locations/us-central1-a/operations/o",
            ),
            (
                "GET",
                "/serverconfig",
                "getServerConfig",
                "projects/p/locations/us-central1-a",
            ),
        ] {
            let matched = discovery::route(verb, &format!("{base}{path}")).unwrap();
            let request = Request {
                method_id: matched.method.id.clone(),
                params: matched.params.clone(),
                ..Request::default()
            };
            let newer = newer(&request).unwrap();
            assert_eq!(
                newer.method_id,
                format!("container.projects.locations.{method}"),
                "{path}"
            );
            assert_eq!(newer.params.values().collect::<Vec<_>>(), [name], "{path}");
            assert!(super::newer(&newer).is_none());
        }
    }
}
