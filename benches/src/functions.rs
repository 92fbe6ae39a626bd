//! Every packaged function: its start, and one call of each.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::field::Places;
use crate::fixtures::LANDING;
use crate::gateway_stub::{OPEN_ID, QR_CODE_URL};
use crate::goals::MEGABYTE;
use crate::machine::Machine;
use crate::progress::Progress;
use crate::report::Section;
use crate::runtime_api::Event;
use crate::statistics::milliseconds;
use crate::table::{Table, figure};
use crate::{BenchError, Contestant, Fixtures, Process, Stage, Summary, Transport, job, packages};

/// What stands in place of a figure that was not taken.
const NONE: &str = "–";

/// How often each function is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeats {
    /// Cold starts of each kind.
    pub starts: usize,
    /// Calls before those that count.
    pub unmeasured: usize,
    /// Warm calls.
    pub calls: usize,
    /// Into how many blocks they are divided; the functions take turns.
    pub blocks: usize,
}

impl Repeats {
    /// What `make bench` does.
    pub const FULL: Self = Self {
        starts: 20,
        unmeasured: 20,
        calls: 200,
        blocks: 10,
    };
    /// To see that everything works.
    pub const QUICK: Self = Self {
        starts: 2,
        unmeasured: 1,
        calls: 4,
        blocks: 2,
    };
}

/// A call that can be made with nothing but the stubs: one of the function's own events.
struct Call {
    function: &'static str,
    /// The file in `events/FUNCTION`, without `.json`.
    event: &'static str,
    /// What of the event differs from call to call, or from run to run.
    placeholder: Option<Placeholder>,
    answer: Expected,
}

/// A text in an event and what takes its place.
enum Placeholder {
    /// What can be used once: another in each call.
    Once(&'static str),
    /// What Alipay encrypts for the app.
    PhoneNumber(&'static str),
    /// What Alipay sends when an order is paid.
    Notice(&'static str),
    /// Where users come back to.
    Landing(&'static str),
}

/// What the answer has to be.
enum Expected {
    /// The golden one of the event.
    Golden,
    /// A success that has what the gateway replied.
    Names(&'static str),
}

const CALLS: [Call; 25] = {
    const fn golden(function: &'static str, event: &'static str) -> Call {
        Call {
            function,
            event,
            placeholder: None,
            answer: Expected::Golden,
        }
    }
    const fn once(call: Call, placeholder: &'static str) -> Call {
        with(call, Placeholder::Once(placeholder))
    }
    const fn with(call: Call, placeholder: Placeholder) -> Call {
        Call {
            placeholder: Some(placeholder),
            ..call
        }
    }
    const fn names(call: Call, expected: &'static str) -> Call {
        Call {
            answer: Expected::Names(expected),
            ..call
        }
    }
    [
        golden("app-auth", "direct-auth-info"),
        golden("app-pay", "direct-order-string"),
        names(once(golden("code2session", "http"), "events-http"), OPEN_ID),
        with(
            golden("decrypt", "direct"),
            Placeholder::PhoneNumber("events-phone-number"),
        ),
        names(golden("generic-request", "http"), QR_CODE_URL),
        names(golden("get-mini-code", "http"), QR_CODE_URL),
        golden("get-temp-mini-code", "http"),
        with(
            golden("h5-oauth", "http-authorize"),
            Placeholder::Landing("events-landing"),
        ),
        golden("img-sec-check", "http"),
        golden("isv-auth-link", "http"),
        golden("isv-auth-query", "http"),
        once(golden("isv-auth-token", "http"), "events-app-auth-code"),
        golden("launch-link", "http"),
        golden("link-open-ids", "direct"),
        golden("msg-sec-check", "http"),
        with(
            golden("oidc", "http-authorize"),
            Placeholder::Landing("events-landing"),
        ),
        with(
            golden("pay-notify", "http-trade"),
            Placeholder::Notice("events-notice"),
        ),
        golden("publish-events", "schedule"),
        golden("refresh-tokens", "schedule"),
        once(golden("sdk-login", "http"), "events-sdk-http"),
        golden("session", "http-keys"),
        golden("subscribe-message-batch-send", "http"),
        golden("subscribe-message-query", "http"),
        golden("subscribe-message-send", "http"),
        golden("user-info", "http"),
    ]
};

/// Such a call, read from the files.
struct Prepared {
    event: &'static str,
    text: String,
    once: Option<&'static str>,
    answer: PreparedAnswer,
}

enum PreparedAnswer {
    Golden(Value),
    Names(&'static str),
}

impl Prepared {
    /// That of `function`; `None` where it has none.
    fn of(function: &str, root: &Path, fixtures: &Fixtures) -> Result<Option<Self>, BenchError> {
        let Some(call) = CALLS.iter().find(|call| call.function == function) else {
            return Ok(None);
        };
        let read = |folder: &str| {
            let path = root
                .join(folder)
                .join(format!("{function}/{}.json", call.event));
            let text = fs::read_to_string(&path);
            text.map(|text| (path.clone(), text))
                .map_err(|error| BenchError::system(path.display().to_string())(error))
        };
        let (_, text) = read("events")?;
        let (text, once) = match call.placeholder {
            None => (text, None),
            Some(Placeholder::Once(placeholder)) => (text, Some(placeholder)),
            Some(Placeholder::PhoneNumber(placeholder)) => {
                let number = Value::from(fixtures.phone_number()).to_string();
                (text.replace(&format!("\"{placeholder}\""), &number), None)
            }
            Some(Placeholder::Notice(placeholder)) => {
                (text.replace(placeholder, fixtures.notice()), None)
            }
            Some(Placeholder::Landing(placeholder)) => (text.replace(placeholder, LANDING), None),
        };
        let answer = match call.answer {
            Expected::Names(expected) => PreparedAnswer::Names(expected),
            Expected::Golden => {
                let (path, golden) = read("tests/golden")?;
                let golden = serde_json::from_str(&golden);
                PreparedAnswer::Golden(golden.map_err(|error| BenchError::Malformed {
                    path,
                    problem: error.to_string(),
                })?)
            }
        };
        Ok(Some(Self {
            event: call.event,
            text: text.trim_end().to_owned(),
            once,
            answer,
        }))
    }

    /// The event of the call `number`.
    fn event(&self, number: usize) -> Event {
        let id = format!("00000000-0000-4000-8000-{number:012}");
        match self.once {
            None => Event::new(&id, &self.text),
            Some(placeholder) => {
                let value = format!("bench-{number:028}");
                Event::new(&id, &self.text.replace(placeholder, &value))
            }
        }
    }

    /// What is wrong with `answer`; `None` where it is right.
    fn fault(&self, answer: &[u8]) -> Option<String> {
        let golden = match &self.answer {
            PreparedAnswer::Names(expected) => return job::fault(answer, expected),
            PreparedAnswer::Golden(golden) => golden,
        };
        let read = serde_json::from_slice(answer).unwrap_or_default();
        (!is_as_golden(&read, golden)).then(|| {
            format!(
                "its answer is not the golden one of `{}`: {}",
                self.event,
                String::from_utf8_lossy(answer)
            )
        })
    }
}

/// Whether `answer` is `golden`, in which `…` stands for any text, and for any value where nothing else stands. A body that is JSON is
/// compared as such.
fn is_as_golden(answer: &Value, golden: &Value) -> bool {
    match (answer, golden) {
        (_, Value::String(any)) if any == "…" => true,
        (Value::Object(answer), Value::Object(golden)) => {
            let is_same = |(name, golden): (&String, &Value)| match answer.get(name) {
                Some(Value::String(body)) if name == "body" && !golden.is_string() => {
                    serde_json::from_str(body).is_ok_and(|body| is_as_golden(&body, golden))
                }
                Some(value) => is_as_golden(value, golden),
                None => false,
            };
            answer.len() == golden.len() && golden.iter().all(is_same)
        }
        (Value::Array(answer), Value::Array(golden)) => {
            let mut pairs = answer.iter().zip(golden);
            answer.len() == golden.len()
                && pairs.all(|(answer, golden)| is_as_golden(answer, golden))
        }
        (Value::String(answer), Value::String(golden)) => is_as_golden_text(answer, golden),
        (answer, golden) => answer == golden,
    }
}

fn is_as_golden_text(answer: &str, golden: &str) -> bool {
    let Some((first, rest)) = golden.split_once('…') else {
        return answer == golden;
    };
    let Some(answer) = answer.strip_prefix(first) else {
        return false;
    };
    // The last piece has to be the end; any other is looked for from the left.
    let mut pieces = rest.split('…').peekable();
    let mut answer = answer;
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return answer.ends_with(piece);
        }
        match answer.split_once(piece) {
            Some((_, after)) => answer = after,
            None => return false,
        }
    }
    true
}

/// What was measured of one function. Times are in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OfFunction {
    /// Its name.
    pub function: String,
    /// From the start of the process to its first `next`, each start.
    pub init_ms: Vec<f64>,
    /// The greatest peak memory after INIT, in bytes.
    pub peak_after_init: u64,
    /// What it was called with; `None` where no call of it is known here.
    pub called: Option<Called>,
    /// Bytes of its zip.
    pub zip: Option<u64>,
}

/// What was measured of the calls of one function.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Called {
    /// The event's name.
    pub event: String,
    /// From the start of the process to its first answer, each start.
    pub first_reply_ms: Vec<f64>,
    /// Each warm call.
    pub warm_ms: Vec<f64>,
    /// CPU time of a warm call, the mean of each block.
    pub cpu_ms: Vec<f64>,
    /// Peak memory after the warm calls, in bytes.
    pub peak: u64,
    /// Requests to the gateway of a warm call.
    pub gateway_requests: f64,
    /// Requests to the table of a warm call.
    pub table_requests: f64,
}

/// What the JSON file holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Functions {
    /// What it was made with.
    pub machine: Machine,
    /// How often.
    pub repeats: Repeats,
    /// One for each packaged function.
    pub functions: Vec<OfFunction>,
}

/// Measures all functions that are packaged, in turns, over HTTP and with a whole CPU.
///
/// # Errors
/// The first function that does not start or does not answer rightly; [`BenchError::Missing`] where none is packaged; the system's.
pub fn measure(
    places: &Places,
    repeats: Repeats,
    machine: Machine,
) -> Result<Functions, BenchError> {
    let fixtures = Fixtures::make()?;
    let stage = Stage::set(&fixtures, Transport::Plain, Duration::ZERO)?;
    let mut field = Vec::new();
    for name in packages::functions_in(&places.functions)? {
        let call = Prepared::of(&name, &places.root, &fixtures)?;
        let figures = OfFunction {
            called: call.as_ref().map(|call| Called {
                event: call.event.to_owned(),
                ..Called::default()
            }),
            zip: packages::zip_of(&places.root, &name),
            function: name.clone(),
            ..OfFunction::default()
        };
        let contestant = Contestant {
            program: Places::function(&places.functions, &name)?,
            name,
            arguments: Vec::new(),
            environment: Vec::new(),
        };
        field.push(Entry {
            contestant,
            call,
            figures,
        });
    }
    measure_starts(&mut field, &stage, repeats)?;
    measure_warm(&mut field, &stage, repeats)?;
    Ok(Functions {
        machine,
        repeats,
        functions: field.into_iter().map(|entry| entry.figures).collect(),
    })
}

/// One function, what it is called with, and what has been measured of it.
struct Entry {
    contestant: Contestant,
    call: Option<Prepared>,
    figures: OfFunction,
}

impl Entry {
    /// The call and its figures, where there is one.
    fn call(&mut self) -> Option<(&Contestant, &Prepared, &mut Called)> {
        let (call, called) = (self.call.as_ref()?, self.figures.called.as_mut()?);
        Some((&self.contestant, call, called))
    }
}

/// Everybody once, unmeasured, so that all files are in the page cache; then in turns. A start without an event first: what a process
/// has used up to there is not its call's.
fn measure_starts(field: &mut [Entry], stage: &Stage, repeats: Repeats) -> Result<(), BenchError> {
    let mut progress = Progress::of("cold starts of every function", repeats.starts + 1);
    for start in 0..=repeats.starts {
        for entry in &mut *field {
            let mut process = Process::start(&entry.contestant, stage, None)?;
            let init = process.init()?;
            let peak = process.memory()?.peak;
            drop(process);
            if start > 0 {
                let figures = &mut entry.figures;
                figures.init_ms.push(milliseconds(init));
                figures.peak_after_init = figures.peak_after_init.max(peak);
            }
            if let Some((contestant, call, called)) = entry.call() {
                let fault = |answer: &[u8]| call.fault(answer);
                let (_process, cold) =
                    Process::cold(contestant, stage, &call.event(start), &fault)?;
                if start > 0 {
                    called.first_reply_ms.push(milliseconds(cold.first_reply()));
                }
            }
        }
        progress.step();
    }
    Ok(())
}

/// All living at once, each called in blocks, in turns.
fn measure_warm(field: &mut [Entry], stage: &Stage, repeats: Repeats) -> Result<(), BenchError> {
    let mut living = Vec::new();
    for (contestant, call, called) in field.iter_mut().filter_map(Entry::call) {
        let fault = |answer: &[u8]| call.fault(answer);
        let (mut process, _) = Process::cold(contestant, stage, &call.event(0), &fault)?;
        for number in 0..repeats.unmeasured {
            process.call(&call.event(number), &fault)?;
        }
        living.push((process, call, called));
    }
    let in_block = repeats.calls / repeats.blocks;
    let mut progress = Progress::of("warm calls of every function, blocks", repeats.blocks);
    for block in 0..repeats.blocks {
        for (process, call, called) in &mut living {
            let fault = |answer: &[u8]| call.fault(answer);
            process.settle()?;
            let requests = || (stage.gateway.requests(), stage.table.requests());
            let (before, cpu_before) = (requests(), process.cpu_time()?);
            for number in block * in_block..(block + 1) * in_block {
                let answer = process.call(&call.event(1000 + number), &fault)?;
                called.warm_ms.push(milliseconds(answer.took()));
            }
            process.settle()?;
            let used = process.cpu_time()?.saturating_sub(cpu_before);
            let of_each = |before: u64, after: u64| (after - before) as f64 / in_block as f64;
            called.cpu_ms.push(milliseconds(used) / in_block as f64);
            called.gateway_requests = of_each(before.0, requests().0);
            called.table_requests = of_each(before.1, requests().1);
        }
        progress.step();
    }
    for (process, _, called) in &mut living {
        called.peak = process.memory()?.peak;
    }
    Ok(())
}

impl Functions {
    /// All functions as a table.
    pub fn section(&self) -> Section {
        let mut table = Table::new(&[
            "ms",
            "INIT p50",
            "INIT p95",
            "peak MB, INIT",
            "event",
            "cold start p50",
            "cold start p95",
            "warm p50",
            "CPU a call",
            "peak MB, calls",
            "gateway",
            "table",
            "zip MB",
        ]);
        let of = |values: &[f64], part: fn(&Summary) -> f64| {
            Summary::of(values).map_or_else(|| NONE.to_owned(), |summary| figure(part(&summary)))
        };
        let megabytes = |bytes: u64| figure(bytes as f64 / MEGABYTE);
        for entry in &self.functions {
            let mut cells = vec![
                entry.function.clone(),
                of(&entry.init_ms, |summary| summary.median),
                of(&entry.init_ms, |summary| summary.p95),
                megabytes(entry.peak_after_init),
            ];
            match &entry.called {
                Some(called) => cells.extend([
                    called.event.clone(),
                    of(&called.first_reply_ms, |summary| summary.median),
                    of(&called.first_reply_ms, |summary| summary.p95),
                    of(&called.warm_ms, |summary| summary.median),
                    of(&called.cpu_ms, |summary| summary.mean),
                    megabytes(called.peak),
                    called.gateway_requests.to_string(),
                    called.table_requests.to_string(),
                ]),
                None => cells.extend([NONE; 8].map(str::to_owned)),
            }
            cells.push(entry.zip.map_or_else(|| NONE.to_owned(), megabytes));
            table.row(cells);
        }
        Section {
            title: "Every function over HTTP, a whole CPU".to_owned(),
            table,
            notes: vec![format!(
                "{} starts of each in turns, {} warm calls in {} blocks after {} that do not count. The event is a file of events/FUNCTION. The \
                 peak of INIT is the greatest of all starts. {NONE}: started and not called. p95 of few starts is nearly the greatest.",
                self.repeats.starts,
                self.repeats.calls,
                self.repeats.blocks,
                self.repeats.unmeasured,
            )],
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_call_is_of_a_function_of_ours_once_and_has_its_files() {
        let root = Path::new("..");
        let fixtures = Fixtures::make().unwrap();
        let mut names: Vec<&str> = CALLS.iter().map(|call| call.function).collect();
        names.dedup();
        assert_eq!(names.len(), CALLS.len());
        for name in names {
            assert!(root.join("functions").join(name).is_dir(), "{name}");
            let call = Prepared::of(name, root, &fixtures).unwrap().unwrap();
            if let Some(placeholder) = call.once {
                assert!(call.text.contains(placeholder), "{name}");
            }
        }
    }

    #[test]
    fn an_answer_is_the_golden_one_but_for_what_differs_from_run_to_run() {
        let golden = json!({"statusCode": 200, "body": {"code": 0, "url": "http://…/a?state=…", "trace_id": "…"}});
        let answer = |body: &str| json!({"statusCode": 200, "body": body});
        let right = r#"{"code":0,"url":"http://127.0.0.1:1/a?state=1","trace_id":"1"}"#;
        assert!(is_as_golden(&answer(right), &golden));
        for wrong in [
            right.replace("\"code\":0", "\"code\":1"),
            right.replace("/a?", "/b?"),
            right.replace("http:", "https:"),
            right.replace(",\"trace_id\":\"1\"", ""),
            right.replace("}", ",\"more\":1}"),
            String::new(),
        ] {
            assert!(!is_as_golden(&answer(&wrong), &golden), "{wrong}");
        }
    }

    #[test]
    fn a_golden_text_ends_where_it_ends() {
        assert!(is_as_golden_text("a-x-b-y-c", "a…b…c"));
        assert!(!is_as_golden_text("a-x-b-y-c-z", "a…b…c"));
        assert!(!is_as_golden_text("b-x-c", "a…c"));
        assert!(!is_as_golden_text("a-c", "a…b…c"));
    }
}
