//! What a path or a file name alone gives away: is it the operating system's, does half the company
//! run it, does the machine go down with it. Names and paths come from an alert, so they are only
//! ever used to be more careful, never less.

use quell_model::entity::File;

/// Programs many machines run and attackers like to borrow, without extension and version.
const WELL_KNOWN: &[&str] = &[
    // Shells and interpreters.
    "bash",
    "cscript",
    "dash",
    "java",
    "javaw",
    "ksh",
    "lua",
    "mshta",
    "node",
    "nodejs",
    "osascript",
    "perl",
    "php",
    "powershell",
    "pwsh",
    "python",
    "pythonw",
    "ruby",
    "sh",
    "tclsh",
    "wscript",
    "zsh",
    // Parts of the operating system, for alerts that give a name without a path.
    "certutil",
    "cmd",
    "conhost",
    "csrss",
    "dllhost",
    "explorer",
    "lsass",
    "msbuild",
    "msiexec",
    "regasm",
    "regsvcs",
    "regsvr32",
    "rundll32",
    "schtasks",
    "services",
    "spoolsv",
    "svchost",
    "taskhostw",
    "userinit",
    "wininit",
    "winlogon",
    "wmic",
    "wmiprvse",
    "bitsadmin",
    "installutil",
    "curl",
    "wget",
    "ssh",
    "sudo",
    "systemd",
    "launchd",
    "busybox",
    // Browsers and office programs.
    "acrord32",
    "acrobat",
    "chrome",
    "chromium",
    "excel",
    "firefox",
    "iexplore",
    "msaccess",
    "msedge",
    "mspub",
    "olk",
    "onenote",
    "outlook",
    "powerpnt",
    "safari",
    "slack",
    "soffice",
    "teams",
    "ms-teams",
    "visio",
    "winword",
    "zoom",
    // Tools of administration that many fleets have everywhere.
    "ansible",
    "docker",
    "git",
    "kubectl",
    "psexec",
    "putty",
    "teamviewer",
    "anydesk",
];

/// Windows takes the machine down with any of these.
const VITAL_WINDOWS: &[&str] = &[
    "csrss", "lsaiso", "lsass", "ntoskrnl", "services", "smss", "svchost", "wininit", "winlogon",
];

/// As [`VITAL_WINDOWS`], elsewhere.
const VITAL_UNIX: &[&str] = &["init", "kernel_task", "launchd", "systemd", "windowserver"];

/// Directories of the operating system's own programs, as leading path components. An administrator's
/// `/usr/local` and the drop zone `C:\Windows\Temp` are not among them.
const UNIX_SYSTEM: &[&[&str]] = &[
    &["bin"],
    &["sbin"],
    &["lib"],
    &["lib32"],
    &["lib64"],
    &["boot"],
    &["system"],
    &["usr", "bin"],
    &["usr", "sbin"],
    &["usr", "lib"],
    &["usr", "lib32"],
    &["usr", "lib64"],
    &["usr", "libexec"],
    &["library", "apple"],
];

/// Whether the file lies where the operating system keeps its own programs.
pub(crate) fn is_system(path: &str) -> bool {
    let parts = components(path);
    let Some(within) = below_windows(&parts) else {
        let unix = path.starts_with('/');
        return unix
            && UNIX_SYSTEM
                .iter()
                .any(|directory| begins(&parts, directory));
    };
    !within
        .first()
        .is_some_and(|first| first.eq_ignore_ascii_case("temp") && within.len() > 1)
}

/// Whether the name is that of a program many machines run.
pub(crate) fn is_well_known(name: &str) -> bool {
    listed(WELL_KNOWN, name)
}

/// Whether a file looks like a program that many machines run, by its name or by where it lies: that it was
/// seen in two places says nothing of the two.
#[must_use]
pub fn is_common(file: &File) -> bool {
    let path = file.path.as_deref();
    let names = [file.name.as_deref(), path];
    names.into_iter().flatten().any(is_well_known) || path.is_some_and(is_system)
}

/// Whether the machine goes down when this process ends. Malware borrows these names, so a path
/// outside the system's directories settles that it is not the real one.
pub(crate) fn is_vital(name: Option<&str>, path: Option<&str>) -> bool {
    let named = [name, path.map(last)]
        .into_iter()
        .flatten()
        .any(|name| listed(VITAL_WINDOWS, name) || listed(VITAL_UNIX, name));
    named && path.is_none_or(|path| is_system(path) || !path.contains(['/', '\\']))
}

/// The last component of a path of either kind.
pub(crate) fn last(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// Compares without extension and, in a second try, without version (`python3.11`).
fn listed(list: &[&str], name: &str) -> bool {
    let name = last(name.trim());
    let stem = match name.rsplit_once('.') {
        Some((stem, extension)) if EXTENSIONS.iter().any(|e| e.eq_ignore_ascii_case(extension)) => {
            stem
        }
        _ => name,
    };
    let bare = stem.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '_'));
    list.iter()
        .any(|known| known.eq_ignore_ascii_case(stem) || known.eq_ignore_ascii_case(bare))
}

const EXTENSIONS: &[&str] = &["exe", "com", "app", "dll", "bin"];

/// Path components with `.` and `..` resolved, so that `C:\Users\..\Windows` is what it is.
fn components(path: &str) -> Vec<&str> {
    let mut parts = Vec::with_capacity(12);
    for part in path.split(['/', '\\']) {
        match part.trim() {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts
}

/// The components below the Windows directory, whichever way the vendor spells where that is:
/// `C:\Windows`, `\\?\C:\Windows`, `\Device\HarddiskVolume3\Windows`, `\SystemRoot`, `%windir%`.
fn below_windows<'a, 'p>(parts: &'p [&'a str]) -> Option<&'p [&'a str]> {
    let rest = match parts {
        ["?" | "??" | ".", rest @ ..] => rest,
        rest => rest,
    };
    let rest = match rest {
        [device, volume, rest @ ..]
            if device.eq_ignore_ascii_case("device")
                && volume
                    .get(..8)
                    .is_some_and(|v| v.eq_ignore_ascii_case("harddisk")) =>
        {
            rest
        }
        [drive, rest @ ..] if drive.ends_with(':') || is_volume(drive) => rest,
        rest => rest,
    };
    match rest {
        [windows, within @ ..]
            if ["windows", "winnt", "systemroot", "%systemroot%", "%windir%"]
                .iter()
                .any(|known| known.eq_ignore_ascii_case(windows)) =>
        {
            Some(within)
        }
        _ => None,
    }
}

/// `\\?\Volume{…}\`
fn is_volume(part: &str) -> bool {
    part.get(..7)
        .is_some_and(|start| start.eq_ignore_ascii_case("volume{"))
}

fn begins(parts: &[&str], directory: &[&str]) -> bool {
    parts.len() > directory.len()
        && parts
            .iter()
            .zip(directory)
            .all(|(part, wanted)| part.eq_ignore_ascii_case(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_directory_is_recognised_in_every_spelling() {
        for path in [
            r"\Device\HarddiskVolume3\Windows\System32\cmd.exe",
            r"\Device\HarddiskVolume12\Windows\SysWOW64\WindowsPowerShell\v1.0\powershell.exe",
            r"C:\Windows\System32\rundll32.exe",
            r"c:\windows\explorer.exe",
            r"C:/Windows/System32/cmd.exe",
            r"\\?\C:\Windows\System32\cmd.exe",
            r"\??\C:\Windows\System32\cmd.exe",
            r"\SystemRoot\System32\smss.exe",
            r"%windir%\System32\cmd.exe",
            r"C:\Users\..\Windows\System32\cmd.exe",
            r"\\?\Volume{b75e2c83-0000-0000-0000-602f00000000}\Windows\System32\cmd.exe",
            r"\Windows\System32\cmd.exe",
            r"Windows\System32\cmd.exe",
            "/usr/bin/python3",
            "/bin/sh",
            "/usr/libexec/sudo",
            "/System/Library/CoreServices/Finder.app/Contents/MacOS/Finder",
            "/tmp/../usr/bin/curl",
        ] {
            assert!(is_system(path), "{path}");
        }
    }

    #[test]
    fn other_directories_are_not_the_system_s() {
        for path in [
            r"C:\Users\ana\Downloads\invoice.exe",
            r"\Device\HarddiskVolume3\Users\ana\AppData\Local\Temp\a.exe",
            r"C:\Windows\Temp\a.exe",
            r"C:\Windows\System32\..\Temp\a.exe",
            r"C:\Users\ana\Windows\System32\a.exe",
            "/usr/local/bin/tool",
            "/home/ana/bin/a",
            "/tmp/a",
            "a.exe",
            "",
        ] {
            assert!(!is_system(path), "{path}");
        }
    }

    #[test]
    fn a_well_known_program_is_recognised_with_its_version_and_whatever_its_case() {
        for name in [
            "powershell.exe",
            "PowerShell.EXE",
            "cmd.exe",
            "python3.11",
            "python3",
            "php8.1",
            "rundll32.exe",
            "regsvr32.exe",
            "WINWORD.EXE",
            "bash",
            r"C:\x\mshta.exe",
            "java",
        ] {
            assert!(is_well_known(name), "{name}");
        }
        for name in [
            "evil.exe",
            "invoice.pdf.exe",
            "",
            "powershell_update.exe",
            "3",
        ] {
            assert!(!is_well_known(name), "{name}");
        }
    }

    #[test]
    fn malware_that_borrows_a_vital_name_is_not_vital() {
        let check = |name: Option<&str>, path: Option<&str>, expected| {
            assert_eq!(is_vital(name, path), expected, "{name:?} {path:?}");
        };
        check(
            Some("lsass.exe"),
            Some(r"C:\Windows\System32\lsass.exe"),
            true,
        );
        check(Some("lsass.exe"), None, true);
        check(
            None,
            Some(r"\Device\HarddiskVolume3\Windows\System32\csrss.exe"),
            true,
        );
        check(Some("systemd"), Some("/usr/lib/systemd/systemd"), true);
        check(
            Some("svchost.exe"),
            Some(r"C:\Users\ana\AppData\svchost.exe"),
            false,
        );
        check(Some("svchost.exe"), Some("svchost.exe"), true);
        check(
            Some("evil.exe"),
            Some(r"C:\Windows\System32\evil.exe"),
            false,
        );
        check(None, None, false);
    }
}
