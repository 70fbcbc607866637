//! CrowdStrike's clouds. A tenant lives in one of them; asking another answers where.

use schemars::JsonSchema;
use serde::Deserialize;

macro_rules! regions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal at $host:literal, discovered: $discovered:literal;)*) => {
        /// A cloud of CrowdStrike's.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
        pub enum Region { $($(#[$doc])* #[serde(rename = $name)] $variant,)* }

        impl Region {
            /// Every cloud.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name used in configuration and in the vendor's headers.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The API's host name.
            #[must_use]
            pub const fn host(self) -> &'static str {
                match self { $(Self::$variant => $host,)* }
            }

            /// Whether the clouds send a client of this one to another, and others to it. The
            /// government clouds stand alone.
            #[must_use]
            pub const fn is_discovered(self) -> bool {
                match self { $(Self::$variant => $discovered,)* }
            }
        }
    };
}

regions! {
    /// Commercial, United States.
    Us1 = "us-1" at "api.crowdstrike.com", discovered: true;
    /// Commercial, United States, second cloud.
    Us2 = "us-2" at "api.us-2.crowdstrike.com", discovered: true;
    /// Commercial, United States, third cloud.
    Us3 = "us-3" at "api.us-3.crowdstrike.com", discovered: true;
    /// Commercial, European Union.
    Eu1 = "eu-1" at "api.eu-1.crowdstrike.com", discovered: true;
    /// Government, United States.
    UsGov1 = "us-gov-1" at "api.laggar.gcw.crowdstrike.com", discovered: false;
    /// Government, United States, second cloud.
    UsGov2 = "us-gov-2" at "api.us-gov-2.crowdstrike.mil", discovered: false;
}

impl Region {
    /// The cloud of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let name = name.trim();
        Self::ALL
            .iter()
            .copied()
            .find(|region| region.as_str().eq_ignore_ascii_case(name))
    }

    /// The cloud whose API has this host name.
    #[must_use]
    pub fn at(host: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|region| region.host().eq_ignore_ascii_case(host))
    }

    /// The base URL.
    #[must_use]
    pub fn base(self) -> String {
        format!("https://{}", self.host())
    }
}
