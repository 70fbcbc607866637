//! A company of any size and a day of its detections, made up from a number: the same number gives the same machines and
//! the same alerts. For rehearsals and for trying a policy on more than a handful of cases.

use std::time::Duration;

use jiff::Timestamp;

use super::alert_document::{AlertSpec, Disposition};
use super::fleet::{Fleet, HostClass, HostSpec, Platform, Process};
use crate::ids::Ids;

/// How long before its start a company's alerts were raised.
pub const SPAN: Duration = Duration::from_secs(24 * 3600);

/// Machines and what was detected on them.
#[derive(Debug, Clone)]
pub struct Company {
    /// The machines, with the processes that the alerts are about.
    pub fleet: Fleet,
    /// The alerts, oldest first.
    pub alerts: Vec<AlertSpec>,
}

/// One kind of detection.
struct Kind {
    title: &'static str,
    tactic: (&'static str, &'static str),
    technique: (&'static str, &'static str),
    image: &'static str,
    /// How many different files carry it; none when the file is one that many machines run.
    files: Option<u64>,
    /// From where on, and how far.
    severity: (u8, u64),
    confidence: (u8, u64),
    disposition: Disposition,
    /// Of a hundred alerts.
    share: u64,
}

const KINDS: &[Kind] = &[
    Kind {
        title: "Credential theft tool started",
        tactic: ("Credential Access", "TA0006"),
        technique: ("OS Credential Dumping", "T1003"),
        image: "credgrab.exe",
        files: Some(40),
        severity: (70, 30),
        confidence: (70, 31),
        disposition: Disposition::Detected,
        share: 14,
    },
    Kind {
        title: "Files encrypted in quick succession",
        tactic: ("Impact", "TA0040"),
        technique: ("Data Encrypted for Impact", "T1486"),
        image: "lockall.exe",
        files: Some(6),
        severity: (85, 16),
        confidence: (80, 21),
        disposition: Disposition::KillFailed,
        share: 6,
    },
    Kind {
        title: "Known malware kept from starting",
        tactic: ("Execution", "TA0002"),
        technique: ("User Execution", "T1204"),
        image: "invoice.exe",
        files: Some(200),
        severity: (40, 40),
        confidence: (60, 41),
        disposition: Disposition::Quarantined,
        share: 24,
    },
    Kind {
        title: "Script interpreter with an encoded command",
        tactic: ("Execution", "TA0002"),
        technique: ("PowerShell", "T1059.001"),
        image: "powershell.exe",
        files: None,
        severity: (30, 60),
        confidence: (30, 60),
        disposition: Disposition::Detected,
        share: 18,
    },
    Kind {
        title: "Remote access tool outside its usual place",
        tactic: ("Command and Control", "TA0011"),
        technique: ("Remote Access Software", "T1219"),
        image: "helpdesk.exe",
        files: None,
        severity: (50, 40),
        confidence: (40, 50),
        disposition: Disposition::WouldHaveKilled,
        share: 10,
    },
    Kind {
        title: "Program copied to many machines",
        tactic: ("Lateral Movement", "TA0008"),
        technique: ("Lateral Tool Transfer", "T1570"),
        image: "psx64.exe",
        files: Some(12),
        severity: (60, 40),
        confidence: (50, 51),
        disposition: Disposition::Killed,
        share: 10,
    },
    Kind {
        title: "Unusual query of the directory",
        tactic: ("Discovery", "TA0007"),
        technique: ("Account Discovery", "T1087"),
        image: "adscan.exe",
        files: Some(8),
        severity: (20, 40),
        confidence: (20, 60),
        disposition: Disposition::Detected,
        share: 12,
    },
    Kind {
        title: "Potentially unwanted program",
        tactic: ("Execution", "TA0002"),
        technique: ("User Execution", "T1204"),
        image: "coupons.exe",
        files: Some(90),
        severity: (5, 30),
        confidence: (10, 60),
        disposition: Disposition::Blocked,
        share: 6,
    },
];

/// Of a thousand machines, beginning with these; the rest are workstations.
const DOMAIN_CONTROLLERS: usize = 5;
const SERVERS: usize = 150;

impl Company {
    /// These machines, and nothing detected on them.
    pub fn quiet(fleet: Fleet) -> Self {
        Self {
            fleet,
            alerts: Vec::new(),
        }
    }

    /// `machines` machines and `alerts` alerts on them, raised over [`SPAN`] before `now`.
    pub fn made_up(machines: usize, alerts: usize, seed: u64, now: Timestamp) -> Self {
        let dice = Dice(Ids::seeded(seed));
        let mut hosts: Vec<HostSpec> = (0..machines)
            .map(|number| machine(&dice, number, machines))
            .collect();
        let step = SPAN / u32::try_from(alerts).unwrap_or(u32::MAX).max(1);
        let mut raised = Vec::with_capacity(alerts);
        for number in 0..alerts {
            let left = u32::try_from(alerts - number).unwrap_or(u32::MAX);
            let at = now.checked_sub(step.saturating_mul(left)).unwrap_or(now);
            let place = usize::try_from(dice.below(machines as u64)).unwrap_or_default();
            if let Some(host) = hosts.get_mut(place) {
                raised.extend(detection(&dice, host, at));
            }
        }
        Self {
            fleet: Fleet { hosts },
            alerts: raised,
        }
    }
}

/// Numbers from the seed.
struct Dice(Ids);

impl Dice {
    fn below(&self, end: u64) -> u64 {
        self.0.number() % end.max(1)
    }

    fn from(&self, (first, width): (u8, u64)) -> u8 {
        first.saturating_add(u8::try_from(self.below(width)).unwrap_or(u8::MAX))
    }
}

fn machine(dice: &Dice, number: usize, of: usize) -> HostSpec {
    let part = |of_a_thousand: usize| (of * of_a_thousand).div_ceil(1000);
    let controllers = part(DOMAIN_CONTROLLERS);
    let mut host = if number < controllers {
        HostSpec::domain_controller(format!("DC-{:02}", number + 1))
    } else if number < controllers + part(SERVERS) {
        match dice.below(3) {
            0 => HostSpec::linux(format!("srv-web-{number:05}")),
            _ => HostSpec::server(format!("SRV-{number:05}")),
        }
    } else {
        match dice.below(12) {
            0 => HostSpec::mac(format!("MAC-{number:05}")),
            _ => HostSpec::workstation(format!("WS-{number:05}")),
        }
    };
    host.aid = Some(dice.0.hex(2));
    host.machine_domain = "northwind.example".to_owned();
    // A helpdesk's own tool is on most machines: a ban of it would hit them all.
    if host.platform == Platform::Windows && dice.below(10) < 8 {
        let tool = Process::new(2044, "helpdesk.exe").with_sha256(hash("helpdesk.exe", 0));
        host.processes.push(tool);
    }
    match dice.below(100) {
        0..4 => host.offline(),
        4..6 => host.tagged("FalconGroupingTags/vip"),
        6..8 => host.tagged("FalconGroupingTags/critical"),
        8..14 if host.class == HostClass::Server => host.tagged("FalconGroupingTags/non-essential"),
        _ => host,
    }
}

fn detection(dice: &Dice, host: &mut HostSpec, at: Timestamp) -> Option<AlertSpec> {
    let kind = kind(dice.below(100))?;
    let number = kind.files.map_or(0, |files| dice.below(files));
    let (image, path) = match host.platform {
        Platform::Windows => (kind.image, format!("C:\\Users\\Public\\{}", kind.image)),
        Platform::Mac | Platform::Linux => {
            let image = kind.image.trim_end_matches(".exe");
            (image, format!("/tmp/{image}"))
        }
    };
    let pid = 5000 + u32::try_from(dice.below(40_000)).unwrap_or_default();
    let process = Process {
        user: format!("user{:04}", dice.below(2000)),
        path,
        ..Process::new(pid, image).with_sha256(hash(kind.image, number))
    };
    // What the sensor did not stop is still running, and can be ended.
    if !matches!(
        kind.disposition,
        Disposition::Blocked | Disposition::Quarantined | Disposition::Killed
    ) {
        host.processes.push(process.clone());
    }
    Some(AlertSpec {
        aid: host.aid.clone().unwrap_or_default(),
        title: kind.title.to_owned(),
        description: format!("{} ({}).", kind.title, kind.technique.0),
        severity: dice.from(kind.severity).min(100),
        confidence: dice.from(kind.confidence).min(100),
        tactic: (kind.tactic.0.to_owned(), kind.tactic.1.to_owned()),
        technique: (kind.technique.0.to_owned(), kind.technique.1.to_owned()),
        disposition: kind.disposition,
        created_at: Some(at),
        process,
        ..AlertSpec::default()
    })
}

/// The kind that a number below a hundred falls on.
fn kind(mut number: u64) -> Option<&'static Kind> {
    KINDS
        .iter()
        .find(|kind| match number.checked_sub(kind.share) {
            Some(rest) => {
                number = rest;
                false
            }
            None => true,
        })
}

/// The hash of a file by its name and number, the same in every company.
fn hash(image: &str, number: u64) -> String {
    let seed = image.bytes().fold(number, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u64::from(byte))
    });
    Ids::seeded(seed).hex(4)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_790_000_000, 0);

    #[test]
    fn the_same_number_makes_the_same_company_and_another_number_another() {
        let one = Company::made_up(200, 500, 7, NOW);
        let same = Company::made_up(200, 500, 7, NOW);
        let other = Company::made_up(200, 500, 8, NOW);
        assert_eq!((&one.fleet, &one.alerts), (&same.fleet, &same.alerts));
        assert_ne!(one.alerts, other.alerts);
    }

    #[test]
    fn machines_of_every_class_and_detections_of_every_kind_are_there() {
        let company = Company::made_up(2000, 10_000, 1, NOW);
        let mut classes = BTreeMap::new();
        for host in &company.fleet.hosts {
            *classes.entry(host.class.description()).or_insert(0) += 1;
        }
        let wanted = [
            ("Domain Controller", 10),
            ("Server", 300),
            ("Workstation", 1690),
        ];
        assert_eq!(classes, BTreeMap::from(wanted));
        assert_eq!(company.alerts.len(), 10_000);
        let titles: BTreeSet<_> = company.alerts.iter().map(|alert| &alert.title).collect();
        assert_eq!(titles.len(), KINDS.len());
        let of = |pick: fn(&AlertSpec) -> u8| -> BTreeSet<u8> {
            company.alerts.iter().map(pick).collect()
        };
        assert!(of(|alert| alert.severity).len() > 80);
        assert!(of(|alert| alert.confidence).len() > 80);
        let times = company.alerts.iter().map(|alert| alert.created_at);
        assert!(times.clone().is_sorted());
        assert!(times.flatten().all(|at| at < NOW));
        assert_eq!(KINDS.iter().map(|kind| kind.share).sum::<u64>(), 100);
    }
}
