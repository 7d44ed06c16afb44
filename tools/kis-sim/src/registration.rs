//! What the venue does with a client's messages.

use std::net::IpAddr;
use std::sync::atomic::Ordering;

use crate::auth::session_secrets;
use crate::ban::{BanRules, Judgement, Who};
use crate::control::{self, Code, Registration, Request, Rules};
use crate::event_loop::{EventLoop, apply_by_time};
use crate::fault::Fault;
use crate::session::{Ack, Inbound, State};
use crate::venue::wall_ns;

impl EventLoop {
    pub(crate) fn handle(&mut self, slot: usize, inbound: Inbound, now: u64) {
        match inbound {
            // Any answer counts as life by having been read at all.
            Inbound::Opened | Inbound::Pong => {}
            Inbound::Ping => {
                if let Some(connection) = self.connections.get_mut(slot).and_then(Option::as_mut) {
                    let number = connection.number;
                    self.ledger.note(wall_ns(), number, &serde_json::json!({ "client_ping": 1 }), None);
                    if self.config.cut_on_client_ping {
                        self.ledger.note(wall_ns(), number, &serde_json::json!({ "cut": "client pings" }), None);
                        connection.reset();
                    }
                }
            }
            Inbound::Message(text) => self.message(slot, &text, now),
        }
    }

    fn message(&mut self, slot: usize, text: &[u8], now: u64) {
        let rules = Rules { mock: self.config.mock, accept: self.config.accept };
        let request = control::parse(text, rules);
        let approval_key = match &request {
            Ok(Request::PingPong) => return,
            Ok(Request::Register(registration)) => Some(registration.approval_key.clone()),
            Err(_) => control::approval_key(text),
        };
        // A loop of refusals is a loop: the judge comes before them.
        // Who has gone meanwhile, or is going, gets no answer.
        if self.is_blocked(slot, approval_key.as_deref(), now) || !self.is_open(slot) {
            return;
        }
        match request {
            Ok(Request::PingPong) => {}
            Ok(Request::Register(registration)) => self.register(slot, &registration, now),
            Err(refused) => self.answer(slot, refused.code, &refused.tr_id, &refused.tr_key),
        }
    }

    fn is_open(&self, slot: usize) -> bool {
        self.connections.get(slot).and_then(Option::as_ref).is_some_and(|c| c.state == State::Open)
    }

    fn register(&mut self, slot: usize, r: &Registration, now: u64) {
        if self.scripted_refusal(slot, r, now) {
            return;
        }
        let Some(app) = self.auth.app_of_approval(&r.approval_key) else {
            // The real server echoes the key.
            let text = format!("invalid approval : {}", r.approval_key);
            let code = control::INVALID_APPROVAL;
            return self.answer_text(slot, code.msg_cd, code.rt_cd, &text, &r.tr_id, &r.tr_key);
        };
        // A venue that accepts any app key learns of them as they come.
        if app >= self.holders.len() {
            self.holders.resize(app + 1, None);
            self.lingers_ns.resize(app + 1, 0);
        }
        let is_stranger = r.subscribe && self.is_stranger(&r.tr_id, &r.tr_key);
        let Some(connection) = self.connections.get_mut(slot).and_then(Option::as_mut) else { return };
        if is_stranger {
            // The end of the stream, no Close before it.
            connection.push_last(&[]);
            let what = serde_json::json!({ "cut": "no such HTS id" });
            return self.ledger.note(wall_ns(), connection.number, &what, None);
        }
        let dark = std::mem::take(&mut connection.dark);
        match connection.app {
            Some(own) if own != app => return self.answer(slot, control::INVALID_APPKEY, &r.tr_id, &r.tr_key),
            Some(_) => {}
            None => {
                if self.holders[app].is_some() || now < self.lingers_ns[app] {
                    self.ledger.shared.in_use.fetch_add(1, Ordering::Relaxed);
                    let alive = u64::from(self.holders[app].is_some());
                    self.ledger.shared.two_sessions.fetch_add(alive, Ordering::Relaxed);
                    return self.answer(slot, control::IN_USE, "(null)", "");
                }
                connection.app = Some(app);
                self.holders[app] = Some(slot);
                self.ledger.note(wall_ns(), connection.number, &serde_json::json!({ "app": app }), None);
            }
        }
        let found = connection.feeds.iter().position(|(tr, key)| *tr == r.tr_id && *key == r.tr_key);
        let code = match (r.subscribe, found) {
            (true, Some(_)) => control::ALREADY,
            (true, None) if connection.feeds.len() >= self.config.max_registrations => control::MAX_OVER,
            (true, None) => {
                connection.feeds.push((r.tr_id.clone(), r.tr_key.clone()));
                if !dark {
                    self.registrations.add(&r.tr_id, &r.tr_key, slot);
                }
                self.last_registration_ns = now;
                control::SUBSCRIBED
            }
            (false, Some(i)) => {
                connection.feeds.swap_remove(i);
                self.registrations.remove(&r.tr_id, &r.tr_key, slot);
                control::UNSUBSCRIBED
            }
            (false, None) => control::NOT_FOUND,
        };
        if code == control::MAX_OVER {
            self.ledger.shared.over_limit.fetch_add(1, Ordering::Relaxed);
        }
        self.ledger.shared.registrations.store(self.registrations.count() as u64, Ordering::Relaxed);
        self.answer(slot, code, &r.tr_id, &r.tr_key);
    }

    /// Judges a message, and the connection once as a connect of its app key; true when it is reset for that.
    fn is_blocked(&mut self, slot: usize, approval_key: Option<&str>, now: u64) -> bool {
        let spacing = self.config.message_spacing_ms;
        if self.config.ban.is_none() && spacing.is_none() {
            return false;
        }
        let rules = self.config.ban.unwrap_or(BanRules::SPACING_ALONE);
        let (window_ns, for_ns) = (self.scaled_ns(rules.window_s), self.scaled_ns(rules.for_s));
        let named = approval_key.and_then(|key| self.auth.app_that_had(key));
        let Some(connection) = self.connections.get_mut(slot).and_then(Option::as_mut) else { return true };
        let app = named.or(connection.app);
        let who = app.map_or(Who::Address(connection.peer), Who::App);
        let is_connect = app.is_some() && !std::mem::replace(&mut connection.judged, true);
        let mut judgement = Judgement::Fine;
        if is_connect {
            judgement = self.bans.judge(who, rules.connects, window_ns, for_ns, now);
        }
        if let (Judgement::Fine, Some(ms)) = (judgement, spacing) {
            judgement = self.bans.judge_spacing(who, ms * 1_000_000, for_ns, now);
        }
        if let (Judgement::Fine, Some(most)) = (judgement, rules.messages) {
            judgement = self.bans.judge_message(who, most, window_ns, for_ns, now);
        }
        if judgement != Judgement::Fine {
            connection.reset();
            let number = connection.number;
            self.punished(number, judgement, who);
        }
        judgement != Judgement::Fine
    }

    /// Judges a connect of an address; true when it is not let in.
    pub(crate) fn is_shut_out(&mut self, number: u64, peer: IpAddr, now: u64) -> bool {
        let Some(rules) = self.config.ban else { return false };
        let (window_ns, for_ns) = (self.scaled_ns(rules.window_s), self.scaled_ns(rules.for_s));
        let connects = rules.connects.saturating_mul(self.auth.app_count());
        let judgement = self.bans.judge(Who::Address(peer), connects, window_ns, for_ns, now);
        if judgement != Judgement::Fine {
            self.punished(number, judgement, Who::Address(peer));
        }
        judgement != Judgement::Fine
    }

    fn punished(&mut self, number: u64, judgement: Judgement, who: Who) {
        if judgement == Judgement::Banned {
            self.ledger.shared.bans.fetch_add(1, Ordering::Relaxed);
        }
        let mut what = serde_json::json!({ "cut": format!("{judgement:?}").to_lowercase() });
        match who {
            Who::App(app) => what["app_key"] = app.into(),
            Who::Address(address) => what["address"] = address.to_string().into(),
        }
        self.ledger.note(wall_ns(), number, &what, None);
    }

    /// Faults set for this registration; true when one of them refused it.
    fn scripted_refusal(&mut self, slot: usize, r: &Registration, now: u64) -> bool {
        let Some(connection) = self.connections.get_mut(slot).and_then(Option::as_mut) else { return true };
        connection.registrations_seen += 1;
        let due = connection.faults.take_registration(connection.registrations_seen);
        let number = connection.number;
        let mut refused = false;
        for fault in due {
            if let Fault::Refuse { code } = &fault {
                self.ledger.fault(wall_ns(), number, &fault, None);
                let (msg_cd, rt_cd, msg1) = control::refusal(code);
                self.answer_text(slot, &msg_cd, &rt_cd, &msg1, &r.tr_id, &r.tr_key);
                refused = true;
            } else if fault == Fault::Dark {
                self.ledger.fault(wall_ns(), number, &fault, None);
                if let Some(connection) = self.connections.get_mut(slot).and_then(Option::as_mut) {
                    connection.dark = true;
                }
            } else if let Some(ack) = ack(&fault, now) {
                self.ledger.fault(wall_ns(), number, &fault, None);
                if let Some(connection) = self.connections.get_mut(slot).and_then(Option::as_mut) {
                    connection.ack = Some(ack);
                }
            } else if let Some(connection) = self.connections.get_mut(slot).and_then(Option::as_mut) {
                if fault == Fault::ExpireApprovals {
                    self.auth.expire_approvals();
                }
                apply_by_time(connection, &mut self.ledger, fault, now, wall_ns());
            }
        }
        refused
    }

    fn answer(&mut self, slot: usize, code: Code, tr_id: &str, tr_key: &str) {
        self.answer_text(slot, code.msg_cd, code.rt_cd, code.msg1, tr_id, tr_key);
    }

    fn answer_text(&mut self, slot: usize, msg_cd: &str, rt_cd: &str, msg1: &str, tr_id: &str, tr_key: &str) {
        if let Some(connection) = self.connections.get_mut(slot).and_then(Option::as_mut) {
            let decoys =
                self.config.notices.as_ref().is_some_and(|notices| notices.decoys) && !control::is_notice(tr_id);
            let own = if decoys { session_secrets(connection.number) } else { connection.secrets.clone() };
            let secrets = (rt_cd == "0").then_some((own.0.as_str(), own.1.as_str()));
            let text = control::answer(msg_cd, rt_cd, msg1, tr_id, tr_key, secrets);
            match connection.ack.take() {
                None => connection.push_text(&text),
                Some(Ack::Late(at)) => connection.late.push((at, text)),
                Some(Ack::Lost) => {}
            }
        }
    }
}

/// What a fault does to the answer, if it is of that kind.
fn ack(fault: &Fault, now: u64) -> Option<Ack> {
    match fault {
        Fault::LoseAck => Some(Ack::Lost),
        Fault::DelayAck { ms } => Some(Ack::Late(now + ms * 1_000_000)),
        _ => None,
    }
}
