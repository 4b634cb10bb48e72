//! Outputs that a request of their own reads. Pure: it sends nothing.

use serde_json::Value;

/// An output that is no field of its resource: a list of texts, which a request below the resource's path reads.
#[derive(Debug, Clone, Copy)]
pub struct DerivedOutput {
    /// The name of the output.
    pub name: &'static str,
    /// The last part of the request's path, for example `getRouterStatus`.
    pub method: &'static str,
    /// The list of the answer, as a JSON pointer.
    pub list: &'static str,
    /// The field of each item of the list that has the texts.
    pub field: &'static str,
}

impl DerivedOutput {
    /// The value in an answer. Pure.
    pub fn of(&self, answer: &Value) -> Value {
        let items = answer.pointer(self.list).and_then(Value::as_array);
        let texts = items
            .into_iter()
            .flatten()
            .filter_map(|item| item[self.field].as_array());
        texts.flatten().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_texts_of_all_items_are_one_list() {
        let derived = DerivedOutput {
            name: "n",
            method: "m",
            list: "/result/nats",
            field: "ips",
        };
        for (answer, expected) in [
            (
                json!({"result": {"nats": [{"ips": ["a", "b"]}, {}, {"ips": ["c"]}]}}),
                json!(["a", "b", "c"]),
            ),
            (json!({"result": {}}), json!([])),
            (json!(null), json!([])),
        ] {
            assert_eq!(derived.of(&answer), expected);
        }
    }
}
