//! What the shop refuses, hides and forgets.

mod access_control;
mod audit;
mod forged_tokens;
mod hostile_input;
mod http_edge;
mod personal_data;
mod private_files;
mod request_smuggling;
mod secrets_in_logs;
mod sessions;
mod stranger_mails;
