//! What a fleet is made of: hosts with a class, a platform and running processes, and a small one ready for a demo.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What the vendor calls the product type of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostClass {
    /// A person's machine.
    #[default]
    Workstation,
    /// A server.
    Server,
    /// A Windows domain controller.
    DomainController,
}

impl HostClass {
    /// `product_type_desc` as the vendor spells it.
    pub fn description(self) -> &'static str {
        match self {
            Self::Workstation => "Workstation",
            Self::Server => "Server",
            Self::DomainController => "Domain Controller",
        }
    }

    /// `product_type`: 1 and 3 were seen in recorded replies, 2 follows the Windows product type numbers.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Workstation => "1",
            Self::DomainController => "2",
            Self::Server => "3",
        }
    }
}

/// Operating system family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Platform {
    #[default]
    Windows,
    Mac,
    Linux,
}

impl Platform {
    /// `platform_name` as the vendor spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Windows => "Windows",
            Self::Mac => "Mac",
            Self::Linux => "Linux",
        }
    }

    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Windows => "0",
            Self::Mac => "1",
            Self::Linux => "3",
        }
    }
}

/// Whether the sensor talks to the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Connectivity {
    /// Connected; takes commands.
    #[default]
    Online,
    /// Not connected; commands wait.
    Offline,
    /// The vendor cannot tell; behaves as offline.
    Unknown,
}

impl Connectivity {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Offline => "offline",
            Self::Unknown => "unknown",
        }
    }
}

/// Network containment as the device document tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Containment {
    /// Not contained.
    #[default]
    Normal,
    /// Asked for, the sensor has not confirmed.
    ContainmentPending,
    /// The sensor confirmed.
    Contained,
    /// Release asked for, the sensor has not confirmed.
    LiftContainmentPending,
}

impl Containment {
    /// `status` as the vendor spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::ContainmentPending => "containment_pending",
            Self::Contained => "contained",
            Self::LiftContainmentPending => "lift_containment_pending",
        }
    }
}

/// A running process.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Process {
    /// The operating system's process id.
    pub pid: u32,
    /// The parent's process id.
    pub parent_pid: u32,
    /// Image name, for example `winword.exe`.
    pub image: String,
    /// Full path of the image.
    pub path: String,
    /// Command line.
    pub command_line: String,
    /// Account it runs as.
    pub user: String,
    /// Hash of the image.
    pub sha256: String,
    /// When it started; the host's first sight when absent.
    pub started: Option<Timestamp>,
    /// When set, `kill` leaves it alive and says this on stderr.
    pub refuses_kill: Option<String>,
}

impl Process {
    /// A process with a path and command line made up from its image name.
    pub fn new(pid: u32, image: impl Into<String>) -> Self {
        let image = image.into();
        let path = if image.ends_with(".exe") {
            format!("C:\\Windows\\System32\\{image}")
        } else {
            format!("/usr/bin/{image}")
        };
        Self {
            pid,
            command_line: path.clone(),
            path,
            image,
            user: "SYSTEM".into(),
            ..Self::default()
        }
    }

    /// The same process with a hash.
    #[must_use]
    pub fn with_sha256(mut self, sha256: impl Into<String>) -> Self {
        self.sha256 = sha256.into();
        self
    }
}

/// A host to add. Whatever is left empty is made up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostSpec {
    /// Agent id, 32 hexadecimal digits; made up when absent.
    pub aid: Option<String>,
    /// The account it belongs to; the twin's own when absent.
    pub cid: Option<String>,
    /// Host name. Two hosts may share one, as after a reinstall.
    pub hostname: String,
    /// Product type.
    pub class: HostClass,
    /// Operating system family.
    pub platform: Platform,
    /// Operating system version; made up when empty.
    pub os_version: String,
    /// Whether the sensor talks to the cloud.
    pub connectivity: Connectivity,
    /// Running processes.
    pub processes: Vec<Process>,
    /// Sensor and Falcon grouping tags.
    pub tags: Vec<String>,
    /// Host group ids.
    pub groups: Vec<String>,
    /// Organizational units.
    pub ou: Vec<String>,
    /// Directory domain; none when empty.
    pub machine_domain: String,
    /// Address in the local network; made up when empty.
    pub local_ip: String,
    /// Address the cloud sees; made up when empty.
    pub external_ip: String,
    /// Cloud provider and instance id, for a cloud VM.
    pub instance: Option<(String, String)>,
    /// Last contact; for an online host always the present.
    pub last_seen: Option<Timestamp>,
    /// A sensor in reduced functionality mode accepts nothing: pending states never settle.
    pub reduced_functionality: bool,
    /// Whether the host's response policy allows real time response.
    pub rtr_enabled: bool,
    /// Where containment stands at the start.
    pub containment: Containment,
}

impl Default for HostSpec {
    fn default() -> Self {
        Self {
            aid: None,
            cid: None,
            hostname: "HOST".into(),
            class: HostClass::Workstation,
            platform: Platform::Windows,
            os_version: String::new(),
            connectivity: Connectivity::Online,
            processes: Vec::new(),
            tags: Vec::new(),
            groups: Vec::new(),
            ou: Vec::new(),
            machine_domain: String::new(),
            local_ip: String::new(),
            external_ip: String::new(),
            instance: None,
            last_seen: None,
            reduced_functionality: false,
            rtr_enabled: true,
            containment: Containment::Normal,
        }
    }
}

impl HostSpec {
    /// A Windows workstation with the processes such a machine always runs.
    pub fn workstation(hostname: impl Into<String>) -> Self {
        Self::windows(hostname, HostClass::Workstation, "Windows 11")
    }

    /// A Windows server.
    pub fn server(hostname: impl Into<String>) -> Self {
        Self::windows(hostname, HostClass::Server, "Windows Server 2022")
    }

    /// A domain controller.
    pub fn domain_controller(hostname: impl Into<String>) -> Self {
        let mut host = Self::windows(hostname, HostClass::DomainController, "Windows Server 2022");
        host.processes.push(Process::new(716, "ntds.exe"));
        host
    }

    /// A Mac.
    pub fn mac(hostname: impl Into<String>) -> Self {
        Self {
            hostname: hostname.into(),
            platform: Platform::Mac,
            os_version: "Sequoia (15)".into(),
            processes: vec![
                system(Process::new(1, "launchd")),
                Process::new(412, "WindowServer"),
                Process::new(633, "Finder"),
            ],
            ..Self::default()
        }
    }

    /// A Linux server.
    pub fn linux(hostname: impl Into<String>) -> Self {
        Self {
            hostname: hostname.into(),
            class: HostClass::Server,
            platform: Platform::Linux,
            os_version: "Ubuntu 24.04".into(),
            processes: vec![
                system(Process::new(1, "systemd")),
                Process::new(811, "sshd"),
                Process::new(1290, "nginx"),
            ],
            ..Self::default()
        }
    }

    fn windows(hostname: impl Into<String>, class: HostClass, os_version: &str) -> Self {
        let mut processes = vec![
            system(Process::new(4, "System")),
            system(Process::new(612, "csrss.exe")),
            Process::new(700, "services.exe"),
            system(Process::new(712, "lsass.exe")),
            Process::new(936, "svchost.exe"),
        ];
        if class == HostClass::Workstation {
            processes.push(Process::new(4312, "explorer.exe"));
        }
        Self {
            hostname: hostname.into(),
            class,
            os_version: os_version.into(),
            processes,
            ..Self::default()
        }
    }

    /// The same host with a given agent id.
    #[must_use]
    pub fn with_aid(mut self, aid: impl Into<String>) -> Self {
        self.aid = Some(aid.into());
        self
    }

    /// The same host running one process more.
    #[must_use]
    pub fn running(mut self, process: Process) -> Self {
        self.processes.push(process);
        self
    }

    /// The same host with one tag more.
    #[must_use]
    pub fn tagged(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// The same host in a directory domain.
    #[must_use]
    pub fn in_domain(mut self, domain: impl Into<String>) -> Self {
        self.machine_domain = domain.into();
        self
    }

    /// The same host, not connected.
    #[must_use]
    pub fn offline(mut self) -> Self {
        self.connectivity = Connectivity::Offline;
        self
    }
}

/// The operating system will not let go of it.
fn system(mut process: Process) -> Process {
    process.refuses_kill = Some("Access is denied.".into());
    process
}

/// Hosts to start with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fleet {
    /// The hosts, in the order they will be listed.
    pub hosts: Vec<HostSpec>,
}

impl Fleet {
    /// Eight hosts of a small company: workstations, servers, a domain controller, a Mac, a Linux server, one offline.
    pub fn small() -> Self {
        let domain = "northwind.example";
        let spreadsheet = Process::new(5208, "excel.exe");
        Self {
            hosts: vec![
                HostSpec::workstation("WS-FINANCE-01")
                    .in_domain(domain)
                    .tagged("SensorGroupingTags/finance")
                    .running(spreadsheet),
                HostSpec::workstation("WS-SALES-04")
                    .in_domain(domain)
                    .tagged("SensorGroupingTags/sales"),
                HostSpec::workstation("WS-TRAVEL-09")
                    .in_domain(domain)
                    .offline(),
                HostSpec::server("SRV-FILES-01")
                    .in_domain(domain)
                    .tagged("FalconGroupingTags/critical"),
                HostSpec::server("SRV-BUILD-02").in_domain(domain),
                HostSpec::domain_controller("DC-01")
                    .in_domain(domain)
                    .tagged("FalconGroupingTags/critical"),
                HostSpec::mac("MAC-DESIGN-02"),
                HostSpec::linux("web-01").tagged("FalconGroupingTags/internet-facing"),
            ],
        }
    }

    /// This many workstations, named `PREFIX-00001` and on.
    pub fn of(count: usize, prefix: &str) -> Self {
        let hosts = (1..=count)
            .map(|number| HostSpec::workstation(format!("{prefix}-{number:05}")))
            .collect();
        Self { hosts }
    }

    /// The same fleet with one host more.
    #[must_use]
    pub fn with(mut self, host: HostSpec) -> Self {
        self.hosts.push(host);
        self
    }
}
