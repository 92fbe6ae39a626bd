//! What a million calls cost on AWS.

use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::field::{Places, Who};
use crate::machine::Machine;
use crate::progress::Progress;
use crate::report::Section;
use crate::statistics::milliseconds;
use crate::table::Table;
use crate::{BenchError, Controller, Fixtures, Job, Process, Share, Stage, Summary, Transport};

/// List prices of us-east-1, in US dollars without taxes and free tiers: from AWS's price pages (Lambda, API Gateway, DynamoDB), as known
/// on [`PRICES_OF`]. To be checked before anybody counts on them.
pub const PRICES: Prices = Prices {
    gb_second_x86: 0.000_016_666_7,
    gb_second_arm: 0.000_013_333_4,
    lambda_request: 0.20,
    http_api_request: 1.00,
    dynamodb_write: 0.625,
    dynamodb_read: 0.125,
};

/// When the prices were noted.
pub const PRICES_OF: &str = "2026-11-22";

const MILLION: f64 = 1_000_000.0;

/// Prices in US dollars: of memory-time each, of all others a million.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Prices {
    /// Of a gigabyte for a second on x86.
    pub gb_second_x86: f64,
    /// Of a gigabyte for a second on arm64.
    pub gb_second_arm: f64,
    /// Of a million invocations.
    pub lambda_request: f64,
    /// Of a million requests to an HTTP API.
    pub http_api_request: f64,
    /// Of a million write units on demand.
    pub dynamodb_write: f64,
    /// Of a million read units on demand.
    pub dynamodb_read: f64,
}

/// What of DynamoDB one call uses.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TableUnits {
    /// Write units: one for each KB of a row and of its entry in an index, two in a transaction.
    pub writes: f64,
    /// Read units.
    pub reads: f64,
}

impl TableUnits {
    /// Of a call of `job` by `who`. Counted from what the functions send, not measured: the stub has no units.
    pub fn of(who: Who, job: Job) -> Self {
        let (writes, reads) = match (job, who) {
            (Job::GetMiniCode, _) => (0.0, 0.0),
            // Of a user who has logged in before. The claim; the alias of the account, read consistently, and the tokens' row, read
            // otherwise; then, in one transaction, the tokens' row (1 KB) and the claim's with the answer (2 KB). The tokens' entry in
            // the index of due rows moves: one unit to take it out, one to put it in.
            (Job::Code2Session, Who::Ours) => (1.0 + 2.0 + 4.0 + 2.0, 1.0 + 0.5),
            // The one row that a simple handler puts.
            (Job::Code2Session, _) => (1.0, 0.0),
        };
        Self { writes, reads }
    }
}

/// What was measured of one contestant at one size of memory. Milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Billed {
    /// The contestant.
    pub who: Who,
    /// The job.
    pub job: Job,
    /// Configured memory in MB: its share of a CPU was what it had after INIT.
    pub memory: u32,
    /// Each INIT, with a whole CPU.
    pub init_ms: Vec<f64>,
    /// Each first call, the gateway's wait included.
    pub first_call_ms: Vec<f64>,
    /// Each warm call, the gateway's wait included.
    pub warm_ms: Vec<f64>,
}

/// What the JSON file holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// What it was made with.
    pub machine: Machine,
    /// How long the gateway waited before each reply, in milliseconds.
    pub gateway_wait_ms: f64,
    /// Which part of the calls is taken to be cold starts.
    pub cold_part: f64,
    /// What was counted with.
    pub prices: Prices,
    /// The measured times.
    pub billed: Vec<Billed>,
    /// Why there are none.
    pub not_measured: Option<String>,
}

/// Dollars for a million calls.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dollars {
    /// Lambda's memory-time on x86.
    pub x86: f64,
    /// The same on arm64, with the time measured on x86.
    pub arm: f64,
    /// DynamoDB.
    pub table: f64,
}

impl Billed {
    /// Milliseconds that Lambda bills for a call on average: each invocation rounded up to a whole one, INIT included.
    pub fn mean_ms(&self, cold_part: f64) -> f64 {
        let rounded = |values: &[f64]| {
            let values: Vec<f64> = values.iter().map(|value| value.ceil()).collect();
            Summary::of(&values).map_or(0.0, |summary| summary.mean)
        };
        let cold: Vec<f64> = self
            .init_ms
            .iter()
            .zip(&self.first_call_ms)
            .map(|(init, call)| init + call)
            .collect();
        cold_part * rounded(&cold) + (1.0 - cold_part) * rounded(&self.warm_ms)
    }

    /// What a million calls cost.
    pub fn dollars(&self, cold_part: f64, prices: Prices) -> Dollars {
        let gb_seconds =
            self.mean_ms(cold_part) / 1000.0 * f64::from(self.memory) / 1024.0 * MILLION;
        let units = TableUnits::of(self.who, self.job);
        Dollars {
            x86: gb_seconds * prices.gb_second_x86,
            arm: gb_seconds * prices.gb_second_arm,
            table: units.writes * prices.dynamodb_write + units.reads * prices.dynamodb_read,
        }
    }
}

/// How often it is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeats {
    /// Starts of each contestant at each size.
    pub starts: usize,
    /// Warm calls of each.
    pub calls: usize,
}

impl Repeats {
    /// What `make bench` does.
    pub const FULL: Self = Self {
        starts: 5,
        calls: 50,
    };
    /// To see that everything works.
    pub const QUICK: Self = Self {
        starts: 1,
        calls: 2,
    };
}

/// Who at which memory, in MB: Node is run with 512 by most who run it.
const SIZES: [(Who, u32); 5] = [
    (Who::Ours, 128),
    (Who::Ours, 256),
    (Who::Node, 128),
    (Who::Node, 256),
    (Who::Node, 512),
];

/// Measures what is billed, with a gateway that waits for `gateway_wait`.
///
/// # Errors
/// A contestant that answers wrongly or is not there; the system's.
pub fn measure(
    places: &Places,
    who: &[Who],
    repeats: Repeats,
    gateway_wait: Duration,
    cold_part: f64,
    machine: Machine,
) -> Result<Cost, BenchError> {
    let mut cost = Cost {
        machine,
        gateway_wait_ms: gateway_wait.as_secs_f64() * 1000.0,
        cold_part,
        prices: PRICES,
        billed: Vec::new(),
        not_measured: None,
    };
    let controller = match Controller::find() {
        Ok(controller) => controller,
        Err(reason) => {
            cost.not_measured = Some(format!("no CPU quota here: {reason}"));
            return Ok(cost);
        }
    };
    let fixtures = Fixtures::make()?;
    let stage = Stage::set(&fixtures, Transport::Plain, gateway_wait)?;
    for job in Job::ALL {
        let mut entries = Vec::new();
        for (who, memory) in SIZES.into_iter().filter(|(known, _)| who.contains(known)) {
            if let Ok(contestant) = places.contestant(who, job, Transport::Plain)? {
                let billed = Billed {
                    who,
                    job,
                    memory,
                    init_ms: Vec::new(),
                    first_call_ms: Vec::new(),
                    warm_ms: Vec::new(),
                };
                entries.push((contestant, billed));
            }
        }
        let fault = |answer: &[u8]| job.fault(answer);
        let mut progress = Progress::of(
            format!("{job}, billed time"),
            repeats.starts + repeats.calls,
        );
        let mut living = Vec::new();
        for start in 0..repeats.starts {
            living.clear();
            for (contestant, billed) in &mut entries {
                let limit = (&controller, Share::of(billed.memory));
                let (process, cold) =
                    Process::cold_at(contestant, &stage, limit, &job.event(start), &fault)?;
                billed.init_ms.push(milliseconds(cold.init));
                billed.first_call_ms.push(milliseconds(cold.call));
                living.push(process);
            }
            progress.step();
        }
        for number in 0..repeats.calls {
            // Calls come now and then: each begins with a whole quota.
            thread::sleep(Share::of(128).period());
            for ((_, billed), process) in entries.iter_mut().zip(&mut living) {
                let answer = process.call(&job.event(1000 + number), &fault)?;
                billed.warm_ms.push(milliseconds(answer.took()));
            }
            progress.step();
        }
        cost.billed
            .extend(entries.into_iter().map(|(_, billed)| billed));
    }
    Ok(cost)
}

impl Cost {
    /// The prices as a table.
    pub fn section(&self) -> Section {
        let mut table = Table::new(&[
            "a million calls, US$",
            "MB",
            "INIT ms",
            "first call ms",
            "warm ms",
            "billed ms",
            "Lambda x86",
            "arm64",
            "requests",
            "DynamoDB",
            "all, x86",
            "all, arm64",
        ]);
        let mean = |values: &[f64]| {
            Summary::of(values).map_or_else(String::new, |summary| format!("{:.1}", summary.mean))
        };
        let requests = self.prices.lambda_request + self.prices.http_api_request;
        for billed in &self.billed {
            let dollars = billed.dollars(self.cold_part, self.prices);
            let fixed = requests + dollars.table;
            table.row([
                format!("{}, {}", billed.job, billed.who),
                billed.memory.to_string(),
                mean(&billed.init_ms),
                mean(&billed.first_call_ms),
                mean(&billed.warm_ms),
                format!("{:.1}", billed.mean_ms(self.cold_part)),
                format!("{:.2}", dollars.x86),
                format!("{:.2}", dollars.arm),
                format!("{requests:.2}"),
                format!("{:.2}", dollars.table),
                format!("{:.2}", fixed + dollars.x86),
                format!("{:.2}", fixed + dollars.arm),
            ]);
        }
        let mut notes = vec![format!(
            "The gateway waits {} ms before each reply; {} % of the calls are cold starts, whose INIT is billed; each invocation is rounded up \
             to a whole millisecond. INIT has a whole CPU, calls have the memory's share of one. arm64 is counted with the time measured on \
             {}. Requests are Lambda's and an HTTP API's. List prices of us-east-1 as known on {PRICES_OF}, to be checked at AWS.",
            self.gateway_wait_ms,
            self.cold_part * 100.0,
            std::env::consts::ARCH,
        )];
        if let Some(reason) = &self.not_measured {
            notes.push(format!("Not measured: {reason}."));
        }
        Section {
            title: "Cost".to_owned(),
            table,
            notes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn billed(who: Who, memory: u32) -> Billed {
        Billed {
            who,
            job: Job::Code2Session,
            memory,
            init_ms: vec![100.2, 99.2],
            first_call_ms: vec![200.0, 200.0],
            warm_ms: vec![60.5, 61.0],
        }
    }

    #[test]
    fn billed_time_is_rounded_up_call_by_call_and_has_its_part_of_cold_starts() {
        // Cold: 301 and 300 ms, on average 300.5; warm 61.
        let mean = billed(Who::Node, 128).mean_ms(0.01);
        assert!((mean - (0.01 * 300.5 + 0.99 * 61.0)).abs() < 1e-9, "{mean}");
    }

    #[test]
    fn a_million_calls_of_61_ms_with_512_mb() {
        // 0.061 s × 0.5 GB × 10⁶ = 30,500 GB-s.
        let dollars = billed(Who::Node, 512).dollars(0.0, PRICES);
        assert!((dollars.x86 - 30_500.0 * 0.000_016_666_7).abs() < 1e-9);
        assert!((dollars.arm - 30_500.0 * 0.000_013_333_4).abs() < 1e-9);
        assert!((dollars.table - 0.625).abs() < 1e-9);
    }

    #[test]
    fn our_login_writes_more_and_pays_for_it() {
        let ours = billed(Who::Ours, 128).dollars(0.0, PRICES);
        assert!((ours.table - (9.0 * 0.625 + 1.5 * 0.125)).abs() < 1e-9);
    }
}
