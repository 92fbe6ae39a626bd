//! The comparison: every contestant, both jobs, both transports, a whole CPU and a share of one, interleaved.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::field::{Places, Who};
use crate::machine::Machine;
use crate::process_figures::Memory;
use crate::progress::Progress;
use crate::statistics::milliseconds;
use crate::{BenchError, Contestant, Controller, Fixtures, Job, Process, Share, Stage, Transport};

/// What is measured, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Cold starts of each contestant.
    pub cold_runs: usize,
    /// Cold starts at a share; Python, which takes long, has a quarter of them.
    pub cold_runs_at_share: usize,
    /// Warm calls that count, after `unmeasured`.
    pub warm_calls: usize,
    /// Warm calls that go before.
    pub unmeasured: usize,
    /// Into how many blocks the warm calls of each are divided; the contestants take turns.
    pub blocks: usize,
    /// Calls at a share, of each kind, after the first one: nobody has been warmed up with a whole CPU.
    pub warm_calls_at_share: usize,
    /// The shares of a CPU.
    pub shares: Vec<Share>,
    /// Whether TLS is measured too.
    pub tls: bool,
}

impl Plan {
    /// What `make bench` does.
    pub fn full() -> Self {
        Self {
            cold_runs: 20,
            cold_runs_at_share: 20,
            warm_calls: 500,
            unmeasured: 50,
            blocks: 10,
            warm_calls_at_share: 60,
            shares: vec![
                Share::of(128),
                Share {
                    memory: 128,
                    period_ms: 20,
                },
            ],
            tls: true,
        }
    }

    /// To see that everything works; its figures mean little.
    pub fn quick() -> Self {
        Self {
            cold_runs: 2,
            cold_runs_at_share: 2,
            warm_calls: 20,
            unmeasured: 5,
            blocks: 2,
            warm_calls_at_share: 4,
            shares: vec![Share::of(128)],
            tls: true,
        }
    }
}

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// The job.
    pub job: Job,
    /// How gateway and table are reached.
    pub transport: Transport,
    /// The share of a CPU after INIT; `None`: a whole one.
    pub share: Option<Share>,
    /// The contestant.
    pub who: Who,
}

/// All figures of one contestant under one set of conditions. Times are in milliseconds; a list that is empty was not measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// From the start of the process to its first `next`, each cold run.
    pub init_ms: Vec<f64>,
    /// From the start of the process to its first answer, each cold run. With a share: INIT with a whole CPU, then the call with the share.
    pub first_reply_ms: Vec<f64>,
    /// From an event to its answer, each warm call, one right after the other.
    pub warm_ms: Vec<f64>,
    /// The same where each call begins with a whole period's quota: the process rested before. At a share only.
    pub rested_ms: Vec<f64>,
    /// CPU time of a warm call, the mean of each block.
    pub cpu_ms: Vec<f64>,
    /// Memory after the warm calls.
    pub memory: Option<Memory>,
    /// Requests to the gateway of a warm call.
    pub gateway_requests: Option<f64>,
    /// Requests to the table of a warm call.
    pub table_requests: Option<f64>,
    /// Why there are no figures.
    pub not_measured: Option<String>,
}

/// A row of the JSON file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What it is about.
    #[serde(flatten)]
    pub key: Key,
    /// What came out.
    #[serde(flatten)]
    pub figures: Figures,
}

/// A finished comparison: what the JSON file holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// What it was made with.
    pub machine: Machine,
    /// How it was made.
    pub plan: Plan,
    /// The figures.
    pub rows: Vec<Row>,
    /// Bytes of the zip that is deployed.
    pub zips: Vec<Zip>,
}

/// The size of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zip {
    /// Whose.
    pub who: Who,
    /// For which job.
    pub job: Job,
    /// In bytes.
    pub bytes: u64,
}

impl Comparison {
    /// The figures for `key`.
    pub fn figures(&self, key: Key) -> Option<&Figures> {
        let row = self.rows.iter().find(|row| row.key == key);
        row.map(|row| &row.figures)
    }

    /// The size of a package.
    pub fn zip(&self, who: Who, job: Job) -> Option<u64> {
        let zip = self
            .zips
            .iter()
            .find(|zip| zip.who == who && zip.job == job);
        zip.map(|zip| zip.bytes)
    }
}

/// The figures while they are being measured.
type Rows = BTreeMap<Key, Figures>;

/// Those who take part in one job over one transport.
struct Round<'a> {
    job: Job,
    transport: Transport,
    stage: &'a Stage,
    field: &'a [(Who, Contestant)],
}

/// Measures everything in `plan`.
///
/// # Errors
/// The first contestant that answers wrongly, ends or is silent; a binary that is not there; the system's.
pub fn compare(
    plan: Plan,
    who: &[Who],
    places: &Places,
    machine: Machine,
    zips: Vec<Zip>,
) -> Result<Comparison, BenchError> {
    let fixtures = Fixtures::make()?;
    let controller = Controller::find();
    let mut rows = Rows::new();
    let transports = if plan.tls {
        &Transport::ALL[..]
    } else {
        &Transport::ALL[..1]
    };
    for &transport in transports {
        let stage = Stage::set(&fixtures, transport, Duration::ZERO)?;
        for job in Job::ALL {
            let mut field = Vec::new();
            for &who in who {
                match places.contestant(who, job, transport)? {
                    Ok(contestant) => field.push((who, contestant)),
                    Err(reason) => {
                        let key = Key {
                            job,
                            transport,
                            share: None,
                            who,
                        };
                        rows.entry(key).or_default().not_measured = Some(reason);
                    }
                }
            }
            let round = Round {
                job,
                transport,
                stage: &stage,
                field: &field,
            };
            round.measure_colds(&plan, &mut rows)?;
            round.measure_warm(&plan, &mut rows)?;
            for (number, &share) in plan.shares.iter().enumerate() {
                // Over TLS the kernel's own period is enough: the handshakes are INIT's.
                if transport == Transport::Tls && number > 0 {
                    continue;
                }
                match &controller {
                    Ok(controller) => round.measure_at(controller, share, &plan, &mut rows)?,
                    Err(reason) => {
                        for (who, _) in &field {
                            let key = round.key(*who, Some(share));
                            rows.entry(key).or_default().not_measured =
                                Some(format!("no CPU quota here: {reason}"));
                        }
                    }
                }
            }
        }
    }
    let rows = rows
        .into_iter()
        .map(|(key, figures)| Row { key, figures })
        .collect();
    Ok(Comparison {
        machine,
        plan,
        rows,
        zips,
    })
}

/// At a share Python takes a third of a second for every call and longer for a start: it does a quarter of what the others do.
fn is_left_out(who: Who, number: usize) -> bool {
    who == Who::Python && !number.is_multiple_of(4)
}

impl Round<'_> {
    fn key(&self, who: Who, share: Option<Share>) -> Key {
        Key {
            job: self.job,
            transport: self.transport,
            share,
            who,
        }
    }

    fn title(&self, what: &str) -> String {
        format!("{what}, {} over {}", self.job, self.transport.name())
    }

    fn cold(
        &self,
        contestant: &Contestant,
        limit: Option<(&Controller, Share)>,
        number: usize,
    ) -> Result<(Process, crate::Cold), BenchError> {
        let event = self.job.event(number);
        let fault = |answer: &[u8]| self.job.fault(answer);
        match limit {
            None => Process::cold(contestant, self.stage, &event, &fault),
            Some(limit) => Process::cold_at(contestant, self.stage, limit, &event, &fault),
        }
    }

    /// Everybody once, unmeasured, so that all files are in the page cache; then in turns.
    fn measure_colds(&self, plan: &Plan, rows: &mut Rows) -> Result<(), BenchError> {
        let mut progress = Progress::of(self.title("cold starts"), plan.cold_runs + 1);
        for run in 0..=plan.cold_runs {
            for (who, contestant) in self.field {
                let (_process, cold) = self.cold(contestant, None, run)?;
                if run > 0 {
                    let figures = rows.entry(self.key(*who, None)).or_default();
                    figures.init_ms.push(milliseconds(cold.init));
                    figures
                        .first_reply_ms
                        .push(milliseconds(cold.first_reply()));
                }
            }
            progress.step();
        }
        Ok(())
    }

    /// All living at once, each called in blocks, in turns.
    fn measure_warm(&self, plan: &Plan, rows: &mut Rows) -> Result<(), BenchError> {
        let mut living = Vec::new();
        for (who, contestant) in self.field {
            let (mut process, _) = self.cold(contestant, None, 0)?;
            for number in 0..plan.unmeasured {
                self.call(&mut process, number)?;
            }
            living.push((*who, process));
        }
        let in_block = plan.warm_calls / plan.blocks;
        let mut progress = Progress::of(self.title("warm calls, blocks"), plan.blocks);
        for block in 0..plan.blocks {
            for (who, process) in &mut living {
                let figures = rows.entry(self.key(*who, None)).or_default();
                let numbers = (block * in_block..(block + 1) * in_block).collect();
                self.block(process, numbers, figures)?;
            }
            progress.step();
        }
        for (who, process) in &living {
            let figures = rows.entry(self.key(*who, None)).or_default();
            figures.memory = Some(process.memory()?);
        }
        Ok(())
    }

    /// A block of calls of one process: times, CPU time and round trips.
    fn block(
        &self,
        process: &mut Process,
        numbers: Vec<usize>,
        figures: &mut Figures,
    ) -> Result<(), BenchError> {
        if numbers.is_empty() {
            return Ok(());
        }
        let count = numbers.len() as f64;
        process.settle()?;
        let requests = |stub: &crate::stub::Stub| stub.requests();
        let before = (
            process.cpu_time()?,
            requests(&self.stage.gateway),
            requests(&self.stage.table),
        );
        for number in numbers {
            figures.warm_ms.push(self.call(process, 1000 + number)?);
        }
        process.settle()?;
        let used = process.cpu_time()?.saturating_sub(before.0);
        figures.cpu_ms.push(milliseconds(used) / count);
        figures.gateway_requests = Some((requests(&self.stage.gateway) - before.1) as f64 / count);
        figures.table_requests = Some((requests(&self.stage.table) - before.2) as f64 / count);
        Ok(())
    }

    /// One call, in milliseconds.
    fn call(&self, process: &mut Process, number: usize) -> Result<f64, BenchError> {
        let fault = |answer: &[u8]| self.job.fault(answer);
        let answer = process.call(&self.job.event(number), &fault)?;
        Ok(milliseconds(answer.took()))
    }

    /// Cold and warm with `share` of a CPU.
    fn measure_at(
        &self,
        controller: &Controller,
        share: Share,
        plan: &Plan,
        rows: &mut Rows,
    ) -> Result<(), BenchError> {
        let limit = Some((controller, share));
        let runs = match plan.shares.first() {
            Some(first) if *first != share => plan.cold_runs_at_share.div_ceil(2),
            _ => plan.cold_runs_at_share,
        };
        let title = self.title(&format!("cold starts at the share of {share}"));
        let mut progress = Progress::of(title, runs);
        for run in 0..runs {
            for (who, contestant) in self.field {
                if is_left_out(*who, run) {
                    continue;
                }
                let (_process, cold) = self.cold(contestant, limit, run)?;
                let figures = rows.entry(self.key(*who, Some(share))).or_default();
                figures.init_ms.push(milliseconds(cold.init));
                figures
                    .first_reply_ms
                    .push(milliseconds(cold.first_reply()));
            }
            progress.step();
        }
        drop(progress);

        // As on Lambda, nobody has been warmed up with a whole CPU: the calls that count follow the first one.
        let mut living = Vec::new();
        for (who, contestant) in self.field {
            living.push((*who, self.cold(contestant, limit, 0)?.0));
        }
        let title = self.title(&format!("warm calls at the share of {share}"));
        let rested = plan.warm_calls_at_share;
        // Long ones: while the others have their turn a quota fills up again.
        let blocks = plan.blocks.min(2);
        let mut progress = Progress::of(title, blocks + rested);
        let in_block = plan.warm_calls_at_share / blocks;
        for block in 0..blocks {
            for (who, process) in &mut living {
                let figures = rows.entry(self.key(*who, Some(share))).or_default();
                let numbers = (block * in_block..(block + 1) * in_block)
                    .filter(|number| !is_left_out(*who, *number))
                    .collect();
                self.block(process, numbers, figures)?;
            }
            progress.step();
        }
        for number in 0..rested {
            // Two periods, because what a period leaves of a call is paid for in the next.
            thread::sleep(share.period() * 2);
            for (who, process) in &mut living {
                if is_left_out(*who, number) {
                    continue;
                }
                let took = self.call(process, number)?;
                let figures = rows.entry(self.key(*who, Some(share))).or_default();
                figures.rested_ms.push(took);
            }
            progress.step();
        }
        for (who, process) in &living {
            let figures = rows.entry(self.key(*who, Some(share))).or_default();
            figures.memory = Some(process.memory()?);
        }
        Ok(())
    }
}
