//! The conformance suite: what every row of every connector must do, against its vendor's twin.
