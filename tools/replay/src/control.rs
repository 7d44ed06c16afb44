//! Pause, resume, step and end, by key and by signal.
//!
//! - SIGUSR1 pauses, SIGUSR2 resumes; SIGINT and SIGTERM end the replay in order (a second one at once).
//! - On a terminal: space pauses and resumes, `s` and enter step, `q` and Ctrl-C end, Ctrl-Z stops the process. The
//!   terminal gets its mode back however the replay ends.
//! - Where standard input is no terminal, each line read is a step.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::{event, terminal};
use signal_hook::consts::{SIGCONT, SIGINT, SIGSTOP, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

/// What was asked for; shared by threads.
#[derive(Clone, Debug, Default)]
pub struct Controls(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    is_paused: AtomicBool,
    has_quit: AtomicBool,
    was_stopped: AtomicBool,
    steps: AtomicU64,
    no_more_steps: AtomicBool,
}

impl Controls {
    /// Pauses or resumes.
    pub fn pause(&self, pause: bool) {
        self.0.is_paused.store(pause, Ordering::Relaxed);
    }

    /// Whether it is paused.
    pub fn is_paused(&self) -> bool {
        self.0.is_paused.load(Ordering::Relaxed)
    }

    /// Asks for the end.
    pub fn quit(&self) {
        self.0.has_quit.store(true, Ordering::Relaxed);
    }

    /// Whether the end was asked for.
    pub fn has_quit(&self) -> bool {
        self.0.has_quit.load(Ordering::Relaxed)
    }

    /// Whether the process was stopped and goes on since this was last asked.
    pub fn was_stopped(&self) -> bool {
        self.0.was_stopped.swap(false, Ordering::Relaxed)
    }

    /// Waits for a step. `false`: there will be no other.
    pub fn wait_for_step(&self) -> bool {
        loop {
            if self.has_quit() {
                return false;
            }
            // Read before the steps: the last line is a step, too.
            let no_more = self.0.no_more_steps.load(Ordering::Acquire);
            let taken = self.0.steps.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |steps| steps.checked_sub(1));
            if taken.is_ok() {
                return true;
            }
            if no_more {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits while it is paused. `false`: the end was asked for.
    pub fn wait_while_paused(&self) -> bool {
        while self.is_paused() && !self.has_quit() {
            std::thread::sleep(Duration::from_millis(5));
        }
        !self.has_quit()
    }

    fn step(&self) {
        self.0.steps.fetch_add(1, Ordering::Relaxed);
    }

    fn key(&self, key: KeyEvent) {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c' | 'd') if control => self.quit(),
            KeyCode::Char('z') if control => stop_process(),
            KeyCode::Char(' ') => self.pause(!self.is_paused()),
            KeyCode::Char('s') | KeyCode::Enter => self.step(),
            KeyCode::Char('q') => self.quit(),
            _ => {}
        }
    }
}

/// A terminal that gives keys at once; drops back to its own mode.
#[derive(Debug)]
pub struct Keys {
    is_raw: bool,
}

impl Keys {
    /// Whether the terminal is in raw mode: a line's end must take the cursor back itself.
    pub fn is_raw(&self) -> bool {
        self.is_raw
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        if self.is_raw {
            // What can't be given back is the shell's to put right.
            let _ = terminal::disable_raw_mode();
        }
    }
}

/// Listens to signals and, where standard input is a terminal or steps are wanted, to it. Keep what is returned until
/// the end.
///
/// # Errors
///
/// What the system said of the signals or the terminal.
pub fn listen(controls: &Controls, steps: bool) -> io::Result<Keys> {
    let is_raw = io::stdin().is_terminal();
    listen_to_signals(controls)?;
    listen_to_input(controls, is_raw, steps)
}

/// Listens to signals alone.
///
/// # Errors
///
/// What the system said.
pub fn listen_to_signals(controls: &Controls) -> io::Result<()> {
    let mut signals = Signals::new([SIGUSR1, SIGUSR2, SIGINT, SIGTERM, SIGCONT, SIGTSTP])?;
    let shared = controls.clone();
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            match signal {
                SIGUSR1 => shared.pause(true),
                SIGUSR2 => shared.pause(false),
                SIGCONT => shared.0.was_stopped.store(true, Ordering::Relaxed),
                SIGTSTP => stop_process(),
                _ if shared.has_quit() => {
                    let _ = terminal::disable_raw_mode();
                    std::process::exit(128 + signal);
                }
                _ => shared.quit(),
            }
        }
    })?;
    Ok(())
}

fn listen_to_input(controls: &Controls, is_raw: bool, steps: bool) -> io::Result<Keys> {
    let shared = controls.clone();
    if is_raw {
        terminal::enable_raw_mode()?;
        let keys = Keys { is_raw };
        std::thread::Builder::new().name("keys".into()).spawn(move || {
            while let Ok(event) = event::read() {
                if let Event::Key(key) = event
                    && key.kind != KeyEventKind::Release
                {
                    shared.key(key);
                }
            }
        })?;
        return Ok(keys);
    }
    if steps {
        std::thread::Builder::new().name("steps".into()).spawn(move || {
            for _ in io::stdin().lock().lines().map_while(Result::ok) {
                shared.step();
            }
            shared.0.no_more_steps.store(true, Ordering::Release);
        })?;
    }
    Ok(Keys { is_raw })
}

/// Ctrl-Z: the shell gets its terminal in its own mode, and we ours when we go on.
fn stop_process() {
    let was_raw = terminal::is_raw_mode_enabled().unwrap_or(false);
    if was_raw {
        let _ = terminal::disable_raw_mode();
    }
    let _ = signal_hook::low_level::raise(SIGSTOP);
    if was_raw {
        let _ = terminal::enable_raw_mode();
    }
}
