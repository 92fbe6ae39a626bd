//! Whole runs with the floor, which needs nothing that is not built with these tests, and with the packaged functions where they are named.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use benches::compare::{Key, Plan, compare};
use benches::field::{Places, Who};
use benches::functions::{self, OfFunction, Repeats};
use benches::machine::Machine;
use benches::{
    BenchError, Contestant, Controller, Fixtures, Job, Process, Share, Stage, Transport,
};

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

/// The packaged functions, which `make test` names; `None` where nobody does. A run that claims to be complete (`CI`) fails then.
fn packaged() -> Option<PathBuf> {
    let folder = std::env::var_os("FUNCTION_BINARIES").map(PathBuf::from);
    let folder = folder.filter(|folder| folder.join("session/bootstrap").is_file());
    assert!(
        folder.is_some() || std::env::var_os("CI").is_none(),
        "FUNCTION_BINARIES must name the folder of the packaged functions; `make test` does that"
    );
    if folder.is_none() {
        // Written past the test runner, which shows what a passing test prints to nobody.
        let _ = writeln!(
            std::io::stderr(),
            "skipped: FUNCTION_BINARIES does not name the packaged functions; `make test` does that"
        );
    }
    folder
}

fn measured(places: &Places) -> Result<Vec<OfFunction>, BenchError> {
    let functions = functions::measure(places, Repeats::QUICK, Machine::default())?;
    Ok(functions.functions)
}

/// A package of `function` that is the floor of a job, whatever it is asked for.
fn package_floor(folder: &Path, function: &str) -> io::Result<()> {
    fs::create_dir(folder.join(function))?;
    let floor = env!("CARGO_BIN_EXE_floor");
    let script = format!("exec {floor} get-mini-code");
    write_script(&folder.join(function).join("bootstrap"), &script)
}

fn write_script(path: &Path, line: &str) -> io::Result<()> {
    fs::write(path, format!("#!/bin/sh\n{line}\n"))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

#[test]
fn a_contestant_is_told_the_memory_that_gives_the_cpu_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("bootstrap");
    write_script(
        &program,
        "echo \"memory: $AWS_LAMBDA_FUNCTION_MEMORY_SIZE MB\"",
    )
    .unwrap();
    let fixtures = Fixtures::make().unwrap();
    let stage = Stage::set(&fixtures, Transport::Plain, Duration::ZERO).unwrap();
    let error = start(program.to_str().unwrap(), &stage).err().unwrap();
    assert!(error.to_string().ends_with("memory: 1769 MB"), "{error}");

    let Ok(controller) = Controller::find() else {
        return;
    };
    let contestant = contestant(program.to_str().unwrap());
    let event = Job::GetMiniCode.event(1);
    let limit = (&controller, Share::of(128));
    let error = Process::cold_at(&contestant, &stage, limit, &event, &|_| None).err();
    let error = error.unwrap();
    assert!(error.to_string().ends_with("memory: 128 MB"), "{error}");
}

#[test]
fn every_packaged_function_is_started_and_called() {
    let Some(functions) = packaged() else {
        return;
    };
    let measured = measured(&Places {
        functions,
        ..places()
    })
    .unwrap();
    let mut names: Vec<String> = fs::read_dir("../functions")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    let of = |entry: &OfFunction| entry.function.clone();
    assert_eq!(measured.iter().map(of).collect::<Vec<_>>(), names);
    for entry in &measured {
        assert_eq!(entry.init_ms.len(), 2, "{entry:?}");
        assert!(entry.peak_after_init > 1_000_000, "{entry:?}");
        let called = entry.called.as_ref();
        let called = called.unwrap_or_else(|| {
            panic!(
                "{}: add a call of it to benches/src/functions.rs",
                entry.function
            )
        });
        assert_eq!(called.first_reply_ms.len(), 2, "{entry:?}");
        assert_eq!((called.warm_ms.len(), called.cpu_ms.len()), (4, 2));
        assert!(called.peak >= 1_000_000, "{entry:?}");
    }
}

#[test]
fn what_has_no_call_is_started_only_and_what_answers_another_thing_than_it_should_ends_the_run() {
    let folder = tempfile::tempdir().unwrap();
    package_floor(folder.path(), "unheard-of").unwrap();
    let places = Places {
        functions: folder.path().to_owned(),
        ..places()
    };
    let rows = measured(&places).unwrap();
    let [row] = rows.as_slice() else {
        panic!("{rows:?}");
    };
    assert_eq!((&*row.function, row.init_ms.len()), ("unheard-of", 2));
    assert_eq!(row.called, None);

    // A success, and that of another function.
    package_floor(folder.path(), "launch-link").unwrap();
    let error = measured(&places).unwrap_err().to_string();
    assert!(
        error.starts_with("launch-link: its answer is not the golden one of `http`"),
        "{error}"
    );
}

#[test]
fn a_function_that_refuses_its_event_ends_the_run() {
    let Some(functions) = packaged() else {
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let project = Path::new("..").canonicalize().unwrap();
    let events = root.path().join("events/get-mini-code");
    fs::create_dir_all(&events).unwrap();
    fs::copy(
        project.join("events/get-mini-code/wrong-page-leading-slash.json"),
        events.join("http.json"),
    )
    .unwrap();
    let packages = root.path().join("packages");
    fs::create_dir(&packages).unwrap();
    let function = functions.join("get-mini-code").canonicalize().unwrap();
    symlink(function, packages.join("get-mini-code")).unwrap();
    let error = measured(&Places {
        root: root.path().to_owned(),
        functions: packages,
        ..places()
    });
    let error = error.unwrap_err().to_string();
    assert!(
        error.starts_with("get-mini-code: its answer is not a success"),
        "{error}"
    );
}

#[test]
fn a_folder_without_packages_is_named_with_the_way_to_fill_it() {
    let error = measured(&places()).unwrap_err().to_string();
    assert!(
        error.contains("nowhere/FUNCTION/bootstrap is not there: `make bench` builds them"),
        "{error}"
    );
}

fn start(program: &str, stage: &Stage) -> Result<(Process, benches::Cold), BenchError> {
    let job = Job::GetMiniCode;
    Process::cold(&contestant(program), stage, &job.event(1), &|answer| {
        job.fault(answer)
    })
}

fn contestant(program: &str) -> Contestant {
    Contestant {
        name: "tried".to_owned(),
        program: program.into(),
        arguments: vec![Job::GetMiniCode.name().into()],
        environment: Vec::new(),
    }
}
