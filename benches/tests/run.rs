//! Whole runs with the floor alone, which needs nothing that is not built with these tests.

use std::path::PathBuf;
use std::time::Duration;

use benches::compare::{Key, Plan, compare};
use benches::field::{Places, Who};
use benches::machine::Machine;
use benches::{BenchError, Contestant, Controller, Fixtures, Job, Process, Stage, Transport};

fn places() -> Places {
    Places {
        root: PathBuf::from(".."),
        functions: PathBuf::from("nowhere"),
        functions_trusting_bench_root: None,
        floor: PathBuf::from(env!("CARGO_BIN_EXE_floor")),
    }
}

#[test]
fn the_floor_is_measured_over_both_transports_and_with_a_share_where_there_are_quotas() {
    let plan = Plan::quick();
    let share = plan.shares.first().copied();
    let machine = Machine::now(None, None);
    let comparison = compare(plan, &[Who::Floor], &places(), machine, Vec::new()).unwrap();
    for job in Job::ALL {
        for transport in Transport::ALL {
            let key = Key {
                job,
                transport,
                share: None,
                who: Who::Floor,
            };
            let figures = comparison.figures(key).unwrap();
            assert_eq!(figures.first_reply_ms.len(), 2);
            assert_eq!(figures.warm_ms.len(), 20);
            assert!(figures.cpu_ms.iter().all(|&cpu| cpu > 0.0));
            assert!(figures.memory.unwrap().peak > 1_000_000);
            assert_eq!(figures.gateway_requests, Some(1.0));
            let writes = match job {
                Job::GetMiniCode => 0.0,
                Job::Code2Session => 1.0,
            };
            assert_eq!(figures.table_requests, Some(writes));

            let at_share = comparison.figures(Key { share, ..key }).unwrap();
            match Controller::find() {
                Ok(_) => assert_eq!((at_share.warm_ms.len(), at_share.rested_ms.len()), (4, 4)),
                Err(_) => assert!(at_share.not_measured.is_some()),
            }
        }
    }
}

#[test]
fn the_wait_of_the_gateway_is_part_of_a_call() {
    let fixtures = Fixtures::make().unwrap();
    let stage = Stage::set(&fixtures, Transport::Plain, Duration::from_millis(20)).unwrap();
    let (_process, cold) = start(env!("CARGO_BIN_EXE_floor"), &stage).unwrap();
    assert!(cold.call >= Duration::from_millis(20));
}

#[test]
fn a_contestant_that_ends_or_answers_wrongly_ends_the_run() {
    let fixtures = Fixtures::make().unwrap();
    let mut stage = Stage::set(&fixtures, Transport::Plain, Duration::ZERO).unwrap();
    let error = start("/bin/false", &stage).err().unwrap().to_string();
    assert!(
        error.contains("it ended (exit status: 1) and asked for no event"),
        "{error}"
    );

    // Alipay's key is another: the reply does not verify.
    let other = Fixtures::make().unwrap();
    stage.change(
        "ALIPAY_PUBLIC_KEY_FILE",
        other.path("alipay-public-key.pem"),
    );
    let error = start(env!("CARGO_BIN_EXE_floor"), &stage).err().unwrap();
    assert!(
        matches!(&error, BenchError::Contestant { output, .. } if output.contains("the signature is not valid")),
        "{error}"
    );
}

#[test]
fn what_is_not_built_is_named_with_the_way_to_get_it() {
    let error = compare(
        Plan::quick(),
        &[Who::Ours],
        &places(),
        Machine::default(),
        Vec::new(),
    )
    .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("nowhere/get-mini-code is not there: `make bench` builds it"),
        "{text}"
    );
}

fn start(program: &str, stage: &Stage) -> Result<(Process, benches::Cold), BenchError> {
    let job = Job::GetMiniCode;
    let contestant = Contestant {
        name: "tried".to_owned(),
        program: program.into(),
        arguments: vec![job.name().into()],
        environment: Vec::new(),
    };
    Process::cold(&contestant, stage, &job.event(1), &|answer| {
        job.fault(answer)
    })
}
