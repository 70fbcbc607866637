//! Microsoft's clouds. Each has a login host and an API host of its own, and they never lead to each other.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! clouds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, login $login:literal, graph $graph:literal;)*) => {
        /// A cloud of Microsoft's.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        pub enum Cloud { $($(#[$doc])* #[serde(rename = $name)] $variant,)* }

        impl Cloud {
            /// Base URL of its login.
            #[must_use]
            pub const fn login(self) -> &'static str {
                match self { $(Self::$variant => $login,)* }
            }

            /// Base URL of its API; tokens are asked for by it.
            #[must_use]
            pub const fn graph(self) -> &'static str {
                match self { $(Self::$variant => $graph,)* }
            }
        }
    };
}

clouds! {
    /// Worldwide, with GCC.
    #[default]
    Global = "global", login "https://login.microsoftonline.com", graph "https://graph.microsoft.com";
    /// Government of the United States, GCC High.
    UsGov = "us-gov", login "https://login.microsoftonline.us", graph "https://graph.microsoft.us";
    /// Government of the United States, Department of Defense.
    UsDod = "us-dod", login "https://login.microsoftonline.us", graph "https://dod-graph.microsoft.us";
    /// China, run by 21Vianet.
    China = "china", login "https://login.chinacloudapi.cn", graph "https://microsoftgraph.chinacloudapi.cn";
}
