//! A real domain controller for each test that wants one: Samba, which Debian packages.
//!
//! Its ports cannot be chosen, so each controller has a loopback address of its own. The domain is
//! made once, kept in `target/samba`, and copied for every start. Samba ends by itself when its
//! standard input does, so none outlives the process that started it, however that ends.

pub(crate) mod front;
pub(crate) mod people;

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What `provision.py` gives every account.
pub(crate) const PASSWORD: &str = "Tests-only-1234!";
/// LDAP over TLS.
pub(crate) const PORT: u16 = 636;

const SCRIPT: &str = include_str!("provision.py");
/// How many controllers there can be at once on this machine.
const MOST: u8 = 64;
/// How often a starting controller is looked at, and how long that is waited in between.
const LOOKS: u32 = 1500;
const BETWEEN: Duration = Duration::from_millis(20);

/// Whether there is a Samba to run.
pub(crate) fn installed() -> bool {
    let version = Command::new("samba").arg("--version").output();
    version.is_ok_and(|version| version.status.success())
}

/// A domain controller that runs until it is dropped.
pub(crate) struct Samba {
    pub(crate) address: IpAddr,
    folder: PathBuf,
    server: Option<Child>,
    _address_is_ours: File,
}

impl Samba {
    /// Starts one with the people of `provision.py`.
    pub(crate) fn start() -> Self {
        let domain = domain();
        let (number, lock) = free_address();
        let folder = scratch().join(number.to_string());
        // Whoever had this address before may have been ended half way.
        drop(std::fs::remove_dir_all(&folder));
        copy(&domain, &folder);
        let mut samba = Self {
            address: address(number),
            folder,
            server: None,
            _address_is_ours: lock,
        };
        samba.run();
        samba
    }

    /// Ends it as a power cut would.
    pub(crate) fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            drop(server.kill());
            drop(server.wait());
        }
    }

    /// Starts it again, with all it had.
    pub(crate) fn run(&mut self) {
        let configuration = self.folder.join("etc/smb.conf");
        std::fs::write(&configuration, self.configuration()).unwrap();
        let log = File::create(self.folder.join("log")).unwrap();
        let mut server = Command::new("samba")
            .args(["--interactive", "--model=single", "--debug-stdout"])
            .arg("--configfile")
            .arg(&configuration)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        for _ in 0..LOOKS {
            if TcpStream::connect((self.address, PORT)).is_ok() {
                self.server = Some(server);
                return;
            }
            if server.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::park_timeout(BETWEEN);
        }
        drop(server.kill());
        drop(server.wait());
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        panic!("samba did not start (it needs ports below 1024, so usually root):\n{log}");
    }

    /// The authority of its certificate.
    pub(crate) fn authority(&self) -> PathBuf {
        self.folder.join("private/tls/ca.pem")
    }

    /// An authority that has nothing to do with it.
    pub(crate) fn other_authority(&self) -> PathBuf {
        self.folder.join("private/tls/other-ca.pem")
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.join("private/tls/cert.pem")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.folder.join("private/tls/key.pem")
    }

    fn configuration(&self) -> String {
        let (address, folder) = (self.address, self.folder.display());
        format!(
            "[global]
            netbios name = DC1
            realm = CORP.EXAMPLE.TEST
            workgroup = CORP
            server role = active directory domain controller
            server services = ldap
            interfaces = {address}/8
            bind interfaces only = yes
            lock directory = {folder}
            pid directory = {folder}
            private dir = {folder}/private
            state directory = {folder}/state
            cache directory = {folder}/cache
            ncalrpc dir = {folder}/ncalrpc
            binddns dir = {folder}/bind-dns
            vfs objects = dfs_samba4 acl_xattr xattr_tdb
            old password allowed period = 0
            tls cafile = {folder}/private/tls/ca.pem
            tls certfile = {folder}/private/tls/cert.pem
            tls keyfile = {folder}/private/tls/key.pem
            "
        )
    }
}

impl Drop for Samba {
    fn drop(&mut self) {
        self.stop();
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

fn address(number: u8) -> IpAddr {
    Ipv4Addr::new(127, 77, 0, number).into()
}

/// Where running controllers keep their files. Samba makes sockets there, whose paths must be short.
fn scratch() -> PathBuf {
    std::env::temp_dir().join("quell-samba")
}

/// The number of an address that nobody on this machine uses, and the lock that keeps it so.
fn free_address() -> (u8, File) {
    std::fs::create_dir_all(scratch()).unwrap();
    for number in 1..=MOST {
        let lock = File::create(scratch().join(format!("{number}.lock")));
        if let Ok(lock) = lock
            && lock.try_lock().is_ok()
        {
            return (number, lock);
        }
    }
    panic!("{MOST} domain controllers are running already");
}

/// The folder of a domain that was never started. Made anew for another Samba or another script.
fn domain() -> PathBuf {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/samba");
    std::fs::create_dir_all(&target).unwrap();
    let lock = File::create(target.join("lock")).unwrap();
    lock.lock().unwrap();
    let version = Command::new("samba").arg("--version").output();
    let Ok(version) = version else {
        panic!(
            "`samba` is not installed; `cargo xtask test` says how, and installs it where it may"
        );
    };
    let wanted = format!("{}{SCRIPT}", String::from_utf8_lossy(&version.stdout));
    let (stamp, folder) = (target.join("made-with.txt"), target.join("domain"));
    if std::fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) {
        return folder;
    }
    drop(std::fs::remove_file(&stamp));
    drop(std::fs::remove_dir_all(&folder));
    // Debian's own Python has the modules of Samba.
    let made = Command::new("/usr/bin/python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samba/provision.py"))
        .arg(&folder)
        .args((1..=MOST).map(|number| address(number).to_string()))
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "no domain could be made:\n{}{}",
        String::from_utf8_lossy(&made.stdout),
        String::from_utf8_lossy(&made.stderr)
    );
    std::fs::write(&stamp, wanted).unwrap();
    folder
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (source, place) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            copy(&source, &place);
        } else if kind.is_file() {
            std::fs::copy(&source, &place).unwrap();
        }
    }
}
