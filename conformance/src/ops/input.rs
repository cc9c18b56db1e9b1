//! Reads the input of the runner's own operations, with the errors that the store's give.

use serde_json::{Map, Value};
use tenantry_core::Error;

use super::wrong_form;

pub(super) fn text<'i>(input: &'i Map<String, Value>, field: &str) -> Result<&'i str, Error> {
    input.get(field).and_then(Value::as_str).ok_or_else(|| wrong_form(field, "text"))
}

pub(super) fn opt_text<'i>(input: &'i Map<String, Value>, field: &str) -> Result<Option<&'i str>, Error> {
    match input.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(_) => text(input, field).map(Some),
    }
}
