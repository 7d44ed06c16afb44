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

/// The same of an answer that holds a secret: no buffer of the parser's keeps a copy of it.
pub(super) fn parse_private(bytes: &[u8]) -> Option<Map<String, Value>> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(fields)) => {
            Some(fields.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect())
        }
        _ => None,
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
    let text = |name: &str| body.get(name).and_then(plain).unwrap_or_default().trim().to_owned();
    if body.contains_key("error_code") {
        return Some(Refusal { code: text("error_code"), text: text("error_description") });
    }
    match verdict(body).as_deref() {
        None | Some("0") => None,
        Some(_) => Some(Refusal { code: text("msg_cd"), text: text("msg1") }),
    }
}

/// Whether a body says that the query succeeded. One that says nothing is no answer of the broker.
pub(super) fn succeeded(body: &Map<String, Value>) -> bool {
    verdict(body).as_deref() == Some("0")
}

fn verdict(body: &Map<String, Value>) -> Option<String> {
    body.get("rt_cd").and_then(plain).map(|text| text.trim().to_owned())
}

/// The text of a value: the broker's are texts, and a number is one by its digits.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(match number.as_f64().filter(|_| number.is_f64()) {
            // Never with an exponent.
            Some(number) => number.to_string(),
            None => number.to_string(),
        }),
        _ => None,
    }
}

impl Answer {
    /// The rows of an output, `output`, `output1` and so on: one object is one row, an empty list or `null` is none.
    ///
    /// # Errors
    ///
    /// [`RestError::Field`] when the output is not there, or neither object nor list of objects.
    pub fn rows(&self, output: &str) -> Result<Vec<Row>, RestError> {
        let wrong = |found: &str| RestError::Field {
            what: self.endpoint.clone(),
            field: output.to_owned(),
            found: found.to_owned(),
        };
        let row = |fields: &Map<String, Value>| {
            let text = |value: &Value| match value {
                Value::Number(_) => plain(value).map_or(Value::Null, Value::String),
                other => other.clone(),
            };
            let fields = fields.iter().map(|(name, value)| (name.clone(), text(value))).collect();
            Row { endpoint: self.endpoint.clone(), fields }
        };
        match self.body.get(&output.to_lowercase()) {
            None => Err(wrong("missing")),
            Some(Value::Null) => Ok(Vec::new()),
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
    /// The value of a field without blanks around it, a number by its digits, or `None` when it isn't there or is neither.
    pub fn get(&self, field: &str) -> Option<&str> {
        self.value(field)?.as_str().map(str::trim)
    }

    fn value(&self, field: &str) -> Option<&Value> {
        self.fields.get(field).or_else(|| self.fields.get(&field.to_lowercase()))
    }

    /// All fields, keys in lower case, numbers as texts of their digits.
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
        let text = match self.value(field) {
            None | Some(Value::Null) => "",
            Some(Value::String(text)) => text.trim(),
            // A column that can't be read is no empty one.
            Some(other) => return Err(self.wrong(field, &other.to_string())),
        };
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
        let missing = answer.rows("output9").unwrap_err().to_string();
        assert!(missing.contains("output9 is missing") && answer.row("output9").is_err(), "{missing}");
    }

    #[test]
    fn numbers_of_a_row_are_read_by_their_digits_and_other_things_are_named() {
        let answer = answer(
            r#"{"output":[{"p":71900,"q":18446744073709551615,"f":-0.25,"w":5.0,"t":90000,"b":true,"l":[1],"n":null}],"o":[]}"#,
        );
        let row = answer.row("output").unwrap();
        assert_eq!((row.px("p").unwrap(), row.get("p")), (71_900_000_000_000, Some("71900")));
        assert_eq!((row.quantity("w").unwrap(), row.px("f").unwrap()), (5, -250_000_000));
        assert_eq!((row.get("q"), row.get("f")), (Some("18446744073709551615"), Some("-0.25")));
        assert_eq!(row.px("n").unwrap(), UNDEF_PX);
        for field in ["b", "l"] {
            let error = row.quantity(field).unwrap_err().to_string();
            assert!(error.contains(&format!("field {field} is ")), "{error}");
        }
        assert!(answer.rows("o").unwrap().is_empty());
    }

    #[test]
    fn both_shapes_of_errors_are_refusals() {
        let of = |text: &str| refusal(&answer(text).body).map(|refusal| (refusal.code, refusal.text));
        let gateway = of(r#"{"rt_cd":"1","msg_cd":"EGW00201","msg1":"too fast   "}"#);
        assert_eq!(gateway, Some(("EGW00201".to_owned(), "too fast".to_owned())));
        let token = of(r#"{"error_description":"soon","error_code":"EGW00133"}"#);
        assert_eq!(token, Some(("EGW00133".to_owned(), "soon".to_owned())));
        let number = of(r#"{"rt_cd":1,"msg_cd":"EGW00201","msg1":"too fast"}"#);
        assert_eq!(number, Some(("EGW00201".to_owned(), "too fast".to_owned())));
        assert_eq!(of(r#"{"rt_cd":"0","msg_cd":"MCA00000"}"#), None);
        let is_success = |text: &str| succeeded(&answer(text).body);
        assert!(is_success(r#"{"rt_cd":"0"}"#) && is_success(r#"{"RT_CD":0}"#));
        for text in ["{}", r#"{"rt_cd":"1"}"#, r#"{"rt_cd":true}"#, r#"{"rt_cd":""}"#, r#"{"rt_cd":null}"#] {
            assert!(!is_success(text), "{text}");
        }
        assert!(parse(&mut b"[1]".to_vec()).is_err() && parse(&mut b"<html>".to_vec()).is_err());
    }
}
