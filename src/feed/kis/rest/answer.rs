//! Answers: JSON with keys in whatever case, errors in two shapes, rows whose values are all texts.

use serde_json::{Map, Value};
use simd_json::OwnedValue;
use simd_json::prelude::*;

use super::RestError;
use crate::tick::{TURNOVER_SCALE, UNDEF_PX, UNDEF_QTY, UNDEF_TURNOVER};
use crate::wire::{Text, parse_hhmmss, parse_px, parse_scaled, parse_u64, parse_yyyymmdd};

/// A successful answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Short name of the endpoint.
    pub endpoint: String,
    /// Everything that was sent, all keys in lower case.
    pub body: Map<String, Value>,
    /// Whether the broker has further pages.
    pub more: bool,
}

/// One object of an answer; its keys are found whatever their case.
#[derive(Clone, Debug)]
pub struct Row {
    endpoint: String,
    fields: Map<String, Value>,
}

/// A refusal in either shape: of the token endpoints, or of all others.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) code: String,
    pub(super) text: String,
}

/// Reads a body; keys become lower case at every depth. The bytes are used up.
pub(super) fn parse(bytes: &mut [u8]) -> Result<Map<String, Value>, String> {
    let value = simd_json::to_owned_value(bytes).map_err(|_| "it is no JSON".to_owned())?;
    match lower(value) {
        Value::Object(fields) => Ok(fields),
        _ => Err("it is no JSON object".to_owned()),
    }
}

fn lower(value: OwnedValue) -> Value {
    match value {
        OwnedValue::Static(value) => {
            if let Some(yes) = value.as_bool() {
                Value::Bool(yes)
            } else if let Some(number) = value.as_i64() {
                Value::from(number)
            } else if let Some(number) = value.as_u64() {
                Value::from(number)
            } else {
                value.as_f64().map_or(Value::Null, Value::from)
            }
        }
        OwnedValue::String(text) => Value::String(text),
        OwnedValue::Array(items) => Value::Array(items.into_iter().map(lower).collect()),
        OwnedValue::Object(fields) => {
            Value::Object(fields.into_iter().map(|(name, value)| (name.to_lowercase(), lower(value))).collect())
        }
    }
}

/// What a body refuses, if it does: `rt_cd` other than 0, or an `error_code`.
pub(super) fn refusal(body: &Map<String, Value>) -> Option<Refusal> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().trim().to_owned();
    if body.contains_key("error_code") {
        return Some(Refusal { code: text("error_code"), text: text("error_description") });
    }
    match body.get("rt_cd").and_then(Value::as_str) {
        None | Some("0") => None,
        Some(_) => Some(Refusal { code: text("msg_cd"), text: text("msg1") }),
    }
}

impl Answer {
    /// The rows of an output, `output`, `output1` and so on: one object is one row, none is none.
    ///
    /// # Errors
    ///
    /// [`RestError::Field`] when the output is neither object nor list of objects.
    pub fn rows(&self, output: &str) -> Result<Vec<Row>, RestError> {
        let wrong = |found: &str| RestError::Field {
            what: self.endpoint.clone(),
            field: output.to_owned(),
            found: found.to_owned(),
        };
        let row = |fields: &Map<String, Value>| Row { endpoint: self.endpoint.clone(), fields: fields.clone() };
        match self.body.get(&output.to_lowercase()) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Object(fields)) => Ok(vec![row(fields)]),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| item.as_object().map(row).ok_or_else(|| wrong("a list of other things")))
                .collect(),
            Some(_) => Err(wrong("no object")),
        }
    }

    /// The single row of an output.
    ///
    /// # Errors
    ///
    /// [`RestError::Field`] when there is none.
    pub fn row(&self, output: &str) -> Result<Row, RestError> {
        self.rows(output)?.into_iter().next().ok_or_else(|| RestError::Field {
            what: self.endpoint.clone(),
            field: output.to_owned(),
            found: "missing".to_owned(),
        })
    }
}

impl Row {
    /// The value of a field without blanks around it, or `None` when it isn't there or is no text.
    pub fn get(&self, field: &str) -> Option<&str> {
        let value = self.fields.get(field).or_else(|| self.fields.get(&field.to_lowercase()))?;
        value.as_str().map(str::trim)
    }

    /// All fields, keys in lower case.
    pub fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    fn wrong(&self, field: &str, found: &str) -> RestError {
        let found = if found.is_empty() { "missing".to_owned() } else { format!("{found:?}") };
        RestError::Field { what: self.endpoint.clone(), field: field.to_owned(), found }
    }

    fn read<T, E>(
        &self,
        field: &str,
        parse: impl FnOnce(Text<'_>) -> Result<Option<T>, E>,
    ) -> Result<Option<T>, RestError> {
        let text = self.get(field).unwrap_or_default();
        parse(Text::from(text.as_bytes())).map_err(|_| self.wrong(field, text))
    }

    /// A text that must be there.
    pub fn text(&self, field: &str) -> Result<String, RestError> {
        match self.get(field) {
            Some(text) if !text.is_empty() => Ok(text.to_owned()),
            _ => Err(self.wrong(field, "")),
        }
    }

    /// A price in units of 1e-9; [`UNDEF_PX`] when it is blank or missing.
    pub fn px(&self, field: &str) -> Result<i64, RestError> {
        Ok(self.read(field, parse_px)?.unwrap_or(UNDEF_PX))
    }

    /// A quantity; [`UNDEF_QTY`] when it is blank or missing.
    pub fn quantity(&self, field: &str) -> Result<u64, RestError> {
        Ok(self.read(field, parse_u64)?.unwrap_or(UNDEF_QTY))
    }

    /// A turnover in units of 1e-4; [`UNDEF_TURNOVER`] when it is blank or missing.
    pub fn turnover(&self, field: &str) -> Result<i64, RestError> {
        const DECIMALS: u32 = TURNOVER_SCALE.ilog10();
        Ok(self.read(field, |text| parse_scaled(text, DECIMALS))?.unwrap_or(UNDEF_TURNOVER))
    }

    /// Second of the day from HHMMSS, which must be there.
    pub fn time(&self, field: &str) -> Result<u32, RestError> {
        self.read(field, parse_hhmmss)?.ok_or_else(|| self.wrong(field, ""))
    }

    /// Seconds from the beginning of a trading day from HHMMSS, which must be there; hours from 24 to 47 are those of a night
    /// after midnight.
    pub fn long_time(&self, field: &str) -> Result<u32, RestError> {
        let text = self.get(field).unwrap_or_default();
        match text.get(..2).and_then(|hour| hour.parse::<u32>().ok()) {
            Some(hour @ 24..48) => {
                let of_day = format!("{:02}{}", hour - 24, &text[2..]);
                let second = parse_hhmmss(Text::from(of_day.as_bytes())).ok().flatten();
                second.map(|second| second + 86_400).ok_or_else(|| self.wrong(field, text))
            }
            _ => self.time(field),
        }
    }

    /// Date as the decimal number YYYYMMDD, which must be there.
    pub fn date(&self, field: &str) -> Result<u32, RestError> {
        self.read(field, parse_yyyymmdd)?.ok_or_else(|| self.wrong(field, ""))
    }

    /// `Y` or `N`.
    pub fn yes(&self, field: &str) -> Result<bool, RestError> {
        match self.get(field).unwrap_or_default() {
            "Y" | "y" => Ok(true),
            "N" | "n" => Ok(false),
            other => Err(self.wrong(field, other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> Answer {
        let mut bytes = text.as_bytes().to_vec();
        Answer { endpoint: "test".to_owned(), body: parse(&mut bytes).unwrap(), more: false }
    }

    #[test]
    fn keys_are_found_whatever_their_case() {
        let answer = answer(r#"{"OUTPUT":{"Stck_PrPr":" 71900 ","x":null}}"#);
        let row = answer.row("output").unwrap();
        assert_eq!(row.px("STCK_PRPR").unwrap(), 71_900_000_000_000);
        assert_eq!(row.get("stck_prpr"), Some("71900"));
        assert_eq!((row.px("x").unwrap(), row.quantity("y").unwrap()), (UNDEF_PX, UNDEF_QTY));
    }

    #[test]
    fn values_that_are_no_numbers_times_or_dates_are_named() {
        let answer = answer(r#"{"output":[{"p":"7x","t":"256199","d":"20261301","b":"?"}]}"#);
        let row = answer.row("output").unwrap();
        for error in [
            row.px("p").unwrap_err(),
            row.time("t").unwrap_err(),
            row.date("d").unwrap_err(),
            row.yes("b").unwrap_err(),
            row.time("missing").unwrap_err(),
        ] {
            let shown = error.to_string();
            assert!(
                shown.starts_with("test: field ") && (shown.contains('"') || shown.contains("is missing")),
                "{shown}"
            );
        }
    }

    #[test]
    fn hours_of_a_night_go_on_after_midnight() {
        let answer = answer(r#"{"output":{"a":"090000","b":"260130","c":"259900","d":"480000","e":""}}"#);
        let row = answer.row("output").unwrap();
        assert_eq!((row.long_time("a").unwrap(), row.long_time("b").unwrap()), (9 * 3600, 26 * 3600 + 90));
        assert!(["c", "d", "e"].iter().all(|field| row.long_time(field).is_err()));
    }

    #[test]
    fn one_object_a_list_and_nothing_are_rows() {
        let answer = answer(r#"{"output":{"a":"1"},"output1":[{"a":"1"},{"a":"2"}],"output2":[1],"output3":7}"#);
        assert_eq!(answer.rows("output").unwrap().len(), 1);
        assert_eq!(answer.rows("output1").unwrap().len(), 2);
        assert!(answer.rows("output2").is_err() && answer.rows("output3").is_err());
        assert!(answer.rows("output9").unwrap().is_empty() && answer.row("output9").is_err());
    }

    #[test]
    fn both_shapes_of_errors_are_refusals() {
        let of = |text: &str| refusal(&answer(text).body).map(|refusal| (refusal.code, refusal.text));
        let gateway = of(r#"{"rt_cd":"1","msg_cd":"EGW00201","msg1":"too fast   "}"#);
        assert_eq!(gateway, Some(("EGW00201".to_owned(), "too fast".to_owned())));
        let token = of(r#"{"error_description":"soon","error_code":"EGW00133"}"#);
        assert_eq!(token, Some(("EGW00133".to_owned(), "soon".to_owned())));
        assert_eq!(of(r#"{"rt_cd":"0","msg_cd":"MCA00000"}"#), None);
        assert!(parse(&mut b"[1]".to_vec()).is_err() && parse(&mut b"<html>".to_vec()).is_err());
    }
}
