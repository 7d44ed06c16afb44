//! Pages: the broker says by a header that more follow, and takes its own marks back as parameters.

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
}

impl Pages {
    pub(super) fn new(
        client: Client,
        endpoint: &'static Endpoint,
        parameters: Vec<(String, String)>,
        pages_max: usize,
    ) -> Pages {
        Pages { client, endpoint, parameters, taken: 0, pages_max, more: true }
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
