//! Tokens: which one a client has, and replacing it on the live session.

use sterna_model::Request;

use crate::client::Client;
use crate::judge::Judge;
use crate::member::Token;
use crate::network::Upward;
use crate::stage::Stage;

impl Client {
    /// A token for some of the subjects, for some time.
    pub(crate) fn new_token(&mut self, stage: &Stage) -> Token {
        let subjects = if self.random.percent(50) { u32::MAX } else { self.random.next() as u32 };
        let lasts_s = self.random.pick(&[0, 3, 10]);
        let expires_at_s = if lasts_s == 0 { 0 } else { stage.latest_ms() / 1000 + lasts_s };
        Token { subjects, expires_at_s }
    }

    /// Replaces the token. From here on the client asks only for what the new one allows.
    pub(crate) fn renew(&mut self, stage: &mut Stage) {
        self.token = if stage.calm { Token::ALL } else { self.new_token(stage) };
        self.renewals.push_back(self.token);
        let id = Some(self.next_request());
        let token = self.token.text();
        self.send(stage, Upward::Request(Request::RenewToken { id, token }));
    }

    /// The oldest token that is not answered was accepted, or it was refused and the one before stays.
    pub(crate) fn on_token(&mut self, judge: &mut Judge, accepted: bool) {
        match self.renewals.pop_front() {
            Some(token) if accepted => self.granted = token,
            Some(_) => {}
            None => judge.protocol(format!("client {}: an answer for a token that was not sent", self.id.0)),
        }
    }

    /// Rule A3: what a confirmed token does not allow comes no more.
    pub(crate) fn check_allowed(&self, judge: &mut Judge, number: u32, what: &str) {
        if !self.granted.allows(number) {
            judge.protocol(format!(
                "client {}: {what} of subject {number}, which its token does not allow",
                self.id.0
            ));
        }
    }
}
