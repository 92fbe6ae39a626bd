//! The running simulator and its Rust API.

mod payments;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::apps::{AppOptions, Identifiers, SimulatedApp};
use crate::authority::AlipayCertificate;
use crate::connection::{BreakableListener, Peer};
use crate::consent::PageVisit;
use crate::control;
use crate::faults::Fault;
use crate::grants::CodeOptions;
use crate::keys;
use crate::methods::batch_message::SentBatch;
use crate::methods::template_message::SentMessage;
use crate::notices::delivery;
use crate::phone_number::PhoneNumberFailure;
use crate::received::ReceivedCall;
use crate::refreshes::RefreshCount;
use crate::subscriptions::Subscription;
use crate::users::{self, SimulatedUser};
use crate::world::Shared;

/// A running simulator. It has a thread and a runtime of its own, so it outlives the runtime that started it; it stops
/// when it is dropped.
pub struct Simulator {
    shared: Shared,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Simulator {
    /// Starts on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// The port or the thread could not be had.
    pub async fn start() -> io::Result<Self> {
        Self::start_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await
    }

    /// Starts on this address; port 0 takes a free one.
    ///
    /// # Errors
    /// The address is taken or not allowed, or the thread could not be had.
    pub async fn start_on(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Shared::new(format!("http://{address}"));
        // Made now, not inside the first reply.
        keys::alipay_key();
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let served = shared.clone();
        let thread = std::thread::Builder::new()
            .name("alipay-simulator".to_owned())
            .spawn(move || {
                runtime.block_on(async move {
                    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
                        return;
                    };
                    let listener = BreakableListener {
                        listener,
                        connections: Arc::clone(&served.connections),
                    };
                    let notices = delivery::run(served.clone());
                    let service =
                        control::router(served).into_make_service_with_connect_info::<Peer>();
                    tokio::select! {
                        _ = axum::serve(listener, service) => {}
                        () = notices => {}
                        _ = stopped => {}
                    }
                });
                // Dropping the runtime closes what connections are left.
            })?;
        Ok(Self {
            shared,
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`; V3 is under `/v3/` of it.
    #[must_use]
    pub fn base_url(&self) -> String {
        self.shared.base_url.to_string()
    }

    /// `http://127.0.0.1:PORT/gateway.do`
    #[must_use]
    pub fn gateway_url(&self) -> String {
        format!("{}/gateway.do", self.shared.base_url)
    }

    /// Registers an app.
    ///
    /// # Panics
    /// A key given in the options does not load, or the callback is not an address.
    #[must_use]
    #[expect(
        clippy::panic,
        reason = "a test that gives a broken key or callback has to know at once"
    )]
    pub fn add_app(&self, options: AppOptions) -> SimulatedApp {
        match self.shared.world().add_app(options) {
            Ok(app) => app,
            Err(error) => panic!("the app cannot be registered: {error}"),
        }
    }

    /// Adds a user, or changes the one of the same `user_id`.
    pub fn add_user(&self, user: SimulatedUser) {
        self.shared.world().users.insert(user.user_id.clone(), user);
    }

    /// The identifier that this app sees of this user.
    #[must_use]
    pub fn open_id(&self, app_id: &str, user_id: &str) -> String {
        users::open_id(app_id, user_id)
    }

    /// The identifier of this user that all apps of the simulator see.
    #[must_use]
    pub fn union_id(&self, user_id: &str) -> String {
        users::union_id(user_id)
    }

    /// From now on Alipay signs for apps in certificate mode with another certificate; answers its SN. The method
    /// `alipay.open.app.alipaycert.download` gives each by its SN.
    pub fn change_alipay_certificate(&self, to: AlipayCertificate) -> String {
        self.shared.world().alipay_certificates.change(to)
    }

    /// Alipay's certificate is renewed by the same authority, with another key; answers the new SN.
    pub fn renew_alipay_certificate(&self) -> String {
        self.change_alipay_certificate(AlipayCertificate::Renewed)
    }

    /// From now on replies are signed with a certificate of another authority, which bears the right one's name;
    /// answers its SN.
    pub fn use_foreign_alipay_certificate(&self) -> String {
        self.change_alipay_certificate(AlipayCertificate::Foreign)
    }

    /// What `my.getPhoneNumber` hands to a mini-program of this app for this user: the text of its `response` with
    /// signature and ciphertext. An app without an AES key gets the unsigned error that Alipay gives it. An unknown
    /// user is registered.
    ///
    /// # Panics
    /// The app is not registered.
    #[must_use]
    pub fn phone_number(&self, app_id: &str, user_id: &str) -> String {
        known(self.shared.world().phone_number(app_id, user_id))
    }

    /// What `my.getPhoneNumber` hands over when it fails in this way.
    ///
    /// # Panics
    /// The app is not registered, or has no AES key where the failure is an encrypted one.
    #[must_use]
    pub fn phone_number_failure(&self, app_id: &str, failure: PhoneNumberFailure) -> String {
        known(self.shared.world().phone_number_failure(app_id, failure))
    }

    /// Any other data that the front end gets encrypted: this JSON text, encrypted with the app's AES key and signed.
    ///
    /// # Panics
    /// The app is not registered or has no AES key.
    #[must_use]
    pub fn encrypted_data(&self, app_id: &str, json: &str) -> String {
        known(self.shared.world().encrypted_data(app_id, json))
    }

    /// Issues an authorisation code, as the mini-program's `my.getAuthCode` gets one, and answers it.
    #[must_use]
    pub fn issue_code(&self, app_id: &str, options: CodeOptions) -> String {
        self.shared.world().issue_code(app_id, &options)
    }

    /// From now on this user is the one who visits the page for users, `/oauth2/publicAppAuthorize.htm`, and the cashier; at first it is
    /// [`SimulatedUser::DEFAULT_USER_ID`]. An unknown user is registered.
    pub fn change_visitor(&self, user_id: &str) {
        self.shared.world().change_visitor(user_id);
    }

    /// The visits to the page for users, oldest first; the last 10 000 are kept, and [`clear_received`](Self::clear_received)
    /// forgets them too.
    #[must_use]
    pub fn page_visits(&self) -> Vec<PageVisit> {
        self.shared.world().received.page_visits()
    }

    /// Alipay moves the app from one kind of identifiers to another; what it answers about logins from now on has the new ones.
    ///
    /// # Panics
    /// The app is not registered.
    pub fn change_identifiers(&self, app_id: &str, identifiers: Identifiers) {
        known(self.shared.world().change_identifiers(app_id, identifiers));
    }

    /// Alipay approves an order to convert the ids of these users; its `order_id`. Unknown users are registered.
    #[must_use]
    pub fn approve_conversion(&self, app_id: &str, user_ids: &[&str]) -> String {
        self.shared.world().approve_conversion(app_id, user_ids)
    }

    /// The user withdraws their consent: every token of theirs for this app dies. Answers how many did.
    pub fn revoke(&self, app_id: &str, user_id: &str) -> usize {
        self.shared.world().grants.revoke(app_id, user_id)
    }

    /// The user takes no more template messages of this app: `MSG_UNSUBSCRIBED`.
    pub fn unsubscribe(&self, app_id: &str, user_id: &str) {
        self.shared
            .world()
            .unsubscribed
            .insert((app_id.to_owned(), user_id.to_owned()));
    }

    /// The template messages that were sent, oldest first.
    #[must_use]
    pub fn messages(&self) -> Vec<SentMessage> {
        self.shared.world().messages.clone()
    }

    /// The user subscribes to a message template, or changes their subscription. An unknown user is registered.
    ///
    /// Batches go to subscribers only. A single message goes to anybody who did not [`unsubscribe`](Self::unsubscribe);
    /// it uses up a subscription for one message.
    pub fn subscribe(
        &self,
        app_id: &str,
        user_id: &str,
        template_id: &str,
        subscription: Subscription,
    ) {
        self.shared
            .world()
            .subscribe(app_id, user_id, template_id, subscription);
    }

    /// Names a crowd that a batch of messages may be sent to, or changes it.
    pub fn add_crowd(&self, crowd_code: &str, user_ids: &[&str]) {
        let user_ids = user_ids.iter().map(|id| (*id).to_owned()).collect();
        self.shared
            .world()
            .subscriptions
            .add_crowd(crowd_code.to_owned(), user_ids);
    }

    /// The batches of messages that were accepted, oldest first.
    #[must_use]
    pub fn batches(&self) -> Vec<SentBatch> {
        self.shared.world().batches.clone()
    }

    /// From now on the content checks refuse every content with this text in it, be it a text or an address.
    /// `simulator-reject` always is such a text.
    pub fn forbid(&self, text: &str) {
        self.shared.world().content_rules.forbid(text.to_owned());
    }

    /// From now on the content checks doubt every content with this text in it: `review` and `WARNING`. The check
    /// `alipay.security.risk.content.detect` knows no doubt and lets it pass. `simulator-review` always is such a text.
    pub fn doubt(&self, text: &str) {
        self.shared.world().content_rules.doubt(text.to_owned());
    }

    /// A merchant authorises the ISV app for the merchant's own app; the `app_auth_code` that comes to the ISV's
    /// callback. A merchant's app that is not known is registered.
    #[must_use]
    pub fn authorize_merchant(&self, isv_app_id: &str, auth_app_id: &str) -> String {
        self.authorize_merchants(isv_app_id, &[auth_app_id])
    }

    /// The same for several apps at once: one code, exchanged for as many tokens.
    #[must_use]
    pub fn authorize_merchants(&self, isv_app_id: &str, auth_app_ids: &[&str]) -> String {
        self.shared
            .world()
            .authorize_merchants(isv_app_id, auth_app_ids)
    }

    /// The merchant takes it back: every app_auth_token of theirs for this ISV app dies. Answers how many did.
    pub fn cancel_merchant(&self, isv_app_id: &str, auth_app_id: &str) -> usize {
        self.shared.world().cancel_merchant(isv_app_id, auth_app_id)
    }

    /// Injects a fault. All faults in force that fit a call befall it together.
    pub fn inject(&self, fault: Fault) {
        self.shared.world().faults.add(fault);
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.shared.world().faults.clear();
    }

    /// The calls that the gateway received, oldest first; the last 10 000 are kept.
    #[must_use]
    pub fn received(&self) -> Vec<ReceivedCall> {
        self.shared.world().received.calls()
    }

    /// How many calls of this method the gateway received, whatever became of them.
    #[must_use]
    pub fn received_count(&self, method: &str) -> u64 {
        self.shared.world().received.count(method)
    }

    /// How many refreshes this app sent, of users' tokens and of merchants'. A merchant's that was encrypted is not counted.
    #[must_use]
    pub fn refreshes_of_app(&self, app_id: &str) -> RefreshCount {
        self.shared.world().received.refreshes().of_app(app_id)
    }

    /// How many refreshes were sent with this refresh token, of a user or of a merchant.
    #[must_use]
    pub fn refreshes_with(&self, refresh_token: &str) -> RefreshCount {
        self.shared
            .world()
            .received
            .refreshes()
            .with_token(refresh_token)
    }

    /// The refresh tokens of this user that could be refreshed now: one for each login that was neither withdrawn nor has
    /// ended. More than one of one login would be two lineages; that never happens.
    #[must_use]
    pub fn live_refresh_tokens(&self, app_id: &str, user_id: &str) -> Vec<String> {
        let world = self.shared.world();
        let now = world.clock.now();
        world.grants.live_refresh_tokens(app_id, user_id, now)
    }

    /// The refresh token of this merchant that is the newest, where it can be refreshed now. Those that it replaced work for 10
    /// minutes more and are not named.
    #[must_use]
    pub fn live_merchant_refresh_token(
        &self,
        isv_app_id: &str,
        auth_app_id: &str,
    ) -> Option<String> {
        let world = self.shared.world();
        let now = world.clock.now();
        world
            .merchants
            .live_refresh_token(isv_app_id, auth_app_id, now)
    }

    /// Forgets the received calls and all counts.
    pub fn clear_received(&self) {
        self.shared.world().received.clear();
    }

    /// How many requests followed an injected redirect.
    #[must_use]
    pub fn redirects_followed(&self) -> u64 {
        self.shared.world().redirects_followed
    }

    /// How many TCP connections were accepted so far.
    #[must_use]
    pub fn connections_accepted(&self) -> u64 {
        self.shared.connections.accepted()
    }

    /// Resets every open connection, as a gateway or a NAT does while a Lambda is frozen; answers how many there were.
    pub fn reset_connections(&self) -> usize {
        self.shared.connections.reset_all()
    }

    /// Moves the clock of codes, tokens, trades and notices on; what becomes due by that is done. Timestamps of requests are
    /// judged by the wall clock all the same.
    pub fn advance_clock(&self, by: Duration) {
        self.shared.world().advance_clock(by);
    }

    /// Stops: the port is free and every connection closed when this returns.
    pub fn stop(self) {
        drop(self);
    }
}

#[expect(
    clippy::panic,
    reason = "a test that names no such app has to know at once"
)]
fn known<T>(outcome: Result<T, &'static str>) -> T {
    match outcome {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for Simulator {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Simulator")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
