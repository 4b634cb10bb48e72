//! Whether a billing account pays for the project.

use serde_json::Value;

use super::inputs::Inputs;
use super::unread::unread_beyond_steps;
use crate::google::{Api, ApiError, Call, segment};
use crate::ui::doctor::Finding;

/// Reads the project's billing.
pub async fn check(inputs: &Inputs<'_>) -> Vec<Finding> {
    let project = &inputs.session.project;
    let path = format!("v1/projects/{}/billingInfo", segment(project));
    let read = inputs.send(Call::get(Api::CloudBilling, path)).await;
    let command = format!("gcloud billing projects describe {project}");
    vec![verdict(project, read).gcloud(command)]
}

/// Pure.
fn verdict(project: &str, read: Result<Value, ApiError>) -> Finding {
    match read {
        Ok(read) if read["billingEnabled"] == true => {
            let account = read["billingAccountName"].as_str().unwrap_or_default();
            Finding::pass(format!("{account} pays for {project}"))
        }
        // The service leaves out what is false.
        Ok(read) if read["name"].is_string() => Finding::fail(
            format!("no open billing account pays for {project}"),
            format!(
                "link one with `gcloud billing projects link {project} --billing-account ACCOUNT`; `gcloud billing accounts list` lists those that you may use"
            ),
        ),
        Ok(_) => Finding::skip(
            format!("the answer about the billing of {project} was not understood"),
            None,
        ),
        Err(error) => unread_beyond_steps(
            &format!("the billing of {project}"),
            &error,
            "resourcemanager.projects.get",
            (Api::CloudBilling, project),
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::refused;
    use super::*;
    use crate::google::Class;
    use crate::ui::doctor::Verdict::{Fail, Pass, Skip};

    #[test]
    fn an_account_must_pay() {
        let info = |enabled: bool| json!({"name": "projects/p/billingInfo", "billingEnabled": enabled, "billingAccountName": "billingAccounts/1"});
        for (read, expected) in [
            (Ok(info(true)), Pass),
            (Ok(info(false)), Fail),
            (Ok(json!({"name": "projects/p/billingInfo"})), Fail),
            (Ok(json!({})), Skip),
            (Err(refused(Class::PermissionDenied)), Skip),
            (Err(refused(Class::ApiDisabled)), Skip),
        ] {
            let finding = verdict("p", read);
            assert_eq!(finding.verdict, expected, "{finding:?}");
        }
    }
}
