//! The fleet itself: one a project, named `default`, there from the first membership on.

use serde_json::{Value, json};

use super::operations::{self, HubAction};
use super::resource::{answer_page, key, members, stored, vacant};
use crate::answer::{ErrorResponse, Response};
use crate::clock;
use crate::labels;
use crate::lro;
use crate::names;
use crate::operation::Effect;
use crate::request::Request;
use crate::world::{Project, World};

/// GET.
pub fn get(world: &World, request: &Request) -> Result<Response, ErrorResponse> {
    Ok(stored(world, request.param("name"))?.into())
}

/// LIST.
pub fn list(world: &World, request: &Request) -> Result<Response, ErrorResponse> {
    let found = members(world, request, "fleets")
        .into_iter()
        .map(|(_, fleet)| fleet)
        .collect();
    answer_page(request, "fleets", found)
}

/// POST.
pub fn create(
    world: &mut World,
    request: &Request,
    project: &Project,
) -> Result<Response, ErrorResponse> {
    let name = format!("{}/fleets/default", request.param("parent"));
    labels::check(&request.body["labels"], ErrorResponse::bad_request)?;
    vacant(world, &name)?;
    let fleet = object(world, project, &request.body);
    let mut coming = fleet.clone();
    coming["state"] = json!({"code": "CREATING"});
    world.put(key(&name), coming);
    let effects = vec![Effect::Put {
        key: key(&name),
        value: fleet.clone(),
    }];
    let deed = HubAction {
        verb: "create",
        target: &name,
        kind: ("v1", "Fleet"),
        result: fleet,
    };
    Ok(operations::begin(world, request, project, deed, effects))
}

/// The effect of a first membership: the fleet is there. None if it was.
pub fn founded(world: &World, project: &Project) -> Option<Effect> {
    let key = key(&format!(
        "projects/{}/locations/global/fleets/default",
        project.id
    ));
    let vacant = world.get(&key).is_none();
    vacant.then(|| Effect::Put {
        key,
        value: object(world, project, &Value::Null),
    })
}

fn object(world: &World, project: &Project, sent: &Value) -> Value {
    let now = clock::utc(world.now());
    let mut fleet = if sent.is_object() {
        sent.clone()
    } else {
        json!({})
    };
    fleet["name"] = json!(format!(
        "projects/{}/locations/global/fleets/default",
        project.id
    ));
    fleet["createTime"] = json!(now);
    fleet["updateTime"] = json!(now);
    fleet["uid"] = json!(lro::uuid(&format!("fleet {}", names::hash(&project.id))));
    fleet["state"] = json!({"code": "READY"});
    fleet
}
