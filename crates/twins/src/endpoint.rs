//! The list of a vendor's endpoints, with their names. A macro, because no generic lists the variants of an enum.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a request to a vendor is for. Fault rules and counters go by it.
pub trait Endpoint:
    Copy + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// Every endpoint, in the order they are counted.
    const ALL: &'static [Self];

    /// The name in fault rules and listings.
    fn name(self) -> &'static str;

    /// The place in [`Self::ALL`].
    fn index(self) -> usize;
}

/// Declares a vendor's `Endpoint`: each endpoint and its name in fault rules and listings.
macro_rules! endpoints {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What a request is for. Fault rules and counters go by this.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        #[non_exhaustive]
        pub enum Endpoint { $($(#[$doc])* #[serde(rename = $name)] $variant,)* }

        impl Endpoint {
            /// Every endpoint, in the order they are counted.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$variant),*];

            /// The name in fault rules and listings.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }

        impl crate::Endpoint for Endpoint {
            const ALL: &'static [Self] = &Self::ALL;

            fn name(self) -> &'static str {
                self.name()
            }

            fn index(self) -> usize {
                self as usize
            }
        }
    };
}

pub(crate) use endpoints;
