//! Pages: the broker says by a header that more follow, and takes its own marks back as parameters.

use serde_json::{Map, Value};

use super::RestError;
use super::answer::Answer;
use super::client::Client;
use super::endpoints::Endpoint;

/// Answers page by page. After an error it ends.
#[derive(Debug)]
pub struct Pages {
    client: Client,
    endpoint: &'static Endpoint,
    parameters: Vec<(String, String)>,
    taken: usize,
    pages_max: usize,
    more: bool,
    /// What the last page held, when more follow.
    last: Option<Map<String, Value>>,
}

impl Pages {
    pub(super) fn new(
        client: Client,
        endpoint: &'static Endpoint,
        parameters: Vec<(String, String)>,
        pages_max: usize,
    ) -> Pages {
        Pages { client, endpoint, parameters, taken: 0, pages_max, more: true, last: None }
    }
}

impl Iterator for Pages {
    type Item = Result<Answer, RestError>;

    fn next(&mut self) -> Option<Self::Item> {
        if !std::mem::take(&mut self.more) {
            return None;
        }
        if self.taken >= self.pages_max {
            return Some(Err(RestError::MorePages { what: self.endpoint.name(), pages_max: self.pages_max }));
        }
        let answer = match self.client.ask(self.endpoint, &self.parameters, self.taken > 0) {
            Ok(answer) => answer,
            Err(error) => return Some(Err(error)),
        };
        self.taken += 1;
        // The same marks and rows again: so would all pages to come be.
        let held = content(&answer);
        if self.last.as_ref() == Some(&held) {
            return Some(Err(RestError::SamePage { what: self.endpoint.name(), page: self.taken }));
        }
        self.last = answer.more.then_some(held);
        self.more = answer.more;
        for (name, value) in &mut self.parameters {
            let mark = Some(name.to_lowercase()).filter(|name| name.starts_with("ctx_area_"));
            if let Some(mark) = mark.and_then(|name| answer.body.get(&name)?.as_str()) {
                mark.trim_end().clone_into(value);
            }
        }
        Some(Ok(answer))
    }
}

/// Marks and rows: all but the broker's remarks.
fn content(answer: &Answer) -> Map<String, Value> {
    let is_remark = |name: &str| matches!(name, "rt_cd" | "msg_cd" | "msg1");
    answer.body.iter().filter(|(name, _)| !is_remark(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}
