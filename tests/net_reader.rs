//! The reader over real sockets on loopback, against servers made of tungstenite or of raw bytes. Each promise is
//! checked in both ways of reading: every socket each poll, and those that epoll names.

mod net_rig;

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use hoga::net::frames::Violation;
use hoga::net::sink::RECV_TS_USER;
use hoga::net::{Command, Connection, ConnectionConfig, DisconnectReason, HandshakeError, LineEvent, connect};
use net_rig::{Rig, SECONDS, both, head_for, now_ns, raw_server, read_to_close, server, text_frame};
use tungstenite::protocol::CloseFrame;
use tungstenite::{Error, Message};

#[test]
fn frames_in_the_same_packet_as_the_answer_are_kept_and_stamped() {
    both(|mut rig| {
        let (url, server) = raw_server(|mut stream| {
            let mut packet = head_for(&mut stream).into_bytes();
            packet.extend(text_frame("first"));
            packet.extend(text_frame("second"));
            packet.extend(&text_frame("third")[..4]);
            stream.write_all(&packet).unwrap();
            std::thread::sleep(Duration::from_millis(30));
            stream.write_all(&text_frame("third")[4..]).unwrap();
            stream
        });
        let before = now_ns();
        let handshaken = connect(&url, &[("user-agent", "hoga")], SECONDS).unwrap();
        assert_eq!(handshaken.leftover.len(), 7 + 8 + 4);
        let connection = Connection::prepare(handshaken, &ConnectionConfig::default()).unwrap();
        rig.handle.send(Command::Add { line: 7, connection }).unwrap();
        rig.run_until("three frames", |sink| sink.frames.len() == 3);
        assert_eq!(rig.sink.texts(7), ["first", "second", "third"]);
        assert_eq!(rig.sink.events, [(7, LineEvent::Connected)]);
        for (meta, _) in &rig.sink.frames {
            assert!(meta.ts_recv >= before && meta.ts_recv <= now_ns());
            assert!(meta.ts_recv - u64::from(meta.recv_window_ns) >= before);
        }
        let stamps: Vec<_> = rig.sink.frames.iter().map(|(meta, _)| meta.ts_recv).collect();
        assert_eq!(stamps[0], stamps[1]);
        assert!(stamps[2] >= stamps[1] + 20_000_000, "the last frame has the stamp of the read that completed it");
        drop(server.join().unwrap());
    });
}

#[test]
fn the_keep_alive_of_the_feed_is_sent_back_as_it_came_and_nothing_else_is() {
    both(|mut rig| {
        let alive = [
            r#"{"header":{"tr_id":"PINGPONG","datetime":"20260914090000"}}"#,
            "{ \"header\" :\n { \"datetime\":\"20260914090000\", \"tr_id\" \t: \"PINGPONG\" } }",
        ];
        let other = [r#"{"header":{"tr_id":"H0STCNT0","tr_key":"PINGPONG"}}"#, "0|H0STCNT0|001|PINGPONG"];
        let (url, server) = server(move |mut socket| {
            for text in other.iter().chain(&alive).chain(&other) {
                socket.send(Message::text(*text)).unwrap();
            }
            let replies = [socket.read().unwrap(), socket.read().unwrap()];
            socket.close(None).unwrap();
            (replies, read_to_close(&mut socket).0)
        });
        rig.add(1, &url);
        rig.run_until("the end", |sink| sink.ended(1).is_some());
        let (replies, rest) = server.join().unwrap();
        assert_eq!(replies, alive.map(Message::text));
        assert_eq!(rest, [Message::Close(None)]);
        assert_eq!(rig.sink.frames.len(), 6, "the sink sees them all");
        assert_eq!(rig.reader.counters().replies, 2);
    });
}

#[test]
fn a_ping_is_answered_by_a_pong_of_the_same_payload() {
    both(|mut rig| {
        let (url, server) = server(|mut socket| {
            socket.send(Message::Ping(vec![7; 125].into())).unwrap();
            socket.send(Message::Ping(vec![].into())).unwrap();
            [socket.read().unwrap(), socket.read().unwrap()]
        });
        rig.add(1, &url);
        rig.run_until("the end", |sink| sink.ended(1).is_some());
        assert_eq!(server.join().unwrap(), [Message::Pong(vec![7; 125].into()), Message::Pong(vec![].into())]);
        assert_eq!((rig.reader.counters().pings, rig.sink.frames.len()), (2, 0));
    });
}

#[test]
fn a_close_by_the_peer_is_answered_and_its_code_and_reason_are_told() {
    both(|mut rig| {
        let (url, server) = server(|mut socket| {
            socket.send(Message::text("last")).unwrap();
            socket.close(Some(CloseFrame { code: 1001.into(), reason: "market closed".into() })).unwrap();
            read_to_close(&mut socket)
        });
        rig.add(3, &url);
        rig.run_until("the end", |sink| sink.ended(3).is_some());
        let (messages, error) = server.join().unwrap();
        assert!(matches!(&messages[..], [Message::Close(Some(frame))] if u16::from(frame.code) == 1001));
        assert!(matches!(error, Error::ConnectionClosed), "{error}");
        let ended = LineEvent::Disconnected { reason: DisconnectReason::PeerClosed, code: 1001 };
        let events: Vec<_> = rig.sink.events.iter().map(|(_, event)| *event).collect();
        assert_eq!(events, [LineEvent::Connected, LineEvent::PeerClosing { code: 1001 }, ended]);
        assert_eq!(rig.sink.reasons, [b"market closed"]);
        assert_eq!(rig.reader.connections(), 0);
    });
}

#[test]
fn a_close_by_us_is_sent_and_frames_are_taken_until_the_answer() {
    both(|mut rig| {
        let (url, server) = server(|mut socket| {
            let close = socket.read().unwrap();
            (close, read_to_close(&mut socket).1)
        });
        rig.add(3, &url);
        rig.run_until("connected", |sink| !sink.events.is_empty());
        rig.handle.send(Command::Close { line: 3, code: 1000 }).unwrap();
        rig.run_until("the end", |sink| sink.ended(3).is_some());
        let (close, error) = server.join().unwrap();
        assert!(matches!(close, Message::Close(Some(frame)) if u16::from(frame.code) == 1000));
        assert!(matches!(error, Error::ConnectionClosed), "{error}");
        assert_eq!(rig.sink.ended(3), Some((DisconnectReason::LocalClosed, 1000)));

        let (url, server) = raw_server(|mut stream| {
            let head = head_for(&mut stream);
            stream.write_all(head.as_bytes()).unwrap();
            let mut close = [0; 8];
            stream.read_exact(&mut close).unwrap();
            stream.write_all(&text_frame("still here")).unwrap();
            stream.write_all(&[0x88, 0]).unwrap();
            close
        });
        rig.add(4, &url);
        rig.run_until("connected", |sink| sink.events.contains(&(4, LineEvent::Connected)));
        rig.handle.send(Command::Close { line: 4, code: 1000 }).unwrap();
        rig.run_until("the end", |sink| sink.ended(4).is_some());
        assert_eq!(server.join().unwrap()[..2], [0x88, 0x82]);
        assert_eq!(rig.sink.texts(4), ["still here"]);
        assert_eq!(rig.sink.ended(4), Some((DisconnectReason::LocalClosed, 1005)));
    });
}

#[test]
fn a_stop_closes_all_lines_within_its_bound_even_when_a_peer_is_silent() {
    both(|mut rig| {
        let (polite_url, polite) = server(|mut socket| read_to_close(&mut socket).1);
        let (release, held) = mpsc::channel::<()>();
        let (silent_url, silent) = server(move |socket| {
            let _ = held.recv();
            drop(socket);
        });
        rig.add(1, &polite_url);
        rig.add(2, &silent_url);
        rig.run_until("connected", |sink| sink.events.len() == 2);
        rig.handle.send(Command::Stop).unwrap();
        let began = Instant::now();
        rig.run_until("both are gone", |sink| sink.ended(1).is_some() && sink.ended(2).is_some());
        assert!(began.elapsed() >= Duration::from_millis(400));
        assert!(rig.reader.is_done());
        assert_eq!(rig.sink.ended(1), Some((DisconnectReason::LocalClosed, 1000)));
        assert_eq!(rig.sink.ended(2), Some((DisconnectReason::CloseTimeout, 1006)));
        assert!(matches!(polite.join().unwrap(), Error::ConnectionClosed));
        release.send(()).unwrap();
        silent.join().unwrap();

        let (late_url, late) = server(|mut socket| read_to_close(&mut socket).1);
        rig.add(5, &late_url);
        rig.run_until("refused", |sink| sink.ended(5).is_some());
        assert_eq!(rig.sink.ended(5), Some((DisconnectReason::Stopped, 1006)));
        late.join().unwrap();
    });
}

#[test]
fn an_end_without_close_and_a_reset_are_told_apart_and_what_came_before_is_kept() {
    both(|mut rig| {
        let (url, server) = raw_server(|mut stream| {
            let head = head_for(&mut stream);
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&text_frame("whole")).unwrap();
            stream.write_all(&text_frame("half")[..3]).unwrap();
        });
        rig.add(1, &url);
        rig.run_until("the end", |sink| sink.ended(1).is_some());
        server.join().unwrap();
        assert_eq!(rig.sink.ended(1), Some((DisconnectReason::Eof, 1006)));
        assert_eq!(rig.sink.texts(1), ["whole"]);
        assert_eq!(rig.reader.counters().abandoned_bytes, 3);

        // Closing a socket that holds unread bytes resets the connection.
        let (url, server) = raw_server(|mut stream| {
            let head = head_for(&mut stream);
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&text_frame("before")).unwrap();
            let _ = stream.peek(&mut [0]);
        });
        rig.add(2, &url);
        rig.run_until("a frame", |sink| !sink.texts(2).is_empty());
        rig.handle.send(Command::Send { line: 2, text: (*b"never read").into() }).unwrap();
        rig.run_until("the end", |sink| sink.ended(2).is_some());
        server.join().unwrap();
        assert_eq!(rig.sink.ended(2), Some((DisconnectReason::Reset, 1006)));
    });
}

#[test]
fn a_violation_is_answered_by_its_close_code_and_named() {
    both(|mut rig| {
        for (line, bytes, violation) in [
            (1, &[0xC1, 0][..], Violation::ReservedBits),
            (2, &[0x81, 0x80, 0, 0, 0, 0], Violation::MaskedFrame),
            (3, &[0x82, 127, 0, 0, 0, 0, 0x7F, 0, 0, 0], Violation::MessageTooBig),
        ] {
            let (url, server) = raw_server(move |mut stream| {
                let head = head_for(&mut stream);
                stream.write_all(head.as_bytes()).unwrap();
                stream.write_all(bytes).unwrap();
                let mut answer = Vec::new();
                stream.read_to_end(&mut answer).unwrap();
                answer
            });
            rig.add(line, &url);
            rig.run_until("the end", |sink| sink.ended(line).is_some());
            let answer = server.join().unwrap();
            let code = u16::from_be_bytes([answer[6] ^ answer[2], answer[7] ^ answer[3]]);
            assert_eq!((answer.len(), code), (8, violation.close_code()));
            assert!(rig.sink.events.contains(&(line, LineEvent::Violated { violation })));
            assert_eq!(rig.sink.ended(line), Some((DisconnectReason::Violation(violation), code)));
            assert_eq!(rig.reader.counters().violations[violation as usize], 1);
        }
    });
}

#[test]
fn a_close_reason_that_is_not_utf8_is_told_and_answered_with_1007() {
    both(|mut rig| {
        let (url, server) = raw_server(|mut stream| {
            let head = head_for(&mut stream);
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(b"\x88\x06\x03\xF0\xC7\xD1\xB1\xB9").unwrap();
            let mut answer = [0; 8];
            stream.read_exact(&mut answer).unwrap();
            u16::from_be_bytes([answer[6] ^ answer[2], answer[7] ^ answer[3]])
        });
        rig.add(1, &url);
        rig.run_until("the end", |sink| sink.ended(1).is_some());
        assert_eq!(server.join().unwrap(), 1007);
        assert_eq!(rig.sink.ended(1), Some((DisconnectReason::PeerClosed, 1008)));
        assert_eq!(rig.sink.reasons, [b"\xC7\xD1\xB1\xB9"]);
    });
}

#[test]
fn a_full_sink_stops_the_reading_and_loses_nothing() {
    both(|mut rig| {
        const COUNT: usize = 40_000;
        let (url, server) = server(|mut socket| {
            for index in 0..COUNT {
                socket.write(Message::text(format!("{index:0>200}"))).unwrap();
            }
            socket.flush().unwrap();
            socket.close(None).unwrap();
            read_to_close(&mut socket).1
        });
        rig.sink.room = Some(Cell::new(1_000));
        rig.add(1, &url);
        rig.run_until("a stall", |sink| sink.events.contains(&(1, LineEvent::Stalled)));
        rig.run_for(Duration::from_millis(60));
        assert_eq!(rig.sink.frames.len(), 1_000);
        let reads = rig.reader.counters().reads;
        rig.run_for(Duration::from_millis(20));
        assert_eq!(rig.reader.counters().reads, reads, "the socket is left alone");
        // Room for one now and then is still the same stall.
        for _ in 0..5 {
            rig.sink.room = Some(Cell::new(1));
            rig.run_for(Duration::from_millis(2));
        }
        assert_eq!(rig.sink.frames.len(), 1_005);
        assert_eq!(rig.sink.events.len(), 2);
        rig.sink.room = None;
        rig.run_until("the end", |sink| sink.ended(1).is_some());
        assert!(matches!(server.join().unwrap(), Error::ConnectionClosed));
        let expected: Vec<_> = (0..COUNT).map(|index| format!("{index:0>200}")).collect();
        assert!(rig.sink.texts(1) == expected, "all of them, in order");
        let resumed = rig.sink.events.iter().find_map(|(_, event)| match event {
            LineEvent::Resumed { stalled_ns } => Some(*stalled_ns),
            _ => None,
        });
        assert!(resumed.unwrap() >= 80_000_000);
        assert_eq!(rig.reader.counters().stalls, 1);
    });
}

#[test]
fn stamps_are_the_kernels_and_the_window_holds_the_arrival() {
    both(|mut rig| {
        let (go, wait) = mpsc::channel::<()>();
        let (url, server) = server(move |mut socket| {
            let mut sent = Vec::new();
            for round in 0..2 {
                wait.recv().unwrap();
                for index in 0..5 {
                    sent.push(now_ns());
                    socket.send(Message::text(format!("{round} {index}"))).unwrap();
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
            sent
        });
        rig.add(1, &url);
        rig.run_for(Duration::from_millis(30));
        // First round: nobody reads while they come, so that they share one read.
        let unread_since = now_ns();
        go.send(()).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        rig.run_until("five frames", |sink| sink.frames.len() == 5);
        // Second round: read as they come.
        rig.run_for(Duration::from_millis(30));
        go.send(()).unwrap();
        rig.run_until("ten frames", |sink| sink.frames.len() == 10);
        let sent = server.join().unwrap();

        let metas: Vec<_> = rig.sink.frames.iter().map(|(meta, _)| *meta).collect();
        assert!(metas.iter().all(|meta| meta.flags & RECV_TS_USER == 0));
        assert!(metas.is_sorted_by_key(|meta| meta.ts_recv));
        assert!(metas.is_sorted_by_key(|meta| meta.read_ticks));
        for (meta, sent) in metas.iter().zip(&sent) {
            let opens = meta.ts_recv - u64::from(meta.recv_window_ns);
            assert!(opens <= *sent + 1_000_000 && *sent <= meta.ts_recv, "{sent} is not in {opens}..{}", meta.ts_recv);
        }
        let (first, second) = metas.split_at(5);
        assert!(first.iter().all(|meta| meta.ts_recv == first[4].ts_recv && meta.ts_recv >= sent[4]));
        assert!(first[0].ts_recv - u64::from(first[0].recv_window_ns) <= unread_since);
        assert!(first[0].read_ns > 50_000_000, "it lay in the kernel for long");
        let windows: Vec<_> = second.iter().map(|meta| meta.recv_window_ns).collect();
        // One late wake-up of a busy machine is no fault.
        assert!(windows.iter().filter(|window| **window < 60_000_000).count() >= 4, "{windows:?}");
        assert_eq!(rig.reader.counters().user_stamps, 0);
    });
}

#[test]
fn fifty_lines_are_read_side_by_side() {
    both(|mut rig| {
        const LINES: u16 = 50;
        const COUNT: usize = 200;
        let mut servers = Vec::new();
        for line in 0..LINES {
            let (url, server) = server(move |mut socket| {
                for index in 0..COUNT {
                    socket.send(Message::text(format!("{line} {index}"))).unwrap();
                }
                socket.close(None).unwrap();
                read_to_close(&mut socket).1
            });
            servers.push(server);
            rig.add(line, &url);
        }
        rig.run_until("all ends", |sink| (0..LINES).all(|line| sink.ended(line).is_some()));
        for (line, server) in servers.into_iter().enumerate() {
            assert!(matches!(server.join().unwrap(), Error::ConnectionClosed));
            let expected: Vec<_> = (0..COUNT).map(|index| format!("{line} {index}")).collect();
            assert_eq!(rig.sink.texts(line as u16), expected);
            assert_eq!(rig.sink.ended(line as u16), Some((DisconnectReason::PeerClosed, 1005)));
        }
        assert_eq!(rig.reader.connections(), 0);
        assert_eq!(rig.reader.counters().frames, 50 * 200);
    });
}

#[test]
fn bytes_dripping_one_by_one_make_the_same_frames() {
    both(|mut rig| {
        let (url, server) = raw_server(|mut stream| {
            stream.set_nodelay(true).unwrap();
            let mut wire = head_for(&mut stream).into_bytes();
            wire.extend(text_frame("whole"));
            wire.extend([0x01, 2, b'i', b'n', 0x89, 1, b'?', 0x80, 6, b' ', b'p', b'a', b'r', b't', b's']);
            wire.extend([0x88, 0]);
            for byte in wire {
                stream.write_all(&[byte]).unwrap();
                std::thread::sleep(Duration::from_micros(300));
            }
            let mut answers = Vec::new();
            stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
            let _ = stream.read_to_end(&mut answers);
            answers.len()
        });
        rig.add(1, &url);
        rig.run_until("the end", |sink| sink.ended(1).is_some());
        assert_eq!(server.join().unwrap(), 7 + 6, "a pong of one byte and an empty close");
        assert_eq!(rig.sink.texts(1), ["whole", "in parts"]);
    });
}

#[test]
fn a_line_added_twice_replaces_the_older_and_unknown_lines_are_refused() {
    both(|mut rig| {
        let (first_url, first) = server(|mut socket| read_to_close(&mut socket).1);
        let (second_url, second) = server(|mut socket| socket.read().unwrap());
        rig.add(9, &first_url);
        rig.add(9, &second_url);
        rig.handle.send(Command::Send { line: 9, text: (*b"to the second").into() }).unwrap();
        rig.handle.send(Command::Send { line: 8, text: (*b"to nobody").into() }).unwrap();
        rig.run_until("a refusal", |sink| sink.events.contains(&(8, LineEvent::SendRefused)));
        assert_eq!(rig.sink.ended(9), Some((DisconnectReason::Replaced, 1006)));
        assert_eq!(second.join().unwrap(), Message::text("to the second"));
        assert!(first.join().is_ok());
        let counters = rig.reader.counters();
        assert_eq!((counters.sends, counters.sends_refused, counters.connects), (1, 1, 2));
    });
}

#[test]
fn a_command_wakes_a_parked_reader() {
    let mut rig = Rig::new(true);
    let handle = rig.handle.clone();
    let sender = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        handle.send(Command::Stop).unwrap();
    });
    let began = Instant::now();
    while !rig.reader.is_done() {
        if rig.reader.poll(&mut rig.sink) == 0 {
            rig.reader.park(SECONDS);
        }
    }
    assert!(began.elapsed() < SECONDS / 2);
    sender.join().unwrap();
}

#[test]
fn a_handshake_that_fails_says_what_happened() {
    let brief = Duration::from_millis(300);
    let fail = |url: &str| connect(url, &[], brief).unwrap_err();
    let answer = |answer: &'static str| {
        let (url, server) = raw_server(move |mut stream| {
            head_for(&mut stream);
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let error = fail(&url);
        server.join().unwrap();
        error
    };
    assert!(matches!(fail("wss://127.0.0.1:1/"), HandshakeError::TlsNotAvailable { .. }));
    assert!(matches!(fail("http://127.0.0.1:1/"), HandshakeError::Url { .. }));
    assert!(matches!(fail("127.0.0.1:1"), HandshakeError::Url { .. }));
    assert!(matches!(fail("ws:///nowhere"), HandshakeError::Url { .. }));
    assert!(matches!(connect("ws://h", &[("a b", "c")], brief), Err(HandshakeError::Header { .. })));

    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = fail(&format!("ws://{free}"));
    assert!(matches!(refused, HandshakeError::Refused { .. }), "{refused}");

    let status = answer("HTTP/1.1 403 Forbidden\r\nContent-Length: 11\r\n\r\nbad appkey.");
    let HandshakeError::Status { status: 403, body, .. } = &status else { panic!("{status:?}") };
    assert!(body.is_empty() || body == "bad appkey.");
    let key = answer(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
    );
    assert!(matches!(key, HandshakeError::AcceptKey { .. }), "{key}");
    let plain = answer("HTTP/1.1 101 Switching Protocols\r\n\r\n");
    assert!(matches!(plain, HandshakeError::Answer { .. }), "{plain}");
    let cut = answer("HTTP/1.1 101 Swi");
    assert!(matches!(cut, HandshakeError::Io { .. }), "{cut}");

    let (url, server) = raw_server(|mut stream| {
        head_for(&mut stream);
        stream.read_to_end(&mut Vec::new()).unwrap();
    });
    let began = Instant::now();
    let late = fail(&url);
    assert!(matches!(late, HandshakeError::Timeout { .. }), "{late}");
    assert!(began.elapsed() >= brief && began.elapsed() < SECONDS);
    server.join().unwrap();
}
