//! Tokens and approval keys, shared by REST (which issues) and the WebSocket venue (which checks).

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::config::{Accept, AppKey, Limits, SimConfig};
use crate::rng::Rng;

/// Lifetime of tokens and approval keys in seconds.
pub const LIFETIME_S: f64 = 86_400.0;
/// A token younger than this is given again.
const SAME_TOKEN_S: f64 = 6.0 * 3600.0;

/// Most app keys of a venue that accepts any.
const APPS_MAX: usize = 1024;

/// Expired approval keys that are remembered of an app key.
const FORMER_MAX: usize = 16;

/// Why a credential was refused; each has a code of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// EGW00103.
    AppKey,
    /// EGW00105.
    AppSecret,
    /// EGW00133: one token a minute.
    TokenTooSoon,
    /// EGW00201: too many requests.
    TooFast,
    /// EGW00121.
    TokenInvalid,
    /// EGW00122.
    TokenMissing,
    /// EGW00123.
    TokenExpired,
}

/// All credentials of a venue.
#[derive(Debug)]
pub struct Auth {
    accept: Accept,
    limits: Limits,
    scale: f64,
    start: Instant,
    state: Mutex<State>,
}

struct State {
    rng: Rng,
    keys: Vec<AppKey>,
    apps: Vec<App>,
}

/// Shows nothing: it holds tokens.
impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "State({} apps)", self.apps.len())
    }
}

#[derive(Default)]
struct App {
    token: Option<Issued>,
    token_issued_at: Option<f64>,
    approval: Option<Issued>,
    /// Approval keys that were valid, the newest last.
    former: VecDeque<String>,
    approvals_spent: f64,
    approvals_at: f64,
    requests: VecDeque<f64>,
}

impl App {
    fn retire_approval(&mut self) {
        if let Some(gone) = self.approval.take() {
            self.former.push_back(gone.value);
        }
        if self.former.len() > FORMER_MAX {
            self.former.pop_front();
        }
    }
}

struct Issued {
    value: String,
    at: f64,
}

impl Auth {
    /// Nothing issued yet.
    pub fn new(config: &SimConfig) -> Self {
        // Tokens differ from run to run even with one seed, so that a stale one is never taken.
        let rng = Rng::new(RandomState::new().hash_one(std::process::id()));
        let apps = config.app_keys.iter().map(|_| App::default()).collect();
        Self {
            accept: config.accept,
            limits: config.limits,
            scale: config.clock_scale,
            start: Instant::now(),
            state: Mutex::new(State { rng, keys: config.app_keys.clone(), apps }),
        }
    }

    fn now(&self) -> f64 {
        self.start.elapsed().as_secs_f64() * self.scale
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn app(&self, state: &mut State, app_key: &str, secret: &str) -> Result<usize, Denied> {
        let known = state.keys.iter().position(|k| k.app_key == app_key);
        match (known, self.accept) {
            (Some(app), Accept::Any | Accept::AnyKey) => Ok(app),
            (Some(app), Accept::Listed) if state.keys[app].app_secret == secret => Ok(app),
            (Some(_), Accept::Listed) => Err(Denied::AppSecret),
            (None, Accept::Any | Accept::AnyKey) if !app_key.is_empty() && state.keys.len() < APPS_MAX => {
                state.keys.push(AppKey { app_key: app_key.to_owned(), app_secret: secret.to_owned() });
                state.apps.push(App::default());
                Ok(state.keys.len() - 1)
            }
            (None, _) => Err(Denied::AppKey),
        }
    }

    /// Checks app key and secret alone.
    ///
    /// # Errors
    /// Which of them is wrong.
    pub fn knows(&self, app_key: &str, secret: &str) -> Result<(), Denied> {
        self.app(&mut self.lock(), app_key, secret).map(drop)
    }

    /// Issues a token, or gives a young one again; with its remaining seconds of the venue's clock.
    ///
    /// # Errors
    /// Wrong credentials, or a second request within a minute.
    pub fn token(&self, app_key: &str, secret: &str) -> Result<(String, f64), Denied> {
        let now = self.now();
        let mut state = self.lock();
        let app = self.app(&mut state, app_key, secret)?;
        let State { rng, apps, .. } = &mut *state;
        let slot = &mut apps[app];
        if self.limits.token_per_minute && slot.token_issued_at.is_some_and(|at| now - at < 60.0) {
            return Err(Denied::TokenTooSoon);
        }
        slot.token_issued_at = Some(now);
        if slot.token.as_ref().is_none_or(|t| now - t.at >= SAME_TOKEN_S) {
            slot.token = Some(Issued { value: random_text(rng, 344), at: now });
        }
        slot.token.as_ref().map(|t| (t.value.clone(), LIFETIME_S - (now - t.at))).ok_or(Denied::TokenInvalid)
    }

    /// Issues an approval key, or gives the valid one again.
    ///
    /// # Errors
    /// Wrong credentials, or the burst is spent.
    pub fn approval(&self, app_key: &str, secret: &str) -> Result<String, Denied> {
        let now = self.now();
        let mut state = self.lock();
        let app = self.app(&mut state, app_key, secret)?;
        let State { rng, apps, .. } = &mut *state;
        let slot = &mut apps[app];
        if self.limits.approval_burst > 0 {
            slot.approvals_spent = (slot.approvals_spent - (now - slot.approvals_at)).max(0.0);
            slot.approvals_at = now;
            if slot.approvals_spent + 1.0 > f64::from(self.limits.approval_burst) {
                return Err(Denied::TooFast);
            }
            slot.approvals_spent += 1.0;
        }
        if slot.approval.as_ref().is_none_or(|a| now - a.at >= LIFETIME_S) {
            slot.retire_approval();
            slot.approval = Some(Issued { value: random_uuid(rng), at: now });
        }
        slot.approval.as_ref().map(|a| a.value.clone()).ok_or(Denied::AppKey)
    }

    /// Forgets a token; false when it is none.
    pub fn revoke(&self, token: &str) -> bool {
        let mut state = self.lock();
        let app = state.apps.iter_mut().find(|app| app.token.as_ref().is_some_and(|t| t.value == token));
        app.is_some_and(|app| app.token.take().is_some())
    }

    /// Checks the three headers of a quotation call and its rate.
    ///
    /// # Errors
    /// What is wrong first: token, key, secret, rate.
    pub fn check(&self, bearer: Option<&str>, app_key: &str, secret: &str) -> Result<(), Denied> {
        let bearer = bearer.ok_or(Denied::TokenMissing)?;
        let now = self.now();
        let mut state = self.lock();
        let held = |app: &App| app.token.as_ref().filter(|t| t.value == bearer).map(|t| now - t.at >= LIFETIME_S);
        let owner = state.apps.iter().enumerate().find_map(|(app, slot)| Some((app, held(slot)?)));
        let owner = match owner {
            None => return Err(Denied::TokenInvalid),
            Some((_, true)) => return Err(Denied::TokenExpired),
            Some((app, false)) => app,
        };
        let app = self.app(&mut state, app_key, secret)?;
        if app != owner {
            return Err(Denied::TokenInvalid);
        }
        let requests = &mut state.apps[app].requests;
        while requests.front().is_some_and(|at| now - at >= 1.0) {
            requests.pop_front();
        }
        let limit = self.limits.requests_per_second as usize;
        if limit > 0 && requests.len() >= limit {
            return Err(Denied::TooFast);
        }
        requests.push_back(now);
        Ok(())
    }

    /// The app a valid approval key belongs to.
    pub fn app_of_approval(&self, approval_key: &str) -> Option<usize> {
        let now = self.now();
        let state = self.lock();
        let valid =
            |app: &App| app.approval.as_ref().is_some_and(|a| a.value == approval_key && now - a.at < LIFETIME_S);
        state.apps.iter().position(valid)
    }

    /// The app an approval key belongs to, or belonged to before it expired.
    pub fn app_that_had(&self, approval_key: &str) -> Option<usize> {
        let had = |app: &App| {
            app.approval.as_ref().is_some_and(|a| a.value == approval_key)
                || app.former.iter().any(|former| former == approval_key)
        };
        self.lock().apps.iter().position(had)
    }

    /// How many app keys there are.
    pub fn app_count(&self) -> usize {
        self.lock().apps.len()
    }

    /// Ends the life of all approval keys, as 24 hours do; open sessions stay.
    pub fn expire_approvals(&self) {
        self.lock().apps.iter_mut().for_each(App::retire_approval);
    }

    /// Ends the life of all tokens, as 24 hours do.
    pub fn expire_tokens(&self) {
        for app in &mut self.lock().apps {
            if let Some(token) = &mut app.token {
                token.at = f64::NEG_INFINITY;
            }
            app.token_issued_at = None;
        }
    }
}

fn random_text(rng: &mut Rng, len: usize) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    (0..len).map(|_| char::from(LETTERS[rng.below(LETTERS.len() as u64) as usize])).collect()
}

fn random_uuid(rng: &mut Rng) -> String {
    let (a, b) = (rng.next_u64(), rng.next_u64());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        a >> 32,
        a >> 16 & 0xFFFF,
        a & 0xFFF,
        b >> 48 & 0x3FFF | 0x8000,
        b & 0xFFFF_FFFF_FFFF
    )
}

/// `iv` and `key` of a session: 16 lower-case hexadecimal digits and 32 lower-case letters.
pub fn session_secrets(seed: u64) -> (String, String) {
    let mut rng = Rng::new(seed ^ RandomState::new().hash_one(seed));
    let iv = format!("{:016x}", rng.next_u64());
    let key = (0..32).map(|_| char::from(b'a' + rng.below(26) as u8)).collect();
    (iv, key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth(limits: Limits, clock_scale: f64) -> (Auth, AppKey) {
        let config = SimConfig { limits, clock_scale, ..SimConfig::default() };
        (Auth::new(&config), config.app_keys[0].clone())
    }

    #[test]
    fn a_second_token_within_a_minute_is_refused_and_later_it_is_the_same() {
        let (auth, key) = auth(Limits::default(), 1.0);
        let (first, left) = auth.token(&key.app_key, &key.app_secret).unwrap();
        assert!(first.len() <= 350 && left > 86_000.0);
        assert_eq!(auth.token(&key.app_key, &key.app_secret), Err(Denied::TokenTooSoon));
        // A clock 100,000 times as fast passes the minute in under a millisecond.
        let (auth, key) = self::auth(Limits::default(), 100_000.0);
        let (first, _) = auth.token(&key.app_key, &key.app_secret).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(2));
        assert_eq!(auth.token(&key.app_key, &key.app_secret).unwrap().0, first);
    }

    #[test]
    fn a_venue_that_accepts_any_app_key_knows_each_by_its_own_approval() {
        let auth = Auth::new(&SimConfig { accept: Accept::Any, ..SimConfig::default() });
        let first = auth.approval("PSone", "secret").unwrap();
        let second = auth.approval("PStwo", "secret").unwrap();
        assert_ne!(auth.app_of_approval(&first).unwrap(), auth.app_of_approval(&second).unwrap());
        assert_eq!(auth.approval("PSone", "another secret").unwrap(), first);
        assert_eq!(auth.approval("", "secret"), Err(Denied::AppKey));
        let (listed, _) = self::auth(Limits::default(), 1.0);
        assert_eq!(listed.approval("PSone", "secret"), Err(Denied::AppKey));
    }

    #[test]
    fn approvals_allow_a_short_burst() {
        let (auth, key) = auth(Limits { approval_burst: 3, ..Limits::default() }, 1.0);
        for _ in 0..3 {
            assert_eq!(auth.approval(&key.app_key, &key.app_secret).unwrap().len(), 36);
        }
        assert_eq!(auth.approval(&key.app_key, &key.app_secret), Err(Denied::TooFast));
    }
}
