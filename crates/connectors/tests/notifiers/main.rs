//! The notifiers as people and servers see them: Slack against its twin and the models of its own
//! SDK, mail against an independent SMTP server and mail parser.

#[cfg(test)]
mod letter;
#[cfg(test)]
mod mail_server;
#[cfg(test)]
#[path = "../../../twins/tests/sdk/python.rs"]
mod python;
#[cfg(test)]
mod slack;
#[cfg(test)]
mod smtp;
#[cfg(test)]
mod support;
