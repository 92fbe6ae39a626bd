//! A strict stand-in of Alipay's OpenAPI gateway, for tests and local work: protocols V2 and V3, key and certificate mode,
//! content encryption, UTF-8, GBK and GB2312.
//!
//! It checks what the real gateway checks, with code of its own: no part of it is shared with what it tests, and its
//! RSA and AES are another library's. It issues codes and tokens with Alipay's rules, shows users the page on which they agree to
//! a login in a browser, makes mini codes, takes template messages, has buyers pay at a cashier and sends notices of it, and can be told to
//! fail in every way that a network or an attacker can.
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
//! has to stand in the query; one parameter with two values is refused as `isv.suspected-attack`. An app with an AES key
//! may send any call encrypted or not; what the gateway itself refuses is answered in the clear, what a method refuses is
//! encrypted in V2 and in the clear in V3. The HTTP status of a V3 refusal, and how a used nonce is refused, are choices too.
//! Multipart bodies in V2, `AES_V2` and SM2 signatures are not there.
//!
//! The content checks judge by words, [`Simulator::forbid`] and [`Simulator::doubt`], and refuse wrong members as
//! `INVALID_PARAMETER`; a picture that was handed in for analysis has no result for 60 seconds. A batch of messages has the
//! sub_codes of a single one, `subscribe_state` and `keep_state` are 1 or 0, any `qrcode_type` makes a square picture.
//! A newer token in `isv.refreshed-token-invalid` ([`FaultKind::AlreadyRefreshed`]) stands beside the refusal's other members under its
//! name of a success.
//!
//! The page for users (`/oauth2/publicAppAuthorize.htm`) compares the host of `redirect_uri` with that of [`AppOptions::callback`];
//! scheme, port and path may be others. It takes `-` and `_` in `state` beside the base64 alphabet, of scopes `auth_base` and
//! `auth_user` alone, and asks each time anew; who refuses stays on it. Who visits it is set by [`Simulator::change_visitor`]. For a browser that
//! is driven: `button[value=agree]` and `button[value=refuse]`; `src/consent/page.rs` names the other selectors.
//!
//! Open ids of known users (`alipay.open.app.openid.…`) are told to apps that have open ids, for 100 users at once; a conversion order is
//! approved by [`Simulator::approve_conversion`], and the steps by which a developer asks for one are not there.
//!
//! Trades are in `src/trades.rs` and `src/methods/trade/`, the cashier for browsers is `/cashier.htm` (`src/cashier/page.rs` names its
//! selectors), notices are in `src/notices.rs`. The trade of an order string is there once the cashier was opened with it; an order string
//! is taken for 24 hours by the wall clock, and a trade waits until `time_expire`, else for 15 days, by the simulator's. Choices: a trade of
//! `alipay.trade.create` is paid by its named buyer alone (`ACQ.TRADE_BUYER_NOT_MATCH`), that of an order string by anybody; the same
//! order may come again with another `time_expire` or `notify_url`, which changes nothing; `op_app_id` is any app of the simulator, `seller_id` the app's own
//! [`AppOptions::pid`] alone; to close twice is `ACQ.TRADE_STATUS_ERROR`; who pays what is paid is told 9000 once more.
//!
//! A notice goes out for a payment, for each refund, for a closing, be it by `time_expire`, and for `TRADE_FINISHED`
//! ([`Simulator::finish_trade`]); the repeats are the same text, at Alipay's times from the first one on. Several notices are sent
//! side by side. They go to `http` addresses of this machine alone, without redirects: another address is kept as
//! [`NoticeStanding::Undeliverable`]. `refund_fee` is what has gone back altogether, `body` is always there and empty, and a notice
//! names no certificate. A trade that was made with a merchant's `app_auth_token` is told as the merchant's own app.
//!
//! A merchant's replaced tokens stay usable for 10 minutes, and a reply about several merchants has `tokens` alone.

mod apps;
mod authority;
mod authorization;
mod cashier;
mod certificates;
mod charset;
mod checks;
mod clock;
mod connection;
mod consent;
mod control;
mod der;
mod encryption;
mod faults;
mod gateway;
mod gateway_v3;
mod grants;
mod images;
mod keys;
mod merchants;
mod methods;
mod multipart;
mod notices;
mod page;
mod parameters;
mod phone_number;
mod received;
mod refreshes;
mod refusal;
mod reply;
mod reply_v3;
mod signer;
mod simulator;
mod subscriptions;
mod trades;
mod users;
mod world;

pub use crate::apps::{
    AppKey, AppOptions, Identifiers, MerchantTokenRules, NumberSpelling, SimulatedApp, Template,
    TokenRules,
};
pub use crate::authority::AlipayCertificate;
pub use crate::cashier::{CashierDecision, CashierFlaw, CashierOutcome};
pub use crate::consent::{PageVisit, VisitOutcome};
pub use crate::faults::{Fault, FaultKind};
pub use crate::grants::{CodeOptions, Scope};
pub use crate::keys::SignType;
pub use crate::methods::batch_message::SentBatch;
pub use crate::methods::template_message::SentMessage;
pub use crate::notices::{
    Notice, NoticeAnswer, NoticeAttempt, NoticeForgery, NoticeOptions, NoticeStanding, SignedText,
};
pub use crate::phone_number::PhoneNumberFailure;
pub use crate::received::{ConnectionFacts, ReceivedCall, Verdict};
pub use crate::refreshes::RefreshCount;
pub use crate::simulator::Simulator;
pub use crate::subscriptions::{Subscription, SubscriptionKind};
pub use crate::trades::{Refund, Trade};
pub use crate::users::SimulatedUser;
