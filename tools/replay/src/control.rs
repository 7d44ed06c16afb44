//! Pause, resume, step and end, by key and by signal.
//!
//! - SIGUSR1 pauses, SIGUSR2 resumes; SIGINT (Ctrl-C) and SIGTERM end the replay in order (a second one at once).
//! - On a terminal, in the foreground, where there is a pace or steps: space pauses and resumes, `s` and enter step, `q`
//!   and Ctrl-D end. The terminal gives keys at once and does not show them; signals and output are as usual. It gets its
//!   mode back however the replay ends, and while it is stopped (Ctrl-Z).
//! - Where standard input is no terminal, each line read is a step.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGCONT, SIGINT, SIGSTOP, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use crate::pace::Speed;

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
    /// The terminal's own mode, while keys are listened to.
    own_mode: Mutex<Option<Termios>>,
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

    fn key(&self, key: u8) {
        const CTRL_D: u8 = 4;
        match key {
            b' ' => self.pause(!self.is_paused()),
            b's' | b'S' | b'\n' | b'\r' => self.step(),
            b'q' | b'Q' | CTRL_D => self.quit(),
            _ => {}
        }
    }

    fn own_mode(&self) -> std::sync::MutexGuard<'_, Option<Termios>> {
        // What a panic left in it is still the mode to give back.
        self.0.own_mode.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the terminal give keys at once, without showing them. Signals (Ctrl-C, Ctrl-Z) and output stay as they are.
    fn take_keys(&self) -> io::Result<()> {
        let mut own_mode = self.own_mode();
        let own = tcgetattr(io::stdin())?;
        let mut mode = own.clone();
        mode.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
        // A read ends after a tenth of a second without a key: it must not be waiting when the process goes to the background.
        mode.special_codes[SpecialCodeIndex::VMIN] = 0;
        mode.special_codes[SpecialCodeIndex::VTIME] = 1;
        tcsetattr(io::stdin(), OptionalActions::Now, &mode)?;
        own_mode.get_or_insert(own);
        Ok(())
    }

    /// Gives the terminal its own mode back; in the background it is the shell's already.
    fn give_keys_back(&self) {
        if let Some(own) = &*self.own_mode()
            && is_foreground()
        {
            // What can't be given back is the shell's to put right.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, own);
        }
    }

    fn has_keys(&self) -> bool {
        self.own_mode().is_some()
    }
}

/// Whether standard input is a terminal, and its keys are for this process: another one's must not be taken, nor its mode
/// changed.
fn is_foreground() -> bool {
    if !io::stdin().is_terminal() {
        return false;
    }
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else { return false };
    // Behind the name in parentheses: state, parent, process group, session, terminal, the terminal's foreground group.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    fields.len() > 5 && fields[2] == fields[5]
}

/// Listens to keys; gives the terminal its mode back when dropped.
#[derive(Debug)]
pub struct Keys(Controls);

impl Drop for Keys {
    fn drop(&mut self) {
        self.0.give_keys_back();
        *self.0.own_mode() = None;
    }
}

/// Listens to signals and, where there is a pace or steps are wanted, to the terminal. Where steps are wanted and standard
/// input is no terminal, its lines are steps. Keep what is returned until the end.
///
/// # Errors
///
/// What the system said of the signals or the terminal.
pub fn listen(controls: &Controls, speed: Speed) -> io::Result<Keys> {
    listen_to_signals(controls)?;
    let keys = Keys(controls.clone());
    let shared = controls.clone();
    if speed != Speed::Max && is_foreground() {
        controls.take_keys()?;
        std::thread::Builder::new().name("keys".into()).spawn(move || shared.read_keys())?;
    } else if speed == Speed::Step && !io::stdin().is_terminal() {
        std::thread::Builder::new().name("steps".into()).spawn(move || {
            for _ in io::stdin().lock().lines().map_while(Result::ok) {
                shared.step();
            }
            shared.0.no_more_steps.store(true, Ordering::Release);
        })?;
    }
    Ok(keys)
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
                SIGCONT => {
                    shared.0.was_stopped.store(true, Ordering::Relaxed);
                    if shared.has_keys() && is_foreground() {
                        let _ = shared.take_keys();
                    }
                }
                SIGTSTP => {
                    shared.give_keys_back();
                    let _ = signal_hook::low_level::raise(SIGSTOP);
                }
                _ if shared.has_quit() => {
                    shared.give_keys_back();
                    std::process::exit(128 + signal);
                }
                _ => shared.quit(),
            }
        }
    })?;
    Ok(())
}

impl Controls {
    fn read_keys(&self) {
        let mut keys = [0; 64];
        while self.has_keys() {
            // To read in the background would stop the process.
            let read = if is_foreground() { io::stdin().read(&mut keys) } else { Ok(0) };
            let is_quiet = matches!(read, Ok(0));
            match read {
                Ok(count) => keys[..count].iter().for_each(|key| self.key(*key)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
            if is_quiet {
                // A terminal that hung up says so at once.
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}
