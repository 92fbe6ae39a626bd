//! A strict stand-in of Alipay's OpenAPI gateway (V2, key mode), for tests and local work.
//!
//! It checks what the real gateway checks, with code of its own: no part of it is shared with what it tests, and its
//! RSA is another library's. It issues codes and tokens with Alipay's rules, makes mini codes, takes template messages,
//! and can be told to fail in every way that a network or an attacker can.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use simulator::{AppOptions, CodeOptions, Simulator};
//!
//! let simulator = Simulator::start().await?;
//! let app = simulator.add_app(AppOptions::default());
//! let code = simulator.issue_code(&app.app_id, CodeOptions::default());
//! // … call simulator.gateway_url() with app.private_key, exchanging the code …
//! assert_eq!(simulator.received_count("alipay.system.oauth.token"), 1);
//! # Ok(())
//! # }
//! ```
//!
//! What is the simulator's own choice, because no document says it: codes and tokens are judged by a clock that
//! [`Simulator::advance_clock`] moves, but a request's timestamp by the wall clock (10 minutes either way); `charset`
//! has to stand in the query; one parameter with two values is refused as `isv.suspected-attack`.

mod apps;
mod charset;
mod clock;
mod connection;
mod control;
mod faults;
mod gateway;
mod grants;
mod images;
mod keys;
mod methods;
mod parameters;
mod received;
mod refusal;
mod reply;
mod simulator;
mod users;
mod world;

pub use crate::apps::{
    AppKey, AppOptions, Identifiers, NumberSpelling, SimulatedApp, Template, TokenRules,
};
pub use crate::faults::{Fault, FaultKind};
pub use crate::grants::{CodeOptions, Scope};
pub use crate::keys::SignType;
pub use crate::methods::template_message::SentMessage;
pub use crate::methods::trade::Trade;
pub use crate::received::{ConnectionFacts, ReceivedCall, Verdict};
pub use crate::simulator::Simulator;
pub use crate::users::SimulatedUser;
