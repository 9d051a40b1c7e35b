//! Query parameters of an endpoint, read by name, with errors that name the parameter.

use std::borrow::Cow;

use sterna_model::limit::TOKEN_BYTES_MAX;
use sterna_model::{Code, Position};

use super::Request;

/// Why a well-formed request is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Refusal {
    /// The public code.
    pub code: Code,
    /// Which parameter, and what was expected, for a person.
    pub detail: Box<str>,
}

impl Refusal {
    /// `ParameterInvalid`, in the words "name: expectation".
    pub(crate) fn parameter(name: &str, expectation: &str) -> Self {
        Self { code: Code::ParameterInvalid, detail: format!("{name}: {expectation}").into() }
    }
}

/// The query of one request, with only known names in it.
#[derive(Debug)]
pub struct Parameters<'request> {
    pairs: Vec<(&'static str, Cow<'request, str>)>,
    bearer_token: Option<&'request str>,
}

impl<'request> Parameters<'request> {
    /// Reads the query. Names in `once` may come once, the name `repeated` up to `repeated_max` times.
    ///
    /// # Errors
    /// Unknown and repeated names.
    pub fn read(
        request: &'request Request,
        once: &'static [&'static str],
        repeated: Option<(&'static str, usize)>,
    ) -> Result<Self, Refusal> {
        let mut pairs: Vec<(&'static str, Cow<'request, str>)> = Vec::new();
        for (name, value) in request.query() {
            let known = repeated
                .into_iter()
                .chain(once.iter().map(|name| (*name, 1)))
                .find(|(known, _)| *known == name);
            let Some((name, times_max)) = known else {
                return Err(Refusal { code: Code::UnknownField, detail: name.into() });
            };
            if pairs.iter().filter(|(given, _)| *given == name).count() == times_max {
                return Err(Refusal::parameter(name, &format!("expected at most {times_max} of it")));
            }
            pairs.push((name, value));
        }
        Ok(Self { pairs, bearer_token: request.bearer_token() })
    }

    /// All values of a parameter, in order.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.pairs.iter().filter(move |(given, _)| *given == name).map(|(_, value)| &**value)
    }

    /// Value of a parameter; an empty one counts as absent.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.all(name).next().filter(|value| !value.is_empty())
    }

    /// Value of a parameter that has to be there.
    ///
    /// # Errors
    /// It is absent.
    pub fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.text(name).ok_or_else(|| Refusal::parameter(name, "it is missing"))
    }

    /// Value of a parameter of at most `bytes_max` bytes.
    ///
    /// # Errors
    /// It is longer.
    pub fn bounded_text(&self, name: &str, bytes_max: usize) -> Result<Option<&str>, Refusal> {
        bounded(name, self.text(name), bytes_max)
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// It is something else.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        self.text(name)
            .map(|text| text.parse().map_err(|_| Refusal::parameter(name, "expected true or false")))
            .transpose()
    }

    /// A decimal number up to `max`.
    ///
    /// # Errors
    /// It is something else or larger.
    pub fn number(&self, name: &str, max: u64) -> Result<Option<u64>, Refusal> {
        self.text(name)
            .map(|text| {
                Some(text)
                    .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
                    .and_then(|text| text.parse().ok())
                    .filter(|number| *number <= max)
                    .ok_or_else(|| Refusal::parameter(name, &format!("expected a number from 0 to {max}")))
            })
            .transpose()
    }

    /// The position in `epoch` and `seq`.
    ///
    /// # Errors
    /// One of them is missing or not a number.
    pub fn position(&self) -> Result<Option<Position>, Refusal> {
        match (self.number("epoch", u64::MAX)?, self.number("seq", u64::MAX)?) {
            (Some(epoch), Some(seq)) => Ok(Some(Position::new(epoch, seq))),
            (None, None) => Ok(None),
            (None, Some(_)) => Err(Refusal::parameter("epoch", "it is missing; epoch and seq come together")),
            (Some(_), None) => Err(Refusal::parameter("seq", "it is missing; epoch and seq come together")),
        }
    }

    /// The token: of the `Authorization: Bearer` header, else of the parameter `token`.
    ///
    /// # Errors
    /// It is too long.
    pub fn token(&self) -> Result<Option<Box<str>>, Refusal> {
        let token = bounded("token", self.bearer_token.or_else(|| self.text("token")), TOKEN_BYTES_MAX)?;
        Ok(token.map(Into::into))
    }
}

fn bounded<'text>(
    name: &str,
    text: Option<&'text str>,
    bytes_max: usize,
) -> Result<Option<&'text str>, Refusal> {
    match text {
        Some(text) if text.len() > bytes_max => {
            Err(Refusal::parameter(name, &format!("expected at most {bytes_max} bytes")))
        }
        _ => Ok(text),
    }
}
