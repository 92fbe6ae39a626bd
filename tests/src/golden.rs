use serde_json::Value;

use crate::events::Event;
use crate::root;

/// Members whose values differ from run to run; in golden files they are `"…"`.
const VOLATILE: [&str; 13] = [
    "request_id",
    "trace_id",
    "authStart",
    "unionId",
    "batch_msg_id",
    "appAuthToken",
    "appRefreshToken",
    "auth_start",
    "auth_end",
    "auth_methods",
    "unique_id",
    "event_id",
    "app_scene_data_id",
];

/// Compares the answer to an event with its golden file, `tests/golden/<function>/<event>.json`.
///
/// With `UPDATE_GOLDEN=1` the file is written instead; read the difference before committing it.
pub fn check_golden(event: &Event, answer: &Value) {
    let path = root()
        .join("tests/golden")
        .join(&event.function)
        .join(format!("{}.json", event.name));
    let mut steady = answer.clone();
    if let Some(body) = steady["body"].as_str() {
        // Compared as JSON, so that volatile members inside it can be blanked.
        steady["body"] = serde_json::from_str(body).unwrap();
    }
    blank_volatile(&mut steady);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(
            &path,
            format!("{}\n", serde_json::to_string_pretty(&steady).unwrap()),
        )
        .unwrap();
        return;
    }
    let golden: Value = serde_json::from_str(
        &std::fs::read_to_string(&path)
            .unwrap_or_else(|_| panic!("{} has no golden file", path.display())),
    )
    .unwrap();
    assert_eq!(
        steady,
        golden,
        "events/{}/{}.json: the answer is not that of {}",
        event.function,
        event.name,
        path.display()
    );
}

fn blank_volatile(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if VOLATILE.contains(&name.as_str()) {
                    *value = "…".into();
                } else if let Some(url) = value
                    .as_str()
                    .filter(|text| text.starts_with("http://127.0.0.1:"))
                {
                    *value =
                        format!("http://…/{}", url.rsplit('/').next().unwrap_or_default()).into();
                } else {
                    blank_volatile(value);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(blank_volatile),
        _ => {}
    }
}
