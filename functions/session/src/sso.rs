//! Calls that the back end of a client makes for its user: tickets, and the refresh of a session.

use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Context, SHA256};
use function_kit::checked::Text;
use function_kit::{Failure, Outcome, Request, Response};
use function_logins::{Begun, Client, Holder, Purpose, Uid, identity_failure};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::Session;
use crate::refusal::{Credential, identity_refusal, not_valid};

/// How long a ticket is good for: it goes from one server to another, or through one redirect.
const TICKET_LIFE: Duration = Duration::from_secs(60);

/// What every one of these calls says of the user's device.
#[derive(Deserialize)]
struct Device {
    device_fingerprint: Text<256>,
    #[expect(dead_code, reason = "has to be sent, and proves nothing")]
    operating_sys_version: Text<128>,
    #[expect(dead_code, reason = "has to be sent, and proves nothing")]
    device_ip: Text<64>,
}

#[derive(Deserialize)]
struct SessionInput {
    session_token: SecretString,
    /// The client that the ticket is for, where it is not the one that calls.
    client_id: Option<Text<128>>,
    #[serde(flatten)]
    device: Device,
}

#[derive(Deserialize)]
struct TicketInput {
    sso_ticket: SecretString,
    #[serde(flatten)]
    device: Device,
}

/// What is stored behind a ticket.
#[derive(Serialize, Deserialize)]
struct Ticket {
    uid: Uid,
    /// Who may verify it.
    client_id: String,
    /// A hash of the user's device and of the account, so that the table does not tell whose devices are the same.
    device: String,
}

#[derive(Serialize)]
struct IssuedTicket<'a> {
    /// In seconds.
    expire: u64,
    sso_ticket: &'a str,
}

#[derive(Serialize)]
struct Verified<'a> {
    code: &'static str,
    message: &'static str,
    data: VerifiedData<'a>,
}

#[derive(Serialize)]
struct VerifiedData<'a> {
    user: User<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct User<'a> {
    /// The account: `sub` of its id_tokens.
    id: &'a str,
    user_name: &'static str,
    name: &'static str,
    mobile: &'static str,
    email: &'static str,
}

#[derive(Serialize)]
struct Refreshed<'a> {
    session_token: &'a str,
    id_token: &'a str,
    /// Seconds for which the session stands if it is not refreshed again.
    expire: u64,
}

impl Session {
    /// `POST /api/v2/tenant/sso/session-token/sso-ticket`.
    ///
    /// A ticket that was issued before its session ended stays good for its minute.
    pub(crate) async fn sso_ticket(&self, request: &Request) -> Result<Response, Failure> {
        let client = self.calling_client(request)?;
        let input: SessionInput = request.json()?;
        let session = self
            .logins
            .sessions()
            .read(&input.session_token, &input.holder(client), self.now())
            .await
            .map_err(|error| identity_refusal(Credential::SessionToken, &client.id, error))?;
        let verifier = match &input.client_id {
            Some(client_id) => self
                .logins
                .document()
                .client(client_id)
                // Who makes a ticket says who the user is, so the one that takes it must have said whom it believes.
                .filter(|verifier| {
                    verifier.id == client.id || verifier.sso_from.contains(&client.id)
                })
                .ok_or_else(|| Failure::new(Outcome::UnknownApp))?,
            None => client,
        };
        let ticket = Ticket {
            device: input.device.hash(&session.uid),
            uid: session.uid,
            client_id: verifier.id.clone(),
        };
        let issued = self
            .logins
            .one_time()
            .issue(Purpose::SsoTicket, &ticket, TICKET_LIFE, self.now())
            .await
            .map_err(identity_failure)?;
        let answer = IssuedTicket {
            expire: TICKET_LIFE.as_secs(),
            sso_ticket: issued.expose_secret(),
        };
        Ok(Response::json(200, &answer))
    }

    /// `POST /api/v2/tenant/sso/sso-ticket/verify`.
    ///
    /// A ticket is looked at before it is spent: another client that got hold of one cannot use it up.
    pub(crate) async fn verify_ticket(&self, request: &Request) -> Result<Response, Failure> {
        let client = self.calling_client(request)?;
        let TicketInput { sso_ticket, device } = request.json()?;
        let refused = |error| identity_refusal(Credential::SsoTicket, &client.id, error);
        let tickets = self.logins.one_time();
        let ticket: Ticket = tickets
            .peek(Purpose::SsoTicket, &sso_ticket, self.now())
            .await
            .map_err(refused)?;
        if ticket.client_id != client.id {
            return Err(not_valid(Credential::SsoTicket, &client.id, "other client"));
        }
        let presented = device.hash(&ticket.uid);
        if verify_slices_are_equal(presented.as_bytes(), ticket.device.as_bytes()).is_err() {
            return Err(not_valid(Credential::SsoTicket, &client.id, "other device"));
        }
        let Ticket { uid, .. } = tickets
            .redeem(Purpose::SsoTicket, &sso_ticket, self.now())
            .await
            .map_err(refused)?;
        let account = self
            .logins
            .accounts()
            .get(&uid)
            .await
            .map_err(identity_failure)?
            .ok_or_else(|| not_valid(Credential::SsoTicket, &client.id, "its account is gone"))?;
        let user = User {
            id: account.uid.as_str(),
            user_name: "",
            name: "",
            mobile: "",
            email: "",
        };
        let verified = Verified {
            code: "200",
            message: "success",
            data: VerifiedData { user },
        };
        Ok(Response::json(200, &verified))
    }

    /// `POST /api/v2/tenant/sso/session-token/refresh`.
    ///
    /// The rotation comes last, so that nothing can fail between it and the answer.
    pub(crate) async fn refresh(&self, request: &Request) -> Result<Response, Failure> {
        let client = self.calling_client(request)?;
        let input: SessionInput = request.json()?;
        let (presented, holder) = (&input.session_token, input.holder(client));
        let refused = |error| identity_refusal(Credential::SessionToken, &client.id, error);
        let sessions = self.logins.sessions();
        let session = sessions
            .read(presented, &holder, self.now())
            .await
            .map_err(refused)?;
        let id_token = self.id_token(client, &session).await?;
        let now = self.now();
        let Begun { token, session } = sessions
            .rotate(presented, &holder, now)
            .await
            .map_err(refused)?;
        let refreshed = Refreshed {
            session_token: token.expose_secret(),
            id_token: id_token.expose_secret(),
            expire: session.expires_at.since(now).as_secs(),
        };
        Ok(Response::json(200, &refreshed))
    }
}

impl SessionInput {
    /// The client that calls, with the device that it says its user has.
    fn holder<'a>(&'a self, client: &'a Client) -> Holder<'a> {
        Holder {
            client_id: &client.id,
            fingerprint: Some(&self.device.device_fingerprint),
        }
    }
}

impl Device {
    fn hash(&self, uid: &Uid) -> String {
        let mut context = Context::new(&SHA256);
        context.update(b"sso-ticket-device");
        context.update(uid.as_str().as_bytes());
        context.update(self.device_fingerprint.as_bytes());
        hex::encode(context.finish())
    }
}
