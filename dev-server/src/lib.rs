#![doc = include_str!("../README.md")]

mod banner;
mod doctor;
mod doors;
mod error;
mod functions;
mod local_table;
mod routes;
mod server;

pub use banner::banner;
pub use doctor::{DoctorOptions, Report, doctor};
pub use error::DevServerError;
pub use functions::{FUNCTION_TIMEOUT, Functions};
pub use local_table::{LocalTable, TOKEN_TABLE};
pub use routes::{ROUTES, Route, Who};
pub use server::{DevServer, Gateway, Options, apps_document};
