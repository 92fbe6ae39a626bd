//! What only the gateway can say: whether it is reached, what time it is there, whether it accepts our signature, whether we
//! accept its, and whether both have the same AES key.

use std::time::{Duration, SystemTime};

use alipay_gateway::{App, Call, Clock, Deadline, Gateway, GatewayError, Refusal, Reply};
use serde_json::json;
use uuid::Uuid;

use super::refusals::{About, CONTENT_KEY, about, named};
use super::report::Report;
use crate::error::with_causes;

/// The gateway refuses timestamps that are further off.
const MOST_SKEW: Duration = Duration::from_secs(600);
/// A clock that is kept right is not further off.
const USUAL_SKEW: Duration = Duration::from_secs(60);
/// More than the client takes for one call.
const PATIENCE: Duration = Duration::from_secs(10);
/// Reads, and needs no permission that a mini-program has not.
const METHOD: &str = "alipay.trade.query";

const AGAIN: &str = "run the doctor again in a minute";
const UNDERSTOOD: &str = "aesKey: an encrypted call is understood, and its answer read";

pub(super) async fn examine(gateway: &Gateway, app: &App, clock: &Clock, report: &mut Report<'_>) {
    let examination = Examination {
        gateway,
        app,
        clock,
    };
    if examination.is_reached(report).await && examination.keys_fit(report).await {
        examination.content_key_fits(report).await;
    }
}

struct Examination<'a> {
    gateway: &'a Gateway,
    app: &'a App,
    clock: &'a Clock,
}

impl Examination<'_> {
    async fn is_reached(&self, report: &mut Report<'_>) -> bool {
        let host = self.app.gateway.host_str().unwrap_or_default().to_owned();
        let asking = self.gateway.server_time(&self.app.gateway);
        let answer = report
            .waiting(&format!("connecting to {host} (5 s at most)"), asking)
            .await;
        match answer {
            Ok(time) => {
                let scheme = self.app.gateway.scheme();
                report.right(&format!("gateway: is reached over {scheme}"));
                self.clock_is_right(time, report);
                true
            }
            Err(error) => {
                report.wrong(
                    &format!("gateway: {}", with_causes(&error)),
                    "check gateway in the document, then this machine's name service, firewall and way out (port 443; a proxy is not used)",
                );
                report.skipped("clock, keys and AES key: the gateway has to be reached for them");
                false
            }
        }
    }

    /// The `Date` header has whole seconds and travels for a moment, which is nothing beside the limits.
    fn clock_is_right(&self, there: Option<SystemTime>, report: &mut Report<'_>) {
        let Some(there) = there else {
            report.doubtful(
                "clock: the gateway did not say what time it is",
                "compare this machine's clock by other means",
            );
            return;
        };
        let here = (self.clock)();
        let (skew, side) = match here.duration_since(there) {
            Ok(ahead) => (ahead, "ahead of"),
            Err(behind) => (behind.duration(), "behind"),
        };
        let what = match skew.as_secs() {
            0..=2 => "clock: agrees with the gateway's".to_owned(),
            seconds => format!("clock: {seconds} s {side} the gateway's"),
        };
        let mend = "set this machine's clock; Alipay refuses calls of more than 10 minutes off";
        if skew > MOST_SKEW {
            report.wrong(&what, mend);
        } else if skew > USUAL_SKEW {
            report.doubtful(&what, mend);
        } else {
            report.right(&what);
        }
    }

    /// Whether the gateway accepts our signature. If so, it also says whether its own is accepted here.
    async fn keys_fit(&self, report: &mut Report<'_>) -> bool {
        let call = trade_that_does_not_exist();
        match self
            .ask("asking for a trade that does not exist", &call, report)
            .await
        {
            Ok(_) => {
                report.right("signature: the gateway accepts it");
                report.right(&self.alipays_key_fits());
                true
            }
            Err(GatewayError::Refused(refusal)) => self.refused(&refusal, report),
            Err(error @ GatewayError::Unverified { .. }) => {
                report.wrong(
                    &format!("{}: {error}", self.alipays_field()),
                    if self.app.certificates.is_some() {
                        "download alipayCertPublicKey_RSA2.crt and alipayRootCert.crt again from this appid's page in the console, and look at signType and charset"
                    } else {
                        "copy Alipay's public key (支付宝公钥) again from this appid's page in the console; each app has its own"
                    },
                );
                report.skipped("signature: what the gateway says about it is not to be believed");
                false
            }
            Err(error) => {
                not_answered(&error, report);
                false
            }
        }
    }

    fn refused(&self, refusal: &Refusal, report: &mut Report<'_>) -> bool {
        match about(refusal) {
            About::Caller(mend) | About::Encryption(mend) => {
                report.wrong(
                    &format!("signature: the gateway refuses the call ({refusal})"),
                    mend,
                );
                return false;
            }
            About::Gateway => {
                report.doubtful(
                    &format!("signature: not proven, the gateway takes no calls now ({refusal})"),
                    AGAIN,
                );
                return false;
            }
            About::Nothing => {
                report.right("signature: the gateway accepts it (and knows no such trade)");
            }
            About::Call => report.right(&format!(
                "signature: the gateway accepts it; it refuses this call for another reason ({})",
                named(refusal)
            )),
        }
        if refusal.verified {
            report.right(&self.alipays_key_fits());
        } else {
            report.doubtful(
                &format!(
                    "{}: not proven, because this refusal is not signed",
                    self.alipays_field()
                ),
                "any call that succeeds proves it, such as getMiniCode of the development server with --config; a reply that does not verify is never taken for a success",
            );
        }
        true
    }

    async fn content_key_fits(&self, report: &mut Report<'_>) {
        if self.app.content_key.is_none() {
            return;
        }
        let call = trade_that_does_not_exist().encrypted();
        let answer = self
            .ask("asking the same with its contents encrypted", &call, report)
            .await;
        match answer {
            Ok(_) => report.right(UNDERSTOOD),
            Err(GatewayError::Refused(refusal)) => match about(&refusal) {
                About::Nothing => report.right(UNDERSTOOD),
                About::Call => report.doubtful(
                    &format!("aesKey: not proven, the gateway refuses this call for another reason ({refusal})"),
                    "call a method with needEncrypt that this app has permission for",
                ),
                About::Gateway => report.doubtful(
                    &format!("aesKey: not proven, the gateway takes no calls now ({refusal})"),
                    AGAIN,
                ),
                About::Caller(mend) | About::Encryption(mend) => report.wrong(
                    &format!("aesKey: the gateway refuses an encrypted call ({refusal})"),
                    mend,
                ),
            },
            Err(error @ (GatewayError::Unverified { .. } | GatewayError::Malformed { .. })) => {
                report.wrong(
                    &format!("aesKey: the answer to an encrypted call cannot be read: {error}"),
                    CONTENT_KEY,
                );
            }
            Err(error) => not_answered(&error, report),
        }
    }

    async fn ask(
        &self,
        what: &str,
        call: &Call,
        report: &mut Report<'_>,
    ) -> Result<Reply, GatewayError> {
        let deadline = Deadline::after((self.clock)(), PATIENCE);
        let asking = self.gateway.call(self.app, call, deadline);
        report
            .waiting(&format!("{what} (5 s at most)"), asking)
            .await
    }

    fn alipays_field(&self) -> &'static str {
        match self.app.certificates {
            Some(_) => "alipayCert",
            None => "alipayPublicKey",
        }
    }

    fn alipays_key_fits(&self) -> String {
        format!("{}: the reply's signature is right", self.alipays_field())
    }
}

/// A new number each time, which nobody has given to a trade.
fn trade_that_does_not_exist() -> Call {
    let number = format!("doctor-{}", Uuid::new_v4().simple());
    Call::new(METHOD)
        .with_biz_content(json!({ "out_trade_no": number }).to_string())
        .repeatable()
}

fn not_answered(error: &GatewayError, report: &mut Report<'_>) {
    report.wrong(
        &format!("gateway: {}", with_causes(error)),
        "run the doctor again; if it stays so, check the address in gateway, and what stands between this machine and it",
    );
}
