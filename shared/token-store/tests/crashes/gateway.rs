//! A gateway with Alipay's rules, which remembers who was given which pair.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use token_store::{Clock, Grant, RefreshFailure, Refresher, TokenKind, WallTime};

use crate::bench::ManualClock;
use crate::points::point;

pub const ACCESS_LIFE: Duration = Duration::from_secs(15 * 24 * 3600);
const REFRESH_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long a merchant's old refresh token works beside the new one.
const GRACE: Duration = Duration::from_secs(600);

/// Whoever asks: a worker or a login, by its number in the schedule.
pub type Holder = usize;

/// Nobody: the answer was lost on its way.
pub const NOBODY: Holder = usize::MAX;

struct Issued {
    number: usize,
    holder: Holder,
    spent_at: Option<WallTime>,
}

/// One request with one refresh token.
pub struct Call {
    pub refresh_token: String,
    pub at: WallTime,
    pub by: Holder,
}

struct Books {
    /// The pairs of the present grant, the newest last.
    pairs: Vec<Issued>,
    count: usize,
    refresh_ends: WallTime,
    /// Who logged in.
    granted_to: Holder,
    calls: Vec<Call>,
    /// The next answer is lost after the request was carried out.
    lose_next: bool,
}

/// One user or merchant at Alipay.
#[derive(Clone)]
pub struct Gateway {
    kind: TokenKind,
    clock: ManualClock,
    books: Arc<Mutex<Books>>,
}

impl Gateway {
    pub fn of(kind: TokenKind, clock: &ManualClock) -> Self {
        Self {
            kind,
            clock: clock.clone(),
            books: Arc::new(Mutex::new(Books {
                pairs: Vec::new(),
                count: 0,
                refresh_ends: clock.now(),
                granted_to: NOBODY,
                calls: Vec::new(),
                lose_next: false,
            })),
        }
    }

    /// The user agrees: whatever was granted before is over.
    pub fn log_in(&self, holder: Holder) -> Grant {
        let mut books = self.books.lock().unwrap();
        books.pairs.clear();
        books.refresh_ends = self.clock.now().plus(REFRESH_LIFE);
        books.granted_to = holder;
        self.issue(&mut books, holder)
    }

    /// What `holder` calls.
    pub fn line_of(&self, holder: Holder) -> Line {
        Line {
            gateway: self.clone(),
            holder,
        }
    }

    /// Whether the next answer is lost after its request was carried out.
    pub fn lose_next_answer(&self, lose: bool) {
        self.books.lock().unwrap().lose_next = lose;
    }

    /// The access token that is good now, and who was given it.
    pub fn live(&self) -> (String, Holder) {
        let books = self.books.lock().unwrap();
        let newest = books.pairs.last().unwrap();
        (access_token(newest.number), newest.holder)
    }

    /// Whether a call with this access token is accepted. A merchant's older ones are, as long as the grant lasts.
    pub fn accepts(&self, token: &str) -> bool {
        let books = self.books.lock().unwrap();
        let mut accepted = books.pairs.iter().rev();
        match self.kind {
            TokenKind::User => accepted
                .next()
                .is_some_and(|pair| access_token(pair.number) == token),
            TokenKind::Isv => accepted.any(|pair| access_token(pair.number) == token),
        }
    }

    /// Whose login the present grant is.
    pub fn granted_to(&self) -> Holder {
        self.books.lock().unwrap().granted_to
    }

    pub fn calls(&self) -> usize {
        self.books.lock().unwrap().calls.len()
    }

    /// What `look` makes of the calls so far.
    pub fn with_calls<T>(&self, look: impl FnOnce(&[Call]) -> T) -> T {
        look(&self.books.lock().unwrap().calls)
    }

    /// Carries out one request. `None`: the answer is lost.
    pub fn exchange(
        &self,
        refresh_token: &str,
        by: Holder,
    ) -> Option<Result<Grant, RefreshFailure>> {
        let now = self.clock.now();
        let mut books = self.books.lock().unwrap();
        books.calls.push(Call {
            refresh_token: refresh_token.to_owned(),
            at: now,
            by,
        });
        let lost = std::mem::take(&mut books.lose_next);
        let newest = books.pairs.last().map(|pair| pair.number);
        let known = books
            .pairs
            .iter_mut()
            .find(|pair| self::refresh_token(pair.number) == refresh_token);
        let answer = match (known, self.kind) {
            (None, _) => Err(RefreshFailure::Refused),
            (Some(pair), TokenKind::User) if pair.spent_at.is_some() => {
                Err(RefreshFailure::Refused)
            }
            (Some(pair), _) if pair.spent_at.is_some_and(|spent| spent.plus(GRACE) < now) => Err(
                RefreshFailure::Superseded(self::refresh_token(newest.unwrap()).into()),
            ),
            (Some(pair), _) => {
                pair.spent_at.get_or_insert(now);
                Ok(self.issue(&mut books, if lost { NOBODY } else { by }))
            }
        };
        (!lost).then_some(answer)
    }

    fn issue(&self, books: &mut Books, holder: Holder) -> Grant {
        books.count += 1;
        let number = books.count;
        books.pairs.push(Issued {
            number,
            holder,
            spent_at: None,
        });
        Grant {
            access_token: access_token(number).into(),
            refresh_token: Some(refresh_token(number).into()),
            expires_at: self.clock.now().plus(ACCESS_LIFE),
            refresh_expires_at: Some(books.refresh_ends),
        }
    }
}

fn access_token(number: usize) -> String {
    format!("access-{number}")
}

fn refresh_token(number: usize) -> String {
    format!("refresh-{number}")
}

/// The way of one caller to the gateway.
#[derive(Clone)]
pub struct Line {
    gateway: Gateway,
    holder: Holder,
}

impl Refresher for Line {
    async fn refresh(&self, refresh_token: &SecretString) -> Result<Grant, RefreshFailure> {
        point("gateway-before").await;
        let answer = self
            .gateway
            .exchange(refresh_token.expose_secret(), self.holder);
        point("gateway-after").await;
        answer.unwrap_or(Err(RefreshFailure::Transient("the connection was closed")))
    }
}
