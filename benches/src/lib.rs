#![doc = include_str!("../README.md")]

mod cleanup;
mod contestant;
mod error;
mod fixtures;
mod gateway_stub;
mod http;
mod job;
mod process_figures;
mod progress;
mod quota;
mod runtime_api;
mod statistics;
mod stub;
mod table;
mod table_stub;
mod token_table;

pub mod compare;
pub mod cost;
pub mod document;
pub mod field;
pub mod floor;
pub mod functions;
pub mod goals;
pub mod growth;
pub mod machine;
pub mod packages;
pub mod profile;
pub mod report;

pub use cleanup::on_interruption;
pub use contestant::{Cold, Contestant, Process, Stage, Transport};
pub use error::BenchError;
pub use fixtures::Fixtures;
pub use job::Job;
pub use quota::{Controller, Share};
pub use statistics::Summary;
