//! The endpoints the twin serves: how a request is recognised, what scope it needs and how it says yes.

use http::Method;
use serde::{Deserialize, Serialize};

use crate::endpoint::endpoints;

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

endpoints! {
    /// `POST /oauth2/token`
    Token = "token",
    /// `POST /oauth2/revoke`
    TokenRevoke = "token_revoke",
    /// `GET /devices/queries/devices/v1`
    DeviceQuery = "device_query",
    /// `GET /devices/combined/devices/v1`
    DeviceCombined = "device_combined",
    /// `GET` and `POST /devices/entities/devices/v2`
    DeviceRead = "device_read",
    /// `GET /devices/entities/online-state/v1`
    DeviceOnline = "device_online",
    /// `POST /devices/entities/devices-actions/v2?action_name=contain`
    Contain = "contain",
    /// The same with `lift_containment`.
    LiftContainment = "lift_containment",
    /// The same with any other action.
    DeviceAction = "device_action",
    /// `POST /alerts/combined/alerts/v1`
    AlertCombined = "alert_combined",
    /// `GET /alerts/queries/alerts/v2`
    AlertQuery = "alert_query",
    /// `POST /alerts/entities/alerts/v2`
    AlertRead = "alert_read",
    /// `PATCH /alerts/entities/alerts/v3`
    AlertUpdate = "alert_update",
    /// `POST /real-time-response/entities/sessions/v1`
    RtrSessionOpen = "rtr_session_open",
    /// `POST /real-time-response/entities/refresh-session/v1`
    RtrSessionRefresh = "rtr_session_refresh",
    /// `DELETE /real-time-response/entities/sessions/v1`
    RtrSessionClose = "rtr_session_close",
    /// `POST /real-time-response/entities/sessions/GET/v1`
    RtrSessionRead = "rtr_session_read",
    /// `GET /real-time-response/queries/sessions/v1`
    RtrSessionQuery = "rtr_session_query",
    /// `POST /real-time-response/entities/command/v1`
    RtrCommand = "rtr_command",
    /// `GET /real-time-response/entities/command/v1`
    RtrCommandStatus = "rtr_command_status",
    /// `POST /real-time-response/entities/active-responder-command/v1`
    RtrActiveCommand = "rtr_active_command",
    /// `GET /real-time-response/entities/active-responder-command/v1`
    RtrActiveStatus = "rtr_active_status",
    /// `POST /real-time-response/combined/batch-init-session/v1`
    RtrBatchOpen = "rtr_batch_open",
    /// `POST /real-time-response/combined/batch-command/v1`
    RtrBatchCommand = "rtr_batch_command",
    /// `POST /real-time-response/combined/batch-active-responder-command/v1`
    RtrBatchActiveCommand = "rtr_batch_active_command",
    /// `POST /iocs/entities/indicators/v1`
    IocCreate = "ioc_create",
    /// `GET /iocs/entities/indicators/v1`
    IocRead = "ioc_read",
    /// `PATCH /iocs/entities/indicators/v1`
    IocUpdate = "ioc_update",
    /// `DELETE /iocs/entities/indicators/v1`
    IocDelete = "ioc_delete",
    /// `GET /iocs/combined/indicator/v1`
    IocCombined = "ioc_combined",
    /// `GET /iocs/queries/indicators/v1`
    IocQuery = "ioc_query",
    /// `GET /iocs/aggregates/indicators/device-count/v1`
    IocDevices = "ioc_devices",
    /// Anything else.
    Unknown = "unknown",
}

impl Endpoint {
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
}
