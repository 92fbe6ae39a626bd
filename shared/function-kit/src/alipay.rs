use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use alipay_gateway::{App, Call, Clock, Deadline, Gateway, GatewayError, Reply};
use alipay_signing::SigningKey;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use crate::apps::{AppSettings, Apps};
use crate::event::Door;
use crate::failure::with_causes;
use crate::secrets::Location;
use crate::settings::{StartUpError, setting};
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

    fn gateway_app(&self) -> &App {
        self.own_key.as_ref().unwrap_or(&self.settings.app)
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
        if let Some(default) = apps.get(None) {
            gateway.open_connection(&default.app.gateway).await;
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

    /// The app that an input's `appid` and `privateKey` choose.
    pub(crate) fn select(
        &self,
        app_id: Option<&str>,
        private_key: Option<&SecretString>,
        door: Door,
    ) -> Result<SelectedApp, Failure> {
        if private_key.is_some() && (door == Door::Http || !self.shared.allow_caller_keys) {
            return Err(Failure::forbidden(match door {
                Door::Http => "privateKey: never accepted over HTTP; keys stay on the server",
                Door::Direct => {
                    "privateKey: not accepted by this deployment; configure the app, or set ALIPAY_ALLOW_CALLER_KEYS=true"
                }
            }));
        }
        let settings = self
            .apps()
            .get(app_id)
            .cloned()
            .ok_or_else(|| Failure::new(Outcome::UnknownApp))?;
        let own_key = private_key
            .map(|text| {
                SigningKey::from_text(text.expose_secret())
                    .map(|signing_key| App {
                        signing_key,
                        ..settings.app.clone()
                    })
                    .map_err(|error| Failure::invalid("privateKey", error.to_string()))
            })
            .transpose()?;
        Ok(SelectedApp { settings, own_key })
    }

    /// Makes one verified call for `app`.
    ///
    /// When the gateway says that the signature is wrong, the configuration is read again, at most once a minute; if the app's key
    /// did change, the call is made once more with it. That is safe for every call: a request with a wrong signature was not
    /// executed.
    ///
    /// # Errors
    /// As [`Gateway::call`].
    pub async fn call(
        &self,
        app: &SelectedApp,
        call: &Call,
        deadline: Deadline,
    ) -> Result<Reply, GatewayError> {
        let result = self.gateway.call(app.gateway_app(), call, deadline).await;
        match &result {
            Err(GatewayError::Refused(refusal))
                if refusal.is_wrong_signature() && app.own_key.is_none() =>
            {
                match self.changed_app(app).await {
                    Some(changed) => self.gateway.call(&changed.app, call, deadline).await,
                    None => result,
                }
            }
            _ => result,
        }
    }

    /// The configured app ids, the default one first.
    pub fn app_ids(&self) -> Vec<String> {
        let apps = self.apps();
        let default = apps.get(None).map(|app| app.app.app_id.clone());
        let mut others: Vec<_> = apps
            .ids()
            .filter(|id| Some(*id) != default.as_deref())
            .map(str::to_owned)
            .collect();
        others.sort_unstable();
        default.into_iter().chain(others).collect()
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

    /// The settings of `app` from a fresh reading, if they hold another key.
    async fn changed_app(&self, app: &SelectedApp) -> Option<Arc<AppSettings>> {
        self.reload_at_most_once_a_minute().await;
        let fresh = self.apps().get(Some(app.id())).cloned()?;
        let same =
            fresh.app.signing_key.verifying_key() == app.settings.app.signing_key.verifying_key();
        (!same).then_some(fresh)
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
                *self
                    .shared
                    .apps
                    .write()
                    .unwrap_or_else(PoisonError::into_inner) = Arc::new(apps);
                tracing::warn!(
                    "the gateway refused a signature; the document of apps was read again"
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

async fn load(location: &Location) -> Result<Apps, StartUpError> {
    let document = location.read(CONFIG_FILE, CONFIG_SECRET).await?;
    Ok(Apps::from_document(
        &document.text,
        document.folder.as_deref(),
    )?)
}
