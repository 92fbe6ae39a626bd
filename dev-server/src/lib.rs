#![doc = include_str!("../README.md")]

mod banner;
mod doctor;
mod doors;
mod error;
mod functions;
mod invocation;
mod local_login;
mod local_table;
mod login_keys;
mod owners_file;
mod routes;
mod schedule;
mod server;
mod tokens;

pub use banner::banner;
pub use doctor::{DoctorOptions, Report, doctor};
pub use error::DevServerError;
pub use functions::{FUNCTION_TIMEOUT, Functions, PUBLISH_EVENTS, REFRESH_TOKENS, timeout_of};
pub use local_login::{LOCAL_CLIENT, LocalLogin};
pub use local_table::{IDENTITY_TABLE, LocalTable, ORDER_TABLE, TOKEN_TABLE};
pub use login_keys::{
    LoginKeysError, NewClient, ROTATION_LEAD, Rotation, new_login_document, rotate_login_keys,
    save_login_document,
};
pub use routes::{Api, ROUTES, Route, Who};
pub use schedule::{PUBLISHING, SCHEDULE, SPAN as SCHEDULE_SPAN};
pub use server::{DevServer, EVENT_BUS, Gateway, Options, apps_document};
pub use tokens::{DEFAULT_PORT, Refreshed, Row, TokensError, list_tokens, refresh_token};
