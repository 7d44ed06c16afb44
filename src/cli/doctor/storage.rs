//! Folders: the journal's, with the room a day needs, and that of the keys.

use std::fs::OpenOptions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::Finding;
use super::accounts::Known;
use crate::cli::units::bytes;
use crate::config::Config;
use crate::sys::file::space;

/// What a busy stock's registration comes to in a day, trades or books, in stream `ticks`: an estimate to plan by.
const DAY_BYTES: u64 = 32 << 20;
/// Streams with their raw frames take so many times as much.
const RAW_FACTOR: u64 = 2;
/// Segments that a stream has allocated: the one in use and the next.
const SEGMENTS_AHEAD: u64 = 2;

/// Looks at all folders.
pub(super) fn look(config: &Config, accounts: &[Known], findings: &mut Vec<Finding>) {
    journal(config, findings);
    keys(config, accounts, findings);
}

fn journal(config: &Config, findings: &mut Vec<Finding>) {
    let dir = std::path::absolute(&config.journal.dir).unwrap_or_else(|_| config.journal.dir.clone());
    // What is not there yet is made in its nearest parent.
    let Some(there) = dir.ancestors().find(|folder| folder.exists()) else {
        findings.push(Finding::fail("journal.folder", format!("{}: not even a parent is there", dir.display()), ""));
        return;
    };
    let name = if there == dir { "written to" } else { "made" };
    let advice = format!("give this user the right to write in {}, or name another journal.dir", there.display());
    findings.push(match try_writing(there) {
        Ok(()) => Finding::ok("journal.folder", format!("{} can be {name}", dir.display())),
        Err(error) => Finding::fail("journal.folder", format!("{} can't be {name}: {error}", dir.display()), advice),
    });
    findings.push(file_system(Path::new("/"), there));
    findings.push(room(config, there));
}

/// Makes a file and removes it.
fn try_writing(folder: &Path) -> std::io::Result<()> {
    let path = folder.join(format!(".hoga-doctor.{}", std::process::id()));
    OpenOptions::new().create_new(true).write(true).open(&path)?;
    std::fs::remove_file(path)
}

/// Kind of the file system a folder lies on.
fn file_system(root: &Path, folder: &Path) -> Finding {
    const CHECK: &str = "journal.file_system";
    let table = std::fs::read_to_string(root.join("proc/self/mountinfo")).unwrap_or_default();
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let Some(kind) = kind_of(&table, &folder) else {
        return Finding::unknown(CHECK, "a local disk with ext4 or xfs is what the journal is made for");
    };
    match kind.as_str() {
        "ext4" | "xfs" | "btrfs" | "f2fs" | "zfs" => Finding::ok(CHECK, kind),
        "tmpfs" | "ramfs" => {
            Finding::warn(CHECK, kind, "gone with the next start of the host: name a folder on a disk")
        }
        _ => Finding::warn(
            CHECK,
            kind,
            "not a local disk's: mapped files may be slow there or not survive a crash as promised; take ext4 or xfs",
        ),
    }
}

/// The kind of the innermost mount that holds a folder, from the kernel's table.
fn kind_of(table: &str, folder: &Path) -> Option<String> {
    let mount = |line: &str| {
        let (left, right) = line.split_once(" - ")?;
        let point = left.split(' ').nth(4)?.replace("\\040", " ");
        Some((PathBuf::from(point), right.split(' ').next()?.to_owned()))
    };
    // Of two mounts on one point the later one is seen.
    table
        .lines()
        .filter_map(mount)
        .filter(|(point, _)| folder.starts_with(point))
        .enumerate()
        .max_by_key(|(at, (point, _))| (point.components().count(), *at))
        .map(|(_, (_, kind))| kind)
}

fn room(config: &Config, folder: &Path) -> Finding {
    const CHECK: &str = "journal.room";
    let Ok(Some(space)) = space(folder) else {
        return Finding::unknown(CHECK, "the file system does not say what is free");
    };
    let kis = &config.kis;
    let wanted =
        kis.subscribe.iter().map(|one| one.keys.len() + one.top_by_turnover.unwrap_or(0) as usize).sum::<usize>();
    let registrations = wanted.min(kis.account.len() * kis.max_registrations) as u64;
    let (streams, factor) = if config.journal.raw { (2, RAW_FACTOR) } else { (1, 1) };
    let ahead = streams * SEGMENTS_AHEAD * (u64::from(config.journal.segment_mib) << 20);
    let day = registrations * DAY_BYTES * factor;
    let watermark = config.journal.low_space_mib << 20;
    let found = format!("{} free", bytes(space.available));
    if space.available < ahead {
        let found = format!("{found}, and {} are allocated before the first record", bytes(ahead));
        return Finding::fail(CHECK, found, "make room, name another journal.dir, or lower journal.segment_mib");
    }
    let needed = (ahead + day).max(watermark);
    if space.available < needed {
        let found = format!("{found}, and a busy day of {registrations} registrations may take {}", bytes(ahead + day));
        let found = if space.available < watermark { format!("{found}; below low_space_mib") } else { found };
        return Finding::warn(CHECK, found, "make room, or set [retention] so that older days make it");
    }
    Finding::ok(CHECK, format!("{found}; a busy day may take {}", bytes(ahead + day)))
}

fn keys(config: &Config, accounts: &[Known], findings: &mut Vec<Finding>) {
    const CHECK: &str = "keys.folder";
    let Some(folder) = config.kis.rest.keys_folder() else {
        findings.push(Finding::fail(CHECK, "none: no kis.rest.keys_dir, and no HOME", "set one of them"));
        return;
    };
    let shown = folder.display();
    let finding = match std::fs::metadata(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Finding::ok(CHECK, format!("{shown} is made when a token is issued, mode 0700"))
        }
        Err(error) => {
            Finding::fail(CHECK, format!("{shown}: {error}"), "set kis.rest.keys_dir to a folder of this user")
        }
        Ok(facts) if !facts.is_dir() => Finding::fail(CHECK, format!("{shown} is no folder"), "set kis.rest.keys_dir"),
        Ok(facts) => match facts.permissions().mode() & 0o777 {
            mode if mode & 0o077 != 0 => Finding::fail(
                CHECK,
                format!("{shown} has mode {mode:o}: others could read tokens"),
                format!("chmod 700 {shown}"),
            ),
            mode => match try_writing(&folder) {
                Ok(()) => Finding::ok(CHECK, format!("{shown}, mode {mode:o}, {} app keys use it", accounts.len())),
                Err(error) => Finding::fail(
                    CHECK,
                    format!("{shown}: {error}"),
                    "tokens must be kept there: give this user the right to write",
                ),
            },
        },
    };
    findings.push(finding);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_mount_decides_and_of_two_on_a_point_the_later() {
        let table = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
                     23 22 0:21 / /data rw - xfs /dev/sdb rw\n\
                     24 22 0:22 / /data/my\\040disk rw - nfs4 host:/x rw\n\
                     25 22 0:23 / /data rw - tmpfs tmpfs rw\n";
        let kind = |folder: &str| kind_of(table, Path::new(folder)).unwrap();
        assert_eq!(kind("/home/x"), "ext4");
        assert_eq!(kind("/data/journal"), "tmpfs");
        assert_eq!(kind("/data/my disk/journal"), "nfs4");
        assert_eq!(kind("/database"), "ext4", "a name that only begins alike");
        assert_eq!(kind_of("", Path::new("/")), None);
    }
}
