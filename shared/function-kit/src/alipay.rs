use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use alipay_gateway::{
    App, Call, Clock, Deadline, Gateway, GatewayError, Refusal, Reply, order_string,
};
use alipay_signing::SigningKey;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use crate::apps::{AppSettings, Apps};
use crate::event::{Caller, Door};
use crate::failure::with_causes;
use crate::findings::{Finding, Verdict, findings};
use crate::secrets::Location;
use crate::settings::{StartUpError, calls_have_less_cpu_than_init, setting};
use crate::{Failure, Outcome};

const CONFIG_FILE: &str = "ALIPAY_CONFIG_FILE";
const CONFIG_SECRET: &str = "ALIPAY_CONFIG_SECRET";
/// Switches `privateKey` in direct invokes on.
const CALLER_KEYS: &str = "ALIPAY_ALLOW_CALLER_KEYS";
/// A wrong key must not make every call read the secret again.
const RELOAD_PAUSE: Duration = Duration::from_secs(60);

/// The configured apps and the verified gateway.
#[derive(Clone)]
pub struct Alipay {
    gateway: Gateway,
    shared: Arc<Shared>,
}

struct Shared {
    apps: RwLock<Arc<Apps>>,
    /// Where the apps came from; `None` when they were given and cannot be read again.
    location: Option<Location>,
    /// Held while reading, so that calls refused at the same time wait for the one reading.
    last_reload: Mutex<Option<SystemTime>>,
    clock: Clock,
    allow_caller_keys: bool,
}

/// The app that a call is for.
#[derive(Clone)]
pub struct SelectedApp {
    settings: Arc<AppSettings>,
    /// The caller's own key, where the deployment allows one.
    own_key: Option<App>,
    /// The caller's `needEncrypt`; without one the app's own setting holds.
    need_encrypt: Option<bool>,
}

/// What an input says about the app: which one it is, and how it is spoken for.
#[derive(Default)]
pub(crate) struct Choice<'a> {
    pub app_id: Option<&'a str>,
    pub private_key: Option<&'a SecretString>,
    pub need_encrypt: Option<bool>,
}

impl SelectedApp {
    /// The app id.
    pub fn id(&self) -> &str {
        &self.settings.app.app_id
    }

    /// The app's settings.
    pub fn settings(&self) -> &AppSettings {
        &self.settings
    }

    /// The same app without the caller's `needEncrypt`: for calls that are not what the caller asked for, such as the refresh of
    /// a stored token on the way to it.
    #[must_use]
    pub fn for_upkeep(&self) -> Self {
        Self {
            need_encrypt: None,
            ..self.clone()
        }
    }

    /// The app as it signs: with the caller's own key, where the deployment allows one, else with the configured one.
    pub fn gateway_app(&self) -> &App {
        self.own_key.as_ref().unwrap_or(&self.settings.app)
    }

    /// `call`, marked as encrypted where that is wished. The app's default is for calls that have something to encrypt; a wish of
    /// the caller's own is never dropped in silence.
    fn with_encryption<'a>(
        &self,
        settings: &AppSettings,
        call: &'a Call,
    ) -> Result<Cow<'a, Call>, GatewayError> {
        let can_be_encrypted = call.can_be_encrypted(settings.app.protocol);
        if self.need_encrypt == Some(true) && !can_be_encrypted {
            return Err(GatewayError::Unbuildable {
                reason: "needEncrypt was asked for, and this method has no contents that could be encrypted; leave needEncrypt out",
            });
        }
        // A method that has to be encrypted stays so, whatever the caller says.
        let encrypted = call.encrypted
            || self
                .need_encrypt
                .unwrap_or(settings.need_encrypt && can_be_encrypted);
        if encrypted == call.encrypted {
            return Ok(Cow::Borrowed(call));
        }
        Ok(Cow::Owned(Call {
            encrypted,
            ..call.clone()
        }))
    }
}

impl fmt::Debug for SelectedApp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("SelectedApp")
            .field(&self.id())
            .finish()
    }
}

impl fmt::Debug for Alipay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Alipay").finish_non_exhaustive()
    }
}

impl Alipay {
    /// For apps that are already at hand: the development server and tests. `allow_caller_keys` lets direct invokes bring their
    /// own `privateKey`.
    pub fn new(gateway: Gateway, apps: Apps, clock: Clock, allow_caller_keys: bool) -> Self {
        Self::with(gateway, apps, clock, None, allow_caller_keys)
    }

    /// The apps of a local document, which is read again when a key changes.
    ///
    /// # Errors
    /// Names the field that is wrong.
    pub async fn from_file(
        gateway: Gateway,
        file: PathBuf,
        clock: Clock,
    ) -> Result<Self, StartUpError> {
        let location = Location::File(file);
        let apps = load(&location).await?;
        log_findings(&apps, clock());
        Ok(Self::with(gateway, apps, clock, Some(location), false))
    }

    fn with(
        gateway: Gateway,
        apps: Apps,
        clock: Clock,
        location: Option<Location>,
        allow_caller_keys: bool,
    ) -> Self {
        let shared = Shared {
            apps: RwLock::new(Arc::new(apps)),
            location,
            last_reload: Mutex::new(None),
            clock,
            allow_caller_keys,
        };
        Self {
            gateway,
            shared: Arc::new(shared),
        }
    }

    /// From the environment: `ALIPAY_CONFIG_FILE` or `ALIPAY_CONFIG_SECRET`. The keys are parsed and a connection to the default
    /// app's gateway is opened, so that the first call need not.
    ///
    /// # Errors
    /// Names the setting or the field that is wrong.
    pub async fn from_environment() -> Result<Self, StartUpError> {
        let clock: Clock = Arc::new(SystemTime::now);
        let gateway = Gateway::new(clock.clone())?;
        let location = Location::from_settings(CONFIG_FILE, CONFIG_SECRET)?;
        let apps = load(&location).await?;
        log_findings(&apps, clock());
        if let Some(default) = apps.get(None) {
            // The key gets ready while the connection waits for the gateway.
            tokio::join!(gateway.open_connection(&default.app.gateway), async {
                if calls_have_less_cpu_than_init() {
                    default.app.signing_key.warm_up();
                }
            });
        }
        let allow_caller_keys = setting(CALLER_KEYS).as_deref() == Some("true");
        Ok(Self::with(
            gateway,
            apps,
            clock,
            Some(location),
            allow_caller_keys,
        ))
    }

    /// The app that an input's `appid`, `privateKey` and `needEncrypt` choose.
    pub(crate) fn select(&self, choice: &Choice<'_>, door: Door) -> Result<SelectedApp, Failure> {
        if choice.private_key.is_some() && (door == Door::Http || !self.shared.allow_caller_keys) {
            return Err(Failure::forbidden(match door {
                Door::Http => "privateKey: never accepted over HTTP; keys stay on the server",
                Door::Direct => {
                    "privateKey: not accepted by this deployment; configure the app, or set ALIPAY_ALLOW_CALLER_KEYS=true"
                }
            }));
        }
        let settings = self.settings_of(choice.app_id)?;
        let own_key = choice
            .private_key
            .map(|text| with_own_key(&settings.app, text))
            .transpose()?;
        if choice.need_encrypt == Some(false) && settings.need_encrypt && door == Door::Http {
            return Err(Failure::forbidden(
                "needEncrypt: this app's calls are encrypted, and over HTTP nobody switches that off; leave needEncrypt out",
            ));
        }
        if choice.need_encrypt == Some(true) && settings.app.content_key.is_none() {
            return Err(Failure::invalid(
                "needEncrypt",
                "this app has no AES key; set its aesKey in the document of apps (接口内容加密方式 in Alipay's console), or leave needEncrypt out",
            ));
        }
        Ok(SelectedApp {
            settings,
            own_key,
            need_encrypt: choice.need_encrypt,
        })
    }

    /// Makes one verified call for `app`.
    ///
    /// Its contents are encrypted if the caller's `needEncrypt` says so, else if the app's does.
    ///
    /// When the gateway says that the signature, a certificate's serial number or the encryption is wrong, the configuration is
    /// read again, at most once a minute; if it did change in that, the call is made once more. The gateway executes no such call.
    /// (Such a refusal may be unsigned. Somebody who can forge replies inside TLS could have a call repeated in the minute in which
    /// the configuration was changed.) A reply that cannot be verified has the configuration read again too, for the next call.
    ///
    /// # Errors
    /// As [`Gateway::call`]; [`GatewayError::Unbuildable`] when the caller wishes a call encrypted that has no contents.
    pub async fn call(
        &self,
        app: &SelectedApp,
        call: &Call,
        deadline: Deadline,
    ) -> Result<Reply, GatewayError> {
        let marked = app.with_encryption(&app.settings, call)?;
        let result = self
            .gateway
            .call(app.gateway_app(), &marked, deadline)
            .await;
        match &result {
            Err(GatewayError::Refused(refusal))
                if names_an_old_setting(refusal) && app.own_key.is_none() =>
            {
                match self.changed_app(app).await {
                    Some(changed) => {
                        let marked = app.with_encryption(&changed, call)?;
                        self.gateway.call(&changed.app, &marked, deadline).await
                    }
                    None => result,
                }
            }
            Err(GatewayError::Unverified { .. }) => {
                self.reload_at_most_once_a_minute().await;
                result
            }
            _ => result,
        }
    }

    /// The order string of `call` for `app`, signed now: what a native app hands to the Alipay client. Encrypted as a call would be,
    /// and always in protocol V2.
    ///
    /// # Errors
    /// As [`order_string`]; [`GatewayError::Unbuildable`] when the caller wishes contents encrypted that there are not.
    pub fn order_string(&self, app: &SelectedApp, call: &Call) -> Result<String, GatewayError> {
        let marked = app.with_encryption(&app.settings, call)?;
        order_string(app.gateway_app(), &marked, self.now())
    }

    /// `app` with settings that were read just now, where they are not those it was selected with: for a function that found
    /// something that its keys do not fit. Reads at most once a minute.
    pub async fn read_again(&self, app: &SelectedApp) -> Option<SelectedApp> {
        self.reload_at_most_once_a_minute().await;
        let settings = self.apps().get(Some(app.id())).cloned()?;
        (!Arc::ptr_eq(&settings, &app.settings)).then(|| SelectedApp {
            settings,
            ..app.clone()
        })
    }

    /// Makes one verified call for the app of `caller`, inside its deadline.
    ///
    /// # Errors
    /// As [`Alipay::call`], as the caller reads them.
    pub async fn answer_to(&self, caller: &Caller, call: &Call) -> Result<Reply, Failure> {
        self.call(&caller.app, call, caller.deadline)
            .await
            .map_err(|error| Failure::of_call(error, call))
    }

    /// The configured app of this id, or the default one: for a function that finds the app elsewhere than in a caller's `appid`.
    /// Its calls are encrypted where the app's settings say so.
    ///
    /// # Errors
    /// `unknown_app` where no such app is configured.
    pub fn app(&self, app_id: Option<&str>) -> Result<SelectedApp, Failure> {
        let settings = self.settings_of(app_id)?;
        Ok(SelectedApp {
            settings,
            own_key: None,
            need_encrypt: None,
        })
    }

    /// The app of this id, for calls that nobody asked for, such as the scheduled refresh of a stored token; `None` where it is
    /// not configured.
    pub fn app_for_upkeep(&self, app_id: &str) -> Option<SelectedApp> {
        self.app(Some(app_id)).ok()
    }

    fn settings_of(&self, app_id: Option<&str>) -> Result<Arc<AppSettings>, Failure> {
        self.apps()
            .get(app_id)
            .cloned()
            .ok_or_else(|| Failure::new(Outcome::UnknownApp))
    }

    /// The configured app ids, the default one first.
    pub fn app_ids(&self) -> Vec<String> {
        let apps = self.apps();
        let ids = apps.in_order().into_iter().map(|app| &app.app.app_id);
        ids.cloned().collect()
    }

    /// The wall-clock time.
    pub fn now(&self) -> SystemTime {
        (self.shared.clock)()
    }

    fn apps(&self) -> Arc<Apps> {
        self.shared
            .apps
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The settings of `app` from a fresh reading, if they make another signature.
    async fn changed_app(&self, app: &SelectedApp) -> Option<Arc<AppSettings>> {
        self.reload_at_most_once_a_minute().await;
        let fresh = self.apps().get(Some(app.id())).cloned()?;
        (!sign_alike(&fresh.app, &app.settings.app)).then_some(fresh)
    }

    async fn reload_at_most_once_a_minute(&self) {
        let Some(location) = &self.shared.location else {
            return;
        };
        let mut last_reload = self.shared.last_reload.lock().await;
        let now = self.now();
        let too_soon = last_reload.is_some_and(|last| {
            now.duration_since(last)
                .is_ok_and(|since| since < RELOAD_PAUSE)
        });
        if too_soon {
            return;
        }
        *last_reload = Some(now);
        match load(location).await {
            Ok(apps) => {
                log_findings(&apps, now);
                *self
                    .shared
                    .apps
                    .write()
                    .unwrap_or_else(PoisonError::into_inner) = Arc::new(apps);
                tracing::warn!(
                    "something did not fit the configured keys; the document of apps was read again"
                );
            }
            Err(error) => {
                let error = with_causes(&error);
                tracing::error!(
                    error,
                    "the document of apps could not be read again; the loaded one stays"
                );
            }
        }
    }
}

/// `app` with the key that a caller brings.
fn with_own_key(app: &App, text: &SecretString) -> Result<App, Failure> {
    if app.certificates.is_some() {
        return Err(Failure::invalid(
            "privateKey",
            "this app is in certificate mode, and its certificate belongs to the configured key; leave privateKey out",
        ));
    }
    SigningKey::from_text(text.expose_secret())
        .map(|signing_key| App {
            signing_key,
            ..app.clone()
        })
        .map_err(|error| Failure::invalid("privateKey", error.to_string()))
}

/// Whether the gateway refused how the call was signed or encrypted, and so did not execute it.
fn names_an_old_setting(refusal: &Refusal) -> bool {
    let sub_code = refusal.sub_code.as_deref().unwrap_or_default();
    refusal.is_wrong_signature()
        || sub_code.contains("-cert-")
        || sub_code.starts_with("isv.decryption-error")
}

/// Whether the gateway would read requests of both alike.
fn sign_alike(one: &App, other: &App) -> bool {
    let serial_numbers = |app: &App| {
        app.certificates.as_ref().map(|certificates| {
            (
                certificates.app_serial_number.clone(),
                certificates.roots.serial_numbers().to_owned(),
            )
        })
    };
    one.signing_key.verifying_key() == other.signing_key.verifying_key()
        && serial_numbers(one) == serial_numbers(other)
        && one.content_key == other.content_key
        && one.sign_type == other.sign_type
        && one.protocol == other.protocol
        && one.gateway == other.gateway
}

/// What is wrong or will soon be, once for each reading of the document. Nothing of it ends the process: the other apps go on.
fn log_findings(apps: &Apps, now: SystemTime) {
    for Finding {
        app_id,
        field,
        verdict,
        what,
        mend,
    } in findings(apps, now)
    {
        let mend = mend.unwrap_or_default();
        match verdict {
            Verdict::Right => {}
            Verdict::Doubtful => {
                tracing::warn!(appid = app_id, field, what, mend, "look at this setting");
            }
            Verdict::Wrong => {
                tracing::error!(appid = app_id, field, what, mend, "this setting is wrong");
            }
        }
    }
}

async fn load(location: &Location) -> Result<Apps, StartUpError> {
    let document = location.read(CONFIG_FILE, CONFIG_SECRET).await?;
    Ok(Apps::from_document(
        &document.text,
        document.folder.as_deref(),
    )?)
}
