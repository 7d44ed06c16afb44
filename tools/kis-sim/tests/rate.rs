//! Goal: the average rate is what was asked for, in a burst too. Method: ten connections read by one thread that only
//! counts; the venue's own summary says how late frames were. `RATE=20000 cargo test --release -p kis-sim --test rate
//! -- --nocapture` prints a measurement.

mod common;

use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

use common::Client;
use kis_sim::{AppKey, Burst, OpenWhen, SimConfig, Venue};

#[test]
fn the_average_rate_holds_over_ten_connections_with_a_tenfold_burst() {
    let rate: f64 = std::env::var("RATE").ok().and_then(|r| r.parse().ok()).unwrap_or(3_000.0);
    let seconds = 4.0;
    let venue = Venue::start(SimConfig {
        app_keys: AppKey::generate(10),
        symbols: 200,
        seconds,
        rate,
        spin: std::env::var_os("SLEEP").is_none(),
        burst: Burst::Opening { factor: 10.0, share: 0.05 },
        open_when: OpenWhen::Registrations { count: 400 },
        ..SimConfig::default()
    })
    .unwrap();
    let codes: Vec<String> = venue.symbols().iter().map(|s| s.code.clone()).collect();
    let mut sockets: Vec<TcpStream> = Vec::new();
    for (app, codes) in codes.chunks(20).enumerate() {
        let mut client = Client::connect(&venue, app);
        for code in codes {
            client.subscribe("H0STCNT0", code);
            client.subscribe("H0STASP0", code);
        }
        let socket = client.ws.get_ref().try_clone().unwrap();
        socket.set_nonblocking(true).unwrap();
        sockets.push(socket);
    }
    let mut chunk = vec![0; 256 << 10];
    let mut bytes = 0;
    while !venue.is_finished() {
        let mut idle = true;
        for socket in &mut sockets {
            if let Ok(n) = socket.read(&mut chunk)
                && n > 0
            {
                bytes += n;
                idle = false;
            }
        }
        if idle {
            std::thread::sleep(Duration::from_micros(100));
        }
        let counts = venue.ledger();
        if counts.frames_sent as f64 >= rate * seconds {
            // Nobody here answers Close: end the connections instead.
            let ended = sockets.iter_mut().all(|socket| socket.peek(&mut chunk[..1]).is_err());
            if ended {
                sockets.clear();
            }
        }
    }
    let summary = venue.join();
    println!("{} bytes read; {summary:?}", bytes);
    let asked = rate * seconds;
    assert!(summary.counts.frames_sent as f64 >= asked && summary.counts.frames_sent as f64 <= asked + 50.0);
    assert!((summary.seconds - seconds).abs() < 0.25, "{}", summary.seconds);
}
