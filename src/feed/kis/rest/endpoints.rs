//! The broker's endpoints for market data, from a table built in; names and parameters are checked before a call.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::RestError;

/// One endpoint; all are asked by GET.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// As `/uapi/domestic-stock/v1/quotations/inquire-price`.
    pub path: &'static str,
    /// Transaction, as `FHKST01010100`.
    pub tr_id: &'static str,
    /// Whether the official samples call it on the mock server, too. That others are refused there isn't said.
    pub on_mock: bool,
    parameters: Vec<Parameter>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parameter {
    name: &'static str,
    /// Left out when it isn't given; the others are sent blank then, as the broker's samples do.
    optional: bool,
}

struct Table {
    endpoints: Vec<Endpoint>,
    by_name: HashMap<String, usize>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let endpoints: Vec<Endpoint> =
        include_str!("endpoints.tsv").lines().filter(|line| !line.starts_with('#')).filter_map(parse).collect();
    let names = |(at, endpoint): (usize, &Endpoint)| [(endpoint.name(), at), (endpoint.path.to_owned(), at)];
    let by_name = endpoints.iter().enumerate().flat_map(names).collect();
    Table { endpoints, by_name }
});

fn parse(line: &'static str) -> Option<Endpoint> {
    let mut columns = line.split('\t');
    let (path, tr_id, mock, parameters) = (columns.next()?, columns.next()?, columns.next()?, columns.next()?);
    let parameter = |name: &'static str| match name.strip_suffix('?') {
        Some(name) => Parameter { name, optional: true },
        None => Parameter { name, optional: false },
    };
    let parameters = parameters.split_whitespace().map(parameter).collect();
    Some(Endpoint { path, tr_id, on_mock: mock == "mock", parameters })
}

/// All endpoints, by path.
pub fn endpoints() -> &'static [Endpoint] {
    &TABLE.endpoints
}

impl Endpoint {
    /// The short name: product and last part of the path, as `domestic-stock/inquire-price`.
    pub fn name(&self) -> String {
        let product = self.path.split('/').nth(2).unwrap_or_default();
        let last = self.path.rsplit('/').next().unwrap_or_default();
        format!("{product}/{last}")
    }

    /// Names of the parameters, as they are spelled on the wire.
    pub fn parameters(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.parameters.iter().map(|parameter| parameter.name)
    }

    /// Finds an endpoint by its short name or its path.
    ///
    /// # Errors
    ///
    /// [`RestError::UnknownEndpoint`] with the nearest names.
    pub fn find(name: &str) -> Result<&'static Endpoint, RestError> {
        let table = &*TABLE;
        if let Some(endpoint) = table.by_name.get(name.trim()).and_then(|at| table.endpoints.get(*at)) {
            return Ok(endpoint);
        }
        let short = table.endpoints.iter().map(Endpoint::name);
        // A last part alone may belong to several products.
        let same_end: Vec<String> = short.clone().filter(|known| known.ends_with(&format!("/{name}"))).collect();
        let suggestions = if same_end.is_empty() { nearest(name, short) } else { same_end };
        Err(RestError::UnknownEndpoint { name: name.to_owned(), suggestions: did_you_mean(&suggestions) })
    }

    /// Spells parameters as the wire has them, and adds those that must be there, blank.
    ///
    /// # Errors
    ///
    /// [`RestError::UnknownParameter`] with the nearest names; also for one given twice.
    pub(super) fn complete(&self, given: &[(&str, &str)]) -> Result<Vec<(String, String)>, RestError> {
        let unknown = |name: &str, suggestions: String| RestError::UnknownParameter {
            endpoint: self.name(),
            name: name.to_owned(),
            suggestions,
        };
        for (at, (name, _)) in given.iter().enumerate() {
            if !self.parameters.iter().any(|known| known.name.eq_ignore_ascii_case(name)) {
                let suggestions = nearest(&name.to_ascii_uppercase(), self.parameters().map(str::to_owned));
                let all = || format!("; it takes {}", self.parameters().collect::<Vec<_>>().join(", "));
                let text = if suggestions.is_empty() { all() } else { did_you_mean(&suggestions) };
                return Err(unknown(name, text));
            }
            if given[..at].iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
                return Err(unknown(name, "; it is given twice".to_owned()));
            }
        }
        let value = |parameter: &Parameter| {
            let given =
                given.iter().find(|(name, _)| parameter.name.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
            match given {
                None if parameter.optional => None,
                value => Some((parameter.name.to_owned(), value.unwrap_or_default().to_owned())),
            }
        };
        Ok(self.parameters.iter().filter_map(value).collect())
    }
}

/// Up to three names that are like another.
fn nearest(name: &str, known: impl Iterator<Item = String>) -> Vec<String> {
    let mut likely: Vec<(f64, String)> = known
        .map(|known| (strsim::jaro_winkler(name, &known), known))
        .filter(|(likeness, _)| *likeness > 0.8)
        .collect();
    likely.sort_by(|left, right| right.0.total_cmp(&left.0));
    likely.into_iter().take(3).map(|(_, known)| known).collect()
}

fn did_you_mean(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!("; did you mean {}?", names.join(" or ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_endpoints_are_read_and_every_short_name_is_its_own() {
        assert_eq!(endpoints().len(), 199);
        let names: std::collections::BTreeSet<String> = endpoints().iter().map(Endpoint::name).collect();
        assert_eq!(names.len(), 199);
        assert!(endpoints().iter().all(|e| e.path.starts_with("/uapi/") && (9..=13).contains(&e.tr_id.len())), "sane");
        let price = Endpoint::find("domestic-stock/inquire-price").unwrap();
        assert_eq!((price.tr_id, price.on_mock), ("FHKST01010100", true));
        assert_eq!(Endpoint::find(price.path).unwrap(), price);
        let poll = Endpoint::find("domestic-stock/intstock-multprice").unwrap();
        assert_eq!(poll.parameters().count(), 60);
    }

    #[test]
    fn a_misspelt_endpoint_or_one_without_its_product_is_suggested() {
        let shown = |name| Endpoint::find(name).unwrap_err().to_string();
        assert!(shown("domestic-stock/inquire-prise").contains("domestic-stock/inquire-price"));
        let ambiguous = shown("inquire-price");
        assert!(
            ambiguous.contains("domestic-stock/inquire-price") && ambiguous.contains("elw/")
                || ambiguous.contains("etfetn/")
        );
        assert!(!shown("zzz").contains("did you mean"));
    }

    #[test]
    fn parameters_are_spelled_completed_and_checked() {
        let price = Endpoint::find("domestic-stock/inquire-price").unwrap();
        let complete = price.complete(&[("fid_input_iscd", "005930")]).unwrap();
        let text = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(complete, [text("FID_COND_MRKT_DIV_CODE", ""), text("FID_INPUT_ISCD", "005930")]);
        let error = price.complete(&[("FID_INPUT_ISDC", "x")]).unwrap_err().to_string();
        assert!(error.contains("did you mean FID_INPUT_ISCD"), "{error}");
        assert!(price.complete(&[("FID_INPUT_ISCD", "a"), ("fid_input_iscd", "b")]).is_err());
        let error = price.complete(&[("qqq", "x")]).unwrap_err().to_string();
        assert!(error.contains("it takes FID_COND_MRKT_DIV_CODE, FID_INPUT_ISCD"), "{error}");
        let poll = Endpoint::find("domestic-stock/intstock-multprice").unwrap();
        assert_eq!(poll.complete(&[("FID_INPUT_ISCD_2", "005930")]).unwrap().len(), 3);
    }
}
