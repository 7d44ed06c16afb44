//! The way to the broker: names, ports, an answer, its clock, a WebSocket handshake without a registration.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tungstenite::protocol::{Role, WebSocket};
use ureq::http::Uri;

use super::accounts::Known;
use super::{Finding, State};
use crate::cli::units::nanos;
use crate::clock::wall_ns;
use crate::config::Config;
use crate::feed::kis::rest::{Keys, Reached, reach};
use crate::journal;
use crate::net::{self, HandshakeError};

/// Longest wait for a name, a connection, a handshake.
const PATIENCE: Duration = Duration::from_secs(5);
/// From so much on, beyond what whole seconds leave open, a clock is wrong.
const CLOCK_WRONG_NS: u64 = 1_000_000_000;
/// Where a proxy stands between, names and ports are its own matter.
const PROXIES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// Looks at both servers; whether REST answers.
pub(super) fn look(config: &Config, accounts: &[Known], findings: &mut Vec<Finding>) -> bool {
    let kis = &config.kis;
    let is_proxied = PROXIES.iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    // A proxy's failure to be passed by is not the broker's.
    let is_way_free = name("rest", &kis.rest_url, findings).is_some_and(|place| port(&place, findings)) || is_proxied;
    let mut is_reached = false;
    if is_way_free {
        let begun = Instant::now();
        match reach(&kis.rest_url, &kis.rest) {
            Ok(reached) => {
                is_reached = true;
                let took = nanos(begun.elapsed().as_nanos() as u64);
                findings.push(Finding::ok("rest.answer", format!("HTTP {} in {took}, TLS included", reached.status)));
                findings.push(clock(&reached, &kis.rest_url));
            }
            Err(error) => {
                let advice = "is the address right, the certificate store there, and the way out open?";
                findings.push(Finding::fail("rest.answer", format!("{}: {error}", kis.rest_url), advice));
            }
        }
    }
    if let Some(place) = name("websocket", &kis.ws_url, findings) {
        let is_live = journal::is_live(&config.journal.dir);
        findings.push(match accounts.iter().find_map(|account| account.wait_ns) {
            // The broker blocks who connects and closes in a loop.
            _ if is_live => {
                let found = "not tried: a recorder is alive in this configuration's journal, and connects itself";
                Finding::new(State::Ok, "websocket.handshake", found, "`hoga stat DIR` shows its connections")
            }
            Some(wait) => {
                let found = format!("not tried: an app key must not connect for {}", nanos(wait));
                Finding::warn("websocket.handshake", found, "look again then")
            }
            None => match accounts.first() {
                Some(account) => counted_handshake(config, account, &place),
                None => handshake(&kis.ws_url, &place),
            },
        });
    }
    is_reached
}

/// A server whose name was looked up.
struct Place {
    host: String,
    port: u16,
    addresses: Vec<SocketAddr>,
}

impl Place {
    /// What to do when nobody answers.
    fn advice(&self) -> &'static str {
        if self.addresses.iter().all(|address| address.ip().is_loopback()) {
            "nothing listens there: start the venue, e.g. kis-sim --rest-port 9443 --ws-port 21000"
        } else {
            "is the port open in the firewall, and the server up?"
        }
    }
}

/// Looks a name up.
fn name(server: &str, url: &str, findings: &mut Vec<Finding>) -> Option<Place> {
    let parsed = url.parse::<Uri>().ok().and_then(|uri| {
        let usual = if matches!(uri.scheme_str(), Some("https" | "wss")) { 443 } else { 80 };
        let host = uri.host()?.trim_start_matches('[').trim_end_matches(']').to_owned();
        Some((host, uri.port_u16().unwrap_or(usual)))
    });
    let Some((host, port)) = parsed else {
        findings.push(Finding::fail(format!("{server}.name"), format!("{url} has no host"), "mend the address"));
        return None;
    };
    let addresses = match resolve(&host, port) {
        Ok(addresses) => addresses,
        Err(why) => {
            let advice = "is the name right, and does this host have a name server (/etc/resolv.conf)?";
            findings.push(Finding::fail(format!("{server}.name"), format!("{host}: {why}"), advice));
            return None;
        }
    };
    let shown: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
    findings.push(Finding::ok(format!("{server}.name"), format!("{host} is {}", shown.join(", "))));
    Some(Place { host, port, addresses })
}

/// Connects to the port of the REST server.
fn port(place: &Place, findings: &mut Vec<Finding>) -> bool {
    const CHECK: &str = "rest.port";
    let Place { host, port, addresses } = place;
    let begun = Instant::now();
    let mut why = String::new();
    for address in addresses {
        match TcpStream::connect_timeout(
            address,
            PATIENCE.saturating_sub(begun.elapsed()).max(Duration::from_millis(1)),
        ) {
            Ok(_) => {
                let took = nanos(begun.elapsed().as_nanos() as u64);
                findings.push(Finding::ok(CHECK, format!("{host}:{port} connects in {took}")));
                return true;
            }
            Err(error) => why = error.to_string(),
        }
    }
    findings.push(Finding::fail(CHECK, format!("{host}:{port}: {why}"), place.advice()));
    false
}

/// The system looks names up in its own time; who waits longer is told so.
fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let (sender, receiver) = mpsc::channel();
    let owned = host.to_owned();
    let body = move || {
        let found = (owned.as_str(), port).to_socket_addrs().map(|all| all.collect::<Vec<SocketAddr>>());
        let _ = sender.send(found.map_err(|error| error.to_string()));
    };
    std::thread::Builder::new().name("hoga-resolve".into()).spawn(body).map_err(|error| error.to_string())?;
    match receiver.recv_timeout(PATIENCE) {
        Ok(Ok(addresses)) if addresses.is_empty() => Err("the name has no address".to_owned()),
        Ok(found) => found,
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

/// A handshake is a connect as any other: counted, and none while another program holds the app key's session.
fn counted_handshake(config: &Config, account: &Known, place: &Place) -> Finding {
    const CHECK: &str = "websocket.handshake";
    // It makes the folder in which connects are counted.
    let _ = Keys::open(&config.kis.rest_url, account.credentials.clone(), &config.kis.rest);
    let slot = &account.slot;
    match slot.take().and_then(|taken| if taken { slot.connects(wall_ns()).map(|()| true) } else { Ok(false) }) {
        Ok(true) => {
            let finding = handshake(&config.kis.ws_url, place);
            // Not said, it would count as a crash: no more than a wait before the next connect.
            let _ = slot.ended_well();
            slot.release();
            finding
        }
        Ok(false) => {
            let found = format!("not tried: another program holds the session of account {}", account.name);
            Finding::warn(CHECK, found, "is it the recorder? `hoga stat` shows its lines; else stop it and look again")
        }
        Err(error) => Finding::fail(CHECK, error.to_string(), "mend it: a recorder connects only when it can count"),
    }
}

/// One handshake, and the closing one at once.
fn handshake(url: &str, place: &Place) -> Finding {
    const CHECK: &str = "websocket.handshake";
    let begun = Instant::now();
    match net::connect(url, &[], PATIENCE) {
        Err(error) => {
            use HandshakeError::{Connect, Refused};
            let is_unreached = matches!(error, Refused { .. } | Connect { .. });
            let strange = "is this the broker's WebSocket port, with nothing between?";
            Finding::fail(CHECK, error.to_string(), if is_unreached { place.advice() } else { strange })
        }
        Ok(shaken) => {
            let took = nanos(begun.elapsed().as_nanos() as u64);
            let mut socket = WebSocket::from_raw_socket(shaken.stream, Role::Client, None);
            // Whether the farewell arrives is the server's matter.
            let _ = socket.close(None).and_then(|()| socket.flush());
            Finding::ok(CHECK, format!("good in {took}, closed again without a registration"))
        }
    }
}

/// This host's clock beside the server's.
fn clock(reached: &Reached, url: &str) -> Finding {
    const CHECK: &str = "clock.server";
    let Some((least, most)) = reached.clock_ahead_ns() else {
        return Finding::unknown(CHECK, format!("{url} sends no Date"));
    };
    let sure_ns = u64::try_from(least.max(-most).max(0)).unwrap_or(u64::MAX);
    let direction = if least > 0 { "ahead of" } else { "behind" };
    let advice = "set the clock and keep it so: chrony or systemd-timesyncd; stamps in the journal are this clock's";
    match sure_ns {
        0 => Finding::ok(CHECK, format!("agrees with {url}, as far as its whole seconds tell")),
        sure => {
            let state = if sure > CLOCK_WRONG_NS { State::Fail } else { State::Warn };
            Finding::new(state, CHECK, format!("at least {} {direction} {url}", nanos(sure)), advice)
        }
    }
}
