//! The endpoints the twin serves: how a request is recognised, what scope it needs and how it says yes.

use std::str::FromStr;

use http::Method;
use serde::{Deserialize, Serialize};

/// Rights an API client can hold, as the vendor's console groups them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Alerts: read.
    AlertsRead,
    /// Alerts: write.
    AlertsWrite,
    /// Hosts: read.
    HostsRead,
    /// Hosts: write.
    HostsWrite,
    /// IOC Management: read.
    IocRead,
    /// IOC Management: write.
    IocWrite,
    /// IOCs (Indicators of Compromise): read, a scope of its own beside IOC Management.
    IocsRead,
    /// Real time response: read.
    RtrRead,
    /// Real time response: write.
    RtrWrite,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 9] = [
        Self::AlertsRead,
        Self::AlertsWrite,
        Self::HostsRead,
        Self::HostsWrite,
        Self::IocRead,
        Self::IocWrite,
        Self::IocsRead,
        Self::RtrRead,
        Self::RtrWrite,
    ];
}

/// What a request is for. Fault rules and counters go by this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
#[expect(missing_docs, reason = "each name is its own path in `Endpoint::of`")]
pub enum Endpoint {
    Token,
    TokenRevoke,
    DeviceQuery,
    DeviceCombined,
    DeviceRead,
    DeviceOnline,
    Contain,
    LiftContainment,
    DeviceAction,
    AlertCombined,
    AlertQuery,
    AlertRead,
    AlertUpdate,
    RtrSessionOpen,
    RtrSessionRefresh,
    RtrSessionClose,
    RtrSessionRead,
    RtrSessionQuery,
    RtrCommand,
    RtrCommandStatus,
    RtrActiveCommand,
    RtrActiveStatus,
    RtrBatchOpen,
    RtrBatchCommand,
    RtrBatchActiveCommand,
    IocCreate,
    IocRead,
    IocUpdate,
    IocDelete,
    IocCombined,
    IocQuery,
    IocDevices,
    Unknown,
}

impl Endpoint {
    /// Every endpoint, in the order they are counted.
    pub const ALL: [Self; 33] = [
        Self::Token,
        Self::TokenRevoke,
        Self::DeviceQuery,
        Self::DeviceCombined,
        Self::DeviceRead,
        Self::DeviceOnline,
        Self::Contain,
        Self::LiftContainment,
        Self::DeviceAction,
        Self::AlertCombined,
        Self::AlertQuery,
        Self::AlertRead,
        Self::AlertUpdate,
        Self::RtrSessionOpen,
        Self::RtrSessionRefresh,
        Self::RtrSessionClose,
        Self::RtrSessionRead,
        Self::RtrSessionQuery,
        Self::RtrCommand,
        Self::RtrCommandStatus,
        Self::RtrActiveCommand,
        Self::RtrActiveStatus,
        Self::RtrBatchOpen,
        Self::RtrBatchCommand,
        Self::RtrBatchActiveCommand,
        Self::IocCreate,
        Self::IocRead,
        Self::IocUpdate,
        Self::IocDelete,
        Self::IocCombined,
        Self::IocQuery,
        Self::IocDevices,
        Self::Unknown,
    ];

    pub(crate) fn of(method: &Method, path: &str, action: Option<&str>) -> Self {
        match (method.as_str(), path) {
            ("POST", "/oauth2/token") => Self::Token,
            ("POST", "/oauth2/revoke") => Self::TokenRevoke,
            ("GET", "/devices/queries/devices/v1") => Self::DeviceQuery,
            ("GET", "/devices/combined/devices/v1") => Self::DeviceCombined,
            ("GET", "/devices/entities/devices/v1")
            | ("GET" | "POST", "/devices/entities/devices/v2") => Self::DeviceRead,
            ("GET", "/devices/entities/online-state/v1") => Self::DeviceOnline,
            ("POST", "/devices/entities/devices-actions/v2") => match action {
                Some("contain") => Self::Contain,
                Some("lift_containment") => Self::LiftContainment,
                _ => Self::DeviceAction,
            },
            ("POST", "/alerts/combined/alerts/v1") => Self::AlertCombined,
            ("GET", "/alerts/queries/alerts/v2") => Self::AlertQuery,
            ("POST", "/alerts/entities/alerts/v2") => Self::AlertRead,
            ("PATCH", "/alerts/entities/alerts/v2" | "/alerts/entities/alerts/v3") => {
                Self::AlertUpdate
            }
            ("POST", "/real-time-response/entities/sessions/v1") => Self::RtrSessionOpen,
            ("DELETE", "/real-time-response/entities/sessions/v1") => Self::RtrSessionClose,
            ("POST", "/real-time-response/entities/sessions/GET/v1") => Self::RtrSessionRead,
            ("GET", "/real-time-response/queries/sessions/v1") => Self::RtrSessionQuery,
            ("POST", "/real-time-response/entities/refresh-session/v1") => Self::RtrSessionRefresh,
            ("POST", "/real-time-response/entities/command/v1") => Self::RtrCommand,
            ("GET", "/real-time-response/entities/command/v1") => Self::RtrCommandStatus,
            ("POST", "/real-time-response/entities/active-responder-command/v1") => {
                Self::RtrActiveCommand
            }
            ("GET", "/real-time-response/entities/active-responder-command/v1") => {
                Self::RtrActiveStatus
            }
            ("POST", "/real-time-response/combined/batch-init-session/v1") => Self::RtrBatchOpen,
            ("POST", "/real-time-response/combined/batch-command/v1") => Self::RtrBatchCommand,
            ("POST", "/real-time-response/combined/batch-active-responder-command/v1") => {
                Self::RtrBatchActiveCommand
            }
            ("POST", "/iocs/entities/indicators/v1") => Self::IocCreate,
            ("GET", "/iocs/entities/indicators/v1") => Self::IocRead,
            ("PATCH", "/iocs/entities/indicators/v1") => Self::IocUpdate,
            ("DELETE", "/iocs/entities/indicators/v1") => Self::IocDelete,
            ("GET", "/iocs/combined/indicator/v1") => Self::IocCombined,
            ("GET", "/iocs/queries/indicators/v1") => Self::IocQuery,
            ("GET", "/iocs/aggregates/indicators/device-count/v1") => Self::IocDevices,
            _ => Self::Unknown,
        }
    }

    /// The scope a token must carry. Endpoints without one authenticate otherwise, or do not exist.
    pub(crate) fn scope(self) -> Option<Scope> {
        Some(match self {
            Self::Token | Self::TokenRevoke | Self::Unknown => return None,
            Self::DeviceQuery | Self::DeviceCombined | Self::DeviceRead | Self::DeviceOnline => {
                Scope::HostsRead
            }
            Self::Contain | Self::LiftContainment | Self::DeviceAction => Scope::HostsWrite,
            Self::AlertCombined | Self::AlertQuery | Self::AlertRead => Scope::AlertsRead,
            Self::AlertUpdate => Scope::AlertsWrite,
            Self::RtrSessionOpen
            | Self::RtrSessionRefresh
            | Self::RtrSessionClose
            | Self::RtrSessionRead
            | Self::RtrSessionQuery
            | Self::RtrCommand
            | Self::RtrCommandStatus
            | Self::RtrBatchOpen
            | Self::RtrBatchCommand => Scope::RtrRead,
            Self::RtrActiveCommand | Self::RtrActiveStatus | Self::RtrBatchActiveCommand => {
                Scope::RtrWrite
            }
            Self::IocCreate | Self::IocUpdate | Self::IocDelete => Scope::IocWrite,
            Self::IocRead | Self::IocCombined | Self::IocQuery => Scope::IocRead,
            Self::IocDevices => Scope::IocsRead,
        })
    }

    /// The status of success.
    pub(crate) fn success(self) -> u16 {
        match self {
            Self::Token
            | Self::RtrSessionOpen
            | Self::RtrSessionRefresh
            | Self::RtrCommand
            | Self::RtrActiveCommand
            | Self::RtrBatchOpen
            | Self::RtrBatchCommand
            | Self::RtrBatchActiveCommand
            | Self::IocCreate => 201,
            Self::Contain | Self::LiftContainment | Self::DeviceAction => 202,
            Self::RtrSessionClose => 204,
            _ => 200,
        }
    }

    /// What the vendor's service calls itself in `meta.powered_by`.
    pub(crate) fn powered_by(self) -> &'static str {
        match self {
            Self::Token | Self::TokenRevoke | Self::Unknown => "csam",
            Self::DeviceOnline => "cs.agentonline",
            Self::AlertCombined | Self::AlertQuery | Self::AlertRead | Self::AlertUpdate => {
                "detectsapi"
            }
            Self::IocCreate
            | Self::IocRead
            | Self::IocUpdate
            | Self::IocDelete
            | Self::IocCombined
            | Self::IocQuery
            | Self::IocDevices => "ioc-api",
            Self::DeviceQuery
            | Self::DeviceCombined
            | Self::DeviceRead
            | Self::Contain
            | Self::LiftContainment
            | Self::DeviceAction => "device-api",
            _ => "empower-api",
        }
    }

    /// The name in fault rules and listings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::TokenRevoke => "token_revoke",
            Self::DeviceQuery => "device_query",
            Self::DeviceCombined => "device_combined",
            Self::DeviceRead => "device_read",
            Self::DeviceOnline => "device_online",
            Self::Contain => "contain",
            Self::LiftContainment => "lift_containment",
            Self::DeviceAction => "device_action",
            Self::AlertCombined => "alert_combined",
            Self::AlertQuery => "alert_query",
            Self::AlertRead => "alert_read",
            Self::AlertUpdate => "alert_update",
            Self::RtrSessionOpen => "rtr_session_open",
            Self::RtrSessionRefresh => "rtr_session_refresh",
            Self::RtrSessionClose => "rtr_session_close",
            Self::RtrSessionRead => "rtr_session_read",
            Self::RtrSessionQuery => "rtr_session_query",
            Self::RtrCommand => "rtr_command",
            Self::RtrCommandStatus => "rtr_command_status",
            Self::RtrActiveCommand => "rtr_active_command",
            Self::RtrActiveStatus => "rtr_active_status",
            Self::RtrBatchOpen => "rtr_batch_open",
            Self::RtrBatchCommand => "rtr_batch_command",
            Self::RtrBatchActiveCommand => "rtr_batch_active_command",
            Self::IocCreate => "ioc_create",
            Self::IocRead => "ioc_read",
            Self::IocUpdate => "ioc_update",
            Self::IocDelete => "ioc_delete",
            Self::IocCombined => "ioc_combined",
            Self::IocQuery => "ioc_query",
            Self::IocDevices => "ioc_devices",
            Self::Unknown => "unknown",
        }
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL
            .into_iter()
            .find(|endpoint| endpoint.name() == text);
        found.ok_or_else(|| format!("no endpoint named `{text}`"))
    }
}
