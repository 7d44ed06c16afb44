//! Small file systems to fill, and programs whose system calls are interfered with.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::policy::skip;

/// What a scratch file system is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// In memory.
    Tmpfs,
    /// ext4 in a file, through a loop device.
    Ext4,
}

/// A file system of its own, gone when dropped.
#[derive(Debug)]
pub struct Disk {
    pub root: PathBuf,
    _folder: tempfile::TempDir,
}

impl Disk {
    /// Mounts one; `None`, with a message, where that can't be done (it needs root).
    pub fn mount(kind: Kind, mib: u64) -> Option<Disk> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path().join("disk");
        std::fs::create_dir(&root).expect("a folder");
        let done = match kind {
            Kind::Tmpfs => {
                run(Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"]).arg(&root))
            }
            Kind::Ext4 => {
                let image = folder.path().join("image");
                let file = std::fs::File::create(&image).expect("an image");
                file.set_len(mib << 20).expect("its size");
                run(Command::new("mkfs.ext4").args(["-q", "-m", "0", "-F"]).arg(&image))
                    .and_then(|()| run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&root)))
            }
        };
        match done {
            Ok(()) => Some(Disk { root, _folder: folder }),
            Err(why) => {
                skip("a full disk", format!("no {kind:?} can be mounted here (that needs root): {why}"));
                None
            }
        }
    }

    /// Fills the disk but for so many MiB; to be removed for room.
    pub fn fill_but(&self, mib: u64) -> PathBuf {
        let ballast = self.root.join("ballast");
        let free = hoga::sys::file::space(&self.root).expect("its room").expect("known").free;
        let file = std::fs::File::create(&ballast).expect("ballast");
        hoga::sys::file::allocate(&file, free.saturating_sub(mib << 20).max(4096)).expect("room for the ballast");
        ballast
    }

    /// Takes every block there is; the file is to be removed for room.
    pub fn fill_up(&self) -> PathBuf {
        let rest = self.root.join("rest");
        let file = std::fs::File::create(&rest).expect("a file");
        let mut bytes = 0;
        for step in [1 << 20, 64 << 10, 4 << 10] {
            while hoga::sys::file::allocate(&file, bytes + step).is_ok() {
                bytes += step;
            }
        }
        rest
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: maps may outlive a failed assertion.
        let _ = Command::new("umount").arg("-l").arg(&self.root).output();
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// A program that is ended with the test, however that ends.
#[derive(Debug)]
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether programs can be run under strace with system calls interfered with; says so when not.
pub fn has_strace() -> bool {
    let tried = run(Command::new("strace").args(["-f", "-o", "/dev/null", "-e", "inject=fallocate:error=EIO", "true"]));
    if let Err(why) = &tried {
        skip("system calls interfered with", format!("strace does not work here: {why}"));
    }
    tried.is_ok()
}

fn strace(inject: &str) -> Command {
    let mut command = Command::new("strace");
    let call = inject.split(':').next().expect("a call");
    command.args(["-f", "-qqq", "-o", "/dev/null"]);
    command.arg("-e").arg(format!("trace={call}")).arg("-e").arg(format!("inject={inject}"));
    command
}

/// A program under strace, with this done to its system calls from the first.
pub fn under_strace(program: &Path, inject: &str) -> Command {
    let mut command = strace(inject);
    command.arg("--seccomp-bpf").arg(program);
    command
}

/// Interferes with the system calls of a running program, until it ends or [`heal`] is called.
pub fn ail(pid: u32, inject: &str) -> Running {
    ail_at(pid, inject, &[])
}

/// As [`ail`], only calls on these files.
pub fn ail_at(pid: u32, inject: &str, paths: &[PathBuf]) -> Running {
    let mut command = strace(inject);
    paths.iter().for_each(|path| {
        command.arg("-P").arg(path);
    });
    Running(command.args(["-p", &pid.to_string()]).stderr(Stdio::null()).spawn().expect("strace"))
}

/// Ends the interference; the program goes on.
pub fn heal(mut strace: Running) {
    let pid = strace.0.id().to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &pid]).status().expect("kill").success());
    let _ = strace.0.wait();
}
