//! An event bus in this process, for tests and local work: EventBridge's `PutEvents` over its real protocol (AWS JSON 1.1), to be reached
//! with the real client. What is published is kept and can be waited for; nothing is delivered anywhere.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use aws_sdk_eventbridge::types::PutEventsRequestEntry;
//! use embedded_event_bus::{EmbeddedEventBus, client};
//!
//! let bus = EmbeddedEventBus::start().await?;
//! let entry = PutEventsRequestEntry::builder()
//!     .event_bus_name("events")
//!     .source("shop")
//!     .detail_type("order.paid")
//!     .detail(r#"{"order":"1"}"#);
//! client(&bus.endpoint()).put_events().entries(entry.build()).send().await?;
//! assert_eq!(bus.wait_for(1).await[0].detail["order"], "1");
//! # Ok(())
//! # }
//! ```
//!
//! It listens on a free loopback port, checks no credentials, and takes every bus name. It ends when it is dropped, so who publishes to it
//! holds it.
//!
//! Faults: [`refuse_next`](EmbeddedEventBus::refuse_next) (a success whose entries were refused), [`fail_next`](EmbeddedEventBus::fail_next)
//! (an HTTP error), [`lose_reply`](EmbeddedEventBus::lose_reply) (published, and the connection closed),
//! [`hold`](EmbeddedEventBus::hold) and [`let_go`](EmbeddedEventBus::let_go), [`stop`](EmbeddedEventBus::stop). AWS' client tries again
//! after all but the first of them: a fault has to befall as many requests as its client sends.

mod bus;
mod client;
mod put_events;

pub use bus::{EVENTS_KEPT, EmbeddedEventBus, PublishedEvent};
pub use client::{client, client_config};
