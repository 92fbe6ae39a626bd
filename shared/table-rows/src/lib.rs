#![doc = include_str!("../README.md")]

mod definition;
mod dynamo;
mod error;
#[cfg(any(test, feature = "movable-clock"))]
mod movable_clock;
mod row;
mod wall_time;

pub use definition::{created, definition, enable_time_to_live, key, wait_until_active};
pub use dynamo::{Item, blob, failed, not_built, number, text};
pub use error::TableError;
#[cfg(any(test, feature = "movable-clock"))]
pub use movable_clock::MovableClock;
pub use row::{
    WrongAttribute, optional_number, optional_text, read_row, required_number, required_text,
};
pub use wall_time::{Clock, SystemClock, WallTime};
