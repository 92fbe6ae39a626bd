//! Random schedules of writers, sweepers and deaths over one row. Ten thousand run against a model of the row, step by step; some against the
//! table, which also shows that the model is one.
//!
//! What must hold in the end: every event that was recorded got out, and one that got out several times did so because each of its
//! holders but one died or took longer than its time.
//! And at every moment: nobody takes an event over before its holder's time, and a row with events is in the index.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use futures_util::FutureExt;
use payments::{Due, Order, Outbox, Unpublished};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::bench::{Bench, after, pending, refunded, text};

const WRITERS: usize = 4;
const SWEEPERS: usize = 2;

/// In seconds, as the outbox has them.
const GRACE: u64 = 30;
const CLAIM: u64 = 60;

/// What can be done with the row of an order. Times are in seconds.
trait Row {
    /// Where the row was found in the index.
    type Seen: Clone;
    /// Events to publish.
    type Held: Clone;

    /// Event `number` is recorded.
    async fn record(&mut self, number: usize, now: u64) -> Self::Held;
    async fn due(&mut self, now: u64) -> Option<Self::Seen>;
    async fn claim(&mut self, seen: &Self::Seen, now: u64) -> Option<Self::Held>;
    /// A step of the report, the first being 0. Whether it was the last.
    async fn report(&mut self, held: &Self::Held, step: usize) -> bool;
    fn numbers(held: &Self::Held) -> BTreeSet<usize>;
    /// What is not published, and when others may take it over.
    async fn state(&mut self) -> (BTreeSet<usize>, Option<u64>);
}

/// The row as a model: each step is one write.
#[derive(Default)]
struct Model {
    pending: BTreeSet<usize>,
    publish_at: Option<u64>,
}

impl Row for Model {
    type Seen = u64;
    type Held = BTreeSet<usize>;

    async fn record(&mut self, number: usize, now: u64) -> Self::Held {
        self.pending.insert(number);
        self.publish_at.get_or_insert(now + GRACE);
        BTreeSet::from([number])
    }

    async fn due(&mut self, now: u64) -> Option<u64> {
        self.publish_at.filter(|at| *at <= now)
    }

    async fn claim(&mut self, seen: &u64, now: u64) -> Option<Self::Held> {
        if self.publish_at != Some(*seen) {
            return None;
        }
        self.publish_at = Some(now + CLAIM);
        if self.pending.is_empty() {
            self.publish_at = None;
            return None;
        }
        Some(self.pending.clone())
    }

    async fn report(&mut self, held: &Self::Held, step: usize) -> bool {
        match step {
            0 if self.pending == *held => {
                self.pending.clear();
                self.publish_at = None;
                true
            }
            0 => false,
            1 => {
                self.pending.retain(|number| !held.contains(number));
                !self.pending.is_empty()
            }
            _ => {
                if self.pending.is_empty() {
                    self.publish_at = None;
                }
                true
            }
        }
    }

    fn numbers(held: &Self::Held) -> BTreeSet<usize> {
        held.clone()
    }

    async fn state(&mut self) -> (BTreeSet<usize>, Option<u64>) {
        (self.pending.clone(), self.publish_at)
    }
}

/// The row of an order in the table.
struct Stored<'a> {
    bench: &'a Bench,
    outbox: Outbox,
    order: Order,
}

impl Row for Stored<'_> {
    type Seen = Due;
    type Held = Unpublished;

    async fn record(&mut self, number: usize, now: u64) -> Unpublished {
        let finding = refunded(&number.to_string(), "0.01");
        let recorded = self.bench.record(&self.order, &finding, after(now)).await;
        recorded.unpublished.unwrap()
    }

    async fn due(&mut self, now: u64) -> Option<Due> {
        let mut due = self.outbox.due(after(now), 25).await.unwrap();
        due.pop()
    }

    async fn claim(&mut self, seen: &Due, now: u64) -> Option<Unpublished> {
        self.outbox.claim(seen, after(now)).await.unwrap()
    }

    async fn report(&mut self, held: &Unpublished, _: usize) -> bool {
        self.outbox.published(held).await.unwrap();
        true
    }

    fn numbers(held: &Unpublished) -> BTreeSet<usize> {
        let ids = held.events.iter().map(|event| event.id.as_str());
        ids.map(number_of).collect()
    }

    async fn state(&mut self) -> (BTreeSet<usize>, Option<u64>) {
        let row = self.bench.row(self.order.out_trade_no.as_str()).await;
        let at = text(&row, "publish_at").parse::<u64>().ok();
        let at = at.map(|at| (at - after(0).as_millis()) / 1000);
        (pending(&row).iter().map(|id| number_of(id)).collect(), at)
    }
}

fn number_of(event_id: &str) -> usize {
    event_id.rsplit_once('/').unwrap().1.parse().unwrap()
}

/// Somebody's life: a writer records and a sweeper looks and claims; then both publish and report.
enum Life<R: Row> {
    Writer(usize),
    Sweeper,
    Looked(R::Seen),
    Holding(usize, R::Held),
    Reporting(usize, R::Held, usize),
    Ended,
}

/// Who was to publish some events, and until when.
struct Holder {
    numbers: BTreeSet<usize>,
    until: u64,
    published: bool,
    /// When its report had been carried out.
    reported_at: Option<u64>,
}

/// Who goes on, how many seconds later, and whether that is its death.
type Step = (usize, u64, bool);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pause = prop_oneof![6 => 0..2_u64, 2 => 10..32_u64, 1 => 55..65_u64];
    let dies = prop_oneof![15 => Just(false), 1 => Just(true)];
    vec((0..WRITERS + SWEEPERS, pause, dies), 10..60)
}

/// Runs a schedule and then sweepers that do not die. How often each event got out.
async fn run<R: Row>(mut row: R, steps: &[Step]) -> Result<BTreeMap<usize, usize>, TestCaseError> {
    let mut lives: Vec<Life<R>> = (0..WRITERS).map(Life::Writer).collect();
    lives.extend((0..SWEEPERS).map(|_| Life::Sweeper));
    let mut holders: Vec<Holder> = Vec::new();
    let mut recorded = BTreeSet::new();
    let mut now = 0;
    for (who, pause, dies) in steps {
        now += pause;
        let life = std::mem::replace(&mut lives[*who], Life::Ended);
        // A death is one before the step, which then does not take place. One after it is one before the next.
        if !dies {
            lives[*who] = go_on(&mut row, life, now, &mut holders, &mut recorded).await;
        } else if *who >= WRITERS {
            lives[*who] = Life::Sweeper;
        }
        let (pending, at) = row.state().await;
        prop_assert!(
            pending.is_empty() || at.is_some(),
            "an event that nobody finds"
        );
    }
    for _ in 0..WRITERS + 1 {
        now += CLAIM + 1;
        let mut life = Life::Sweeper;
        loop {
            life = go_on(&mut row, life, now, &mut holders, &mut recorded).await;
            if matches!(life, Life::Sweeper | Life::Ended) {
                break;
            }
        }
    }
    prop_assert_eq!(row.state().await, (BTreeSet::new(), None));
    let mut counts = BTreeMap::new();
    for number in recorded {
        let held = || {
            holders
                .iter()
                .filter(|holder| holder.numbers.contains(&number))
        };
        let times = held().filter(|holder| holder.published).count();
        prop_assert!(times > 0, "event {number} was lost");
        // Whoever was in time was the only one.
        let in_time =
            held().filter(|holder| holder.reported_at.is_some_and(|at| at < holder.until));
        prop_assert!(
            in_time.count() <= 1,
            "event {number} got out twice for no reason"
        );
        let late = held().filter(|holder| holder.reported_at.is_none_or(|at| at >= holder.until));
        prop_assert!(times <= late.count() + 1);
        counts.insert(number, times);
    }
    Ok(counts)
}

async fn go_on<R: Row>(
    row: &mut R,
    life: Life<R>,
    now: u64,
    holders: &mut Vec<Holder>,
    recorded: &mut BTreeSet<usize>,
) -> Life<R> {
    match life {
        Life::Writer(number) => {
            let held = row.record(number, now).await;
            recorded.insert(number);
            Life::Holding(hold(row, &held, now, holders).await, held)
        }
        Life::Sweeper => match row.due(now).await {
            Some(seen) => Life::Looked(seen),
            None => Life::Sweeper,
        },
        Life::Looked(seen) => match row.claim(&seen, now).await {
            Some(held) => Life::Holding(hold(row, &held, now, holders).await, held),
            None => Life::Sweeper,
        },
        Life::Holding(holder, held) => {
            holders[holder].published = true;
            Life::Reporting(holder, held, 0)
        }
        Life::Reporting(holder, held, step) => {
            let is_last = row.report(&held, step).await;
            if is_last || step > 0 {
                holders[holder].reported_at.get_or_insert(now);
            }
            match is_last {
                true => Life::Sweeper,
                false => Life::Reporting(holder, held, step + 1),
            }
        }
        Life::Ended => Life::Ended,
    }
}

async fn hold<R: Row>(row: &mut R, held: &R::Held, now: u64, holders: &mut Vec<Holder>) -> usize {
    let numbers = R::numbers(held);
    let overtaken = holders
        .iter()
        .filter(|holder| !holder.numbers.is_disjoint(&numbers));
    for holder in overtaken {
        assert!(holder.until <= now, "taken over before its holder's time");
    }
    holders.push(Holder {
        numbers,
        until: row.state().await.1.unwrap(),
        published: false,
        reported_at: None,
    });
    holders.len() - 1
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whoever_dies_no_event_is_lost_or_published_twice_without_a_reason(steps in steps()) {
        run(Model::default(), &steps).now_or_never().unwrap()?;
    }
}

/// The model's report in one go, as the table's is here.
struct InOneGo(Model);

impl Row for InOneGo {
    type Seen = u64;
    type Held = BTreeSet<usize>;

    async fn record(&mut self, number: usize, now: u64) -> Self::Held {
        self.0.record(number, now).await
    }

    async fn due(&mut self, now: u64) -> Option<u64> {
        self.0.due(now).await
    }

    async fn claim(&mut self, seen: &u64, now: u64) -> Option<Self::Held> {
        self.0.claim(seen, now).await
    }

    async fn report(&mut self, held: &Self::Held, _: usize) -> bool {
        for step in 0..3 {
            if self.0.report(held, step).await {
                break;
            }
        }
        true
    }

    fn numbers(held: &Self::Held) -> BTreeSet<usize> {
        held.clone()
    }

    async fn state(&mut self) -> (BTreeSet<usize>, Option<u64>) {
        self.0.state().await
    }
}

#[test]
fn the_table_does_as_the_model() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let bench = runtime.block_on(Bench::new());
    let config = ProptestConfig {
        cases: 25,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let number = Cell::new(0);
    proptest!(config, |(steps in steps())| {
        number.set(number.get() + 1);
        let stored = async {
            let order = bench.placed(&format!("order_{}", number.get())).await;
            let outbox = bench.outbox();
            run(Stored { bench: &bench, outbox, order }, &steps).await
        };
        let stored = runtime.block_on(stored)?;
        let modelled = run(InOneGo(Model::default()), &steps).now_or_never().unwrap()?;
        prop_assert_eq!(stored, modelled);
    });
}
