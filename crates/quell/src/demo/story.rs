//! The attack: who is in it and what happens, as data. Every name, path and hash is made up.

use quell_twins::crowdstrike::{AlertSpec, Fleet, HostSpec, Process};

/// How an alert reaches Quell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// The vendor's side sends it.
    Push,
    /// Quell asks for it.
    Poll,
}

/// One alert of the story.
pub(super) struct Beat {
    pub(super) host: &'static str,
    pub(super) by: By,
    /// What is going on, for the person who watches.
    pub(super) told: &'static str,
    /// The next alert comes while this one is still being answered.
    pub(super) hurried: bool,
    pub(super) alert: fn() -> AlertSpec,
}

pub(super) const PATIENT_ZERO: &str = "WS-FINANCE-01";
pub(super) const FALSE_ALARM: &str = "WS-SALES-04";
pub(super) const FILE_SERVER: &str = "SRV-FILES-01";
pub(super) const DIRECTORY: &str = "DC-01";

pub(super) const LOADER: &str = "3b0cd1b0e2f54c0e9a4f7d2c81c7a5e46f1d0b9a8c7e6f5d4c3b2a1908f7e6d5";
pub(super) const GRABBER: &str = "9d4e1f60c2b84a7795e3d8f1a60b7c2e5d4f3a2b1c0e9f8d7a6b5c4d3e2f1a0b";
pub(super) const COPIER: &str = "c81f52a7e90d4b3682d7f4a15c9e0b3d6f8a2c4e6071829304a5b6c7d8e9f0a1";
pub(super) const SHELL: &str = "5e2d7c90b1a84f63d0e9c8b7a6958473625140f3e2d1c0bfae9d8c7b6a594837";
pub(super) const BAR: &str = "71c0de55a9b8473e6d2f1a0b9c8e7d6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c0d";

pub(super) const LOADER_PID: u32 = 5208;
pub(super) const GRABBER_PID: u32 = 6024;
pub(super) const COPIER_PID: u32 = 3380;
pub(super) const SHELL_PID: u32 = 7744;
pub(super) const BAR_PID: u32 = 811;

fn process(
    pid: u32,
    folder: &str,
    image: &str,
    user: &str,
    arguments: &str,
    sha256: &str,
) -> Process {
    let path = format!("{folder}{image}");
    Process {
        pid,
        command_line: format!("{path} {arguments}").trim_end().to_owned(),
        path,
        image: image.to_owned(),
        user: user.to_owned(),
        sha256: sha256.to_owned(),
        ..Process::default()
    }
}

fn loader() -> Process {
    let folder = r"C:\Users\mara.lund\Downloads\";
    process(
        LOADER_PID,
        folder,
        "invoice_viewer.exe",
        "mara.lund",
        "--open 2026-0417.pdf",
        LOADER,
    )
}

fn grabber() -> Process {
    process(
        GRABBER_PID,
        r"C:\ProgramData\cache\",
        "credgrab.exe",
        "svc-backup",
        "-all",
        GRABBER,
    )
}

fn copier() -> Process {
    process(
        COPIER_PID,
        r"C:\ProgramData\cache\",
        "dircopy.exe",
        "svc-backup",
        "/full",
        COPIER,
    )
}

fn shell() -> Process {
    let folder = r"C:\Windows\System32\WindowsPowerShell\v1.0\";
    process(
        SHELL_PID,
        folder,
        "powershell.exe",
        "jon.aas",
        "-nop -w hidden -enc SQBFAFgA",
        SHELL,
    )
}

fn bar() -> Process {
    process(
        BAR_PID,
        "/Users/ida.moe/Applications/",
        "SearchBar",
        "ida.moe",
        "",
        BAR,
    )
}

/// Workstations, servers and a domain controller, with what the attacker left running on them.
pub(super) fn fleet() -> Fleet {
    let domain = "northwind.example";
    Fleet {
        hosts: vec![
            HostSpec::workstation(PATIENT_ZERO)
                .in_domain(domain)
                .running(loader()),
            HostSpec::workstation(FALSE_ALARM)
                .in_domain(domain)
                .running(shell()),
            HostSpec::workstation("WS-TRAVEL-09")
                .in_domain(domain)
                .offline(),
            HostSpec::server(FILE_SERVER)
                .in_domain(domain)
                .running(grabber()),
            HostSpec::server("SRV-BUILD-02").in_domain(domain),
            HostSpec::domain_controller(DIRECTORY)
                .in_domain(domain)
                .running(copier()),
            HostSpec::mac("MAC-DESIGN-02").running(bar()),
            HostSpec::linux("web-01"),
        ],
    }
}

/// What happens, in order.
pub(super) const BEATS: &[Beat] = &[
    Beat {
        host: PATIENT_ZERO,
        by: By::Push,
        told: "Somebody in finance opened an attachment.",
        hurried: true,
        alert: || AlertSpec {
            description: "A program from the downloads folder loaded a second stage into memory."
                .into(),
            tactic: ("Execution".into(), "TA0002".into()),
            technique: ("User Execution: Malicious File".into(), "T1204.002".into()),
            ..AlertSpec::on("", loader())
                .titled("Attachment loads a second stage")
                .rated(92, 95)
        },
    },
    Beat {
        host: PATIENT_ZERO,
        by: By::Push,
        told: "The same program calls home: a second alert about the same attack.",
        hurried: false,
        alert: || AlertSpec {
            description: "The program contacts a domain registered yesterday.".into(),
            tactic: ("Command and Control".into(), "TA0011".into()),
            technique: ("Web Protocols".into(), "T1071.001".into()),
            ..AlertSpec::on("", loader())
                .titled("Beacon to a newly registered domain")
                .rated(75, 85)
        },
    },
    Beat {
        host: FILE_SERVER,
        by: By::Poll,
        told: "The attacker reached the file server, which the organization calls critical.",
        hurried: false,
        alert: || AlertSpec {
            ..AlertSpec::on("", grabber())
                .titled("Credentials read from the logon service")
                .rated(88, 90)
        },
    },
    Beat {
        host: FALSE_ALARM,
        by: By::Push,
        told: "An odd script on a sales laptop. The shell itself is a good program put to bad use.",
        hurried: false,
        alert: || AlertSpec {
            description: "A shell started hidden with an encoded command.".into(),
            tactic: ("Execution".into(), "TA0002".into()),
            technique: ("PowerShell".into(), "T1059.001".into()),
            ..AlertSpec::on("", shell())
                .titled("Hidden shell with an encoded command")
                .rated(70, 60)
        },
    },
    Beat {
        host: "MAC-DESIGN-02",
        by: By::Push,
        told: "A nuisance on a designer's Mac.",
        hurried: false,
        alert: || AlertSpec {
            description: "A browser extension installs a search bar.".into(),
            tactic: ("Persistence".into(), "TA0003".into()),
            technique: ("Browser Extensions".into(), "T1176".into()),
            ..AlertSpec::on("", bar())
                .titled("Unwanted search bar")
                .rated(25, 70)
        },
    },
    Beat {
        host: DIRECTORY,
        by: By::Poll,
        told: "Something runs on the domain controller. Nothing is done there without a person.",
        hurried: false,
        alert: || AlertSpec {
            description: "A program copies the directory's database.".into(),
            technique: ("NTDS".into(), "T1003.003".into()),
            ..AlertSpec::on("", copier())
                .titled("Copy of the directory database")
                .rated(85, 80)
        },
    },
];
