use std::os::unix::fs::PermissionsExt;
use std::thread;

use super::*;

const APP: &str = "2021000000000001";
/// 2026-11-22T10:00:00Z.
const NOW: WallTime = WallTime::from_secs(1_795_341_600);
const DAY: Duration = Duration::from_secs(86_400);

fn client(id: &str) -> NewClient {
    NewClient {
        id: id.to_owned(),
        app_id: APP.to_owned(),
    }
}

fn value(document: &SecretString) -> Value {
    serde_json::from_str(document.expose_secret()).unwrap()
}

/// A folder with a document in it, and the file.
fn saved() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("login.json");
    let document = new_login_document(&[client("shop")], NOW).unwrap();
    save_login_document(&file, &document).unwrap();
    (folder, file)
}

fn in_file(file: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

#[test]
fn a_new_document_can_be_used_as_it_is() {
    let document = new_login_document(&[client("shop"), client("other")], NOW).unwrap();
    let read = LoginDocument::from_json(&document).unwrap();
    let key = &read.key_times()[0];
    assert_eq!((key.id.as_str(), key.signs_from), ("2026-11-22", NOW));
    assert_eq!(read.client_of_app(APP).id, "shop");
    let value = value(&document);
    let secret = |index: usize| value["clients"][index]["clientSecret"].as_str().unwrap();
    assert!(
        read.client("other")
            .unwrap()
            .is_secret(&secret(1).to_owned().into())
    );
    assert_ne!(secret(0), secret(1));
    identity::Issuer::new("https://login.example.com", &read).unwrap();
}

#[test]
fn no_two_documents_have_a_secret_in_common() {
    let make = || value(&new_login_document(&[client("shop")], NOW).unwrap());
    let (one, other) = (make(), make());
    for pointer in [
        "/signing/2026-11-22/privateKey",
        "/sessions/keys/2026-11-22",
        "/requestEncryption/privateKey",
        "/clients/0/clientSecret",
    ] {
        assert!(one.pointer(pointer).is_some(), "{pointer}");
        assert_ne!(one.pointer(pointer), other.pointer(pointer), "{pointer}");
    }
}

#[test]
fn clients_that_a_document_would_refuse_are_refused() {
    let error = new_login_document(&[client("a"), client("a")], NOW).unwrap_err();
    assert!(error.to_string().contains("clients[1].clientId"), "{error}");
    let error = new_login_document(&[client("a b")], NOW).unwrap_err();
    assert!(error.to_string().contains("clients[0].clientId"), "{error}");
}

#[test]
fn a_document_is_saved_for_its_owner_alone_and_over_nothing() {
    let (_folder, file) = saved();
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let before = fs::read(&file).unwrap();
    let error = save_login_document(&file, &"{}".into()).unwrap_err();
    assert!(matches!(error, LoginKeysError::Exists { .. }), "{error}");
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[test]
fn a_rotation_adds_a_key_for_tomorrow_and_changes_nothing_else() {
    let (folder, file) = saved();
    // As an operator has it: other members, in an order of their own.
    let mut before = in_file(&file);
    before["clients"][0]["returnTo"] = json!(["https://shop.example.com/"]);
    before["clients"][0]["sessionSeconds"] = json!(86_400);
    let sessions = before.as_object_mut().unwrap().shift_remove("sessions");
    before["sessions"] = sessions.unwrap();
    fs::write(&file, before.to_string()).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();

    let rotation = rotate_login_keys(&file, NOW).unwrap();
    assert_eq!(rotation.id, "2026-11-23");
    assert_eq!(rotation.signs_from, NOW.plus(DAY));

    let mut after = in_file(&file);
    let names: Vec<_> = after.as_object().unwrap().keys().cloned().collect();
    assert_eq!(
        names,
        ["signing", "requestEncryption", "clients", "sessions"]
    );
    let signing = after["signing"].as_object_mut().unwrap();
    let added = signing.remove("2026-11-23").unwrap();
    assert_eq!(added["signFrom"], "2026-11-23T10:00:00Z");
    assert_eq!(after, before);
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn while_a_key_waits_there_is_no_other_rotation() {
    let (_folder, file) = saved();
    rotate_login_keys(&file, NOW).unwrap();
    let before = fs::read(&file).unwrap();
    let last = NOW.plus(DAY).minus(Duration::from_secs(1));
    for at in [NOW, last] {
        let error = rotate_login_keys(&file, at).unwrap_err();
        let said = error.to_string();
        assert!(
            said.starts_with("already rotated: the key 2026-11-23 signs from 2026-11-23T10:00:00Z"),
            "{said}"
        );
    }
    assert_eq!(fs::read(&file).unwrap(), before);
    // Two in one day: the second key needs another name.
    let second = rotate_login_keys(&file, NOW.plus(DAY)).unwrap();
    assert_eq!(second.id, "2026-11-24");
}

#[test]
fn a_name_that_is_taken_is_not_used_again() {
    let (_folder, file) = saved();
    let at = NOW.minus(DAY).plus(Duration::from_secs(1));
    // The document's key signs a second before the new one: both on one day.
    let mut document = in_file(&file);
    document["signing"]["2026-11-22"]["signFrom"] = json!("2026-11-21T00:00:00Z");
    fs::write(&file, document.to_string()).unwrap();
    assert_eq!(rotate_login_keys(&file, at).unwrap().id, "2026-11-22-2");
}

#[test]
fn of_rotations_at_once_one_adds_a_key_and_the_others_say_so() {
    let (folder, file) = saved();
    let outcomes: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| rotate_login_keys(&file, NOW)))
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .collect()
    });
    let done = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let told = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Err(LoginKeysError::AlreadyRotated { .. })))
        .count();
    assert_eq!((done, told), (1, 7));
    assert_eq!(in_file(&file)["signing"].as_object().unwrap().len(), 2);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn what_is_no_login_document_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("login.json");
    for text in ["", "{}", "{\"signing\": {}}", "secret-but-no-json"] {
        fs::write(&file, text).unwrap();
        let error = rotate_login_keys(&file, NOW).unwrap_err();
        assert!(matches!(error, LoginKeysError::Document(_)), "{error}");
        assert!(!error.to_string().contains("secret-but"));
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
    let error = rotate_login_keys(&folder.path().join("none.json"), NOW).unwrap_err();
    assert!(error.to_string().contains("none.json"), "{error}");
}

#[test]
fn a_link_stays_a_link() {
    let (folder, file) = saved();
    let link = folder.path().join("link.json");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    rotate_login_keys(&link, NOW).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(in_file(&file)["signing"].as_object().unwrap().len(), 2);
}

#[test]
fn it_is_said_which_key_signs_and_which_may_be_removed_when() {
    let (_folder, file) = saved();
    let week = NOW.plus(DAY * 7);
    rotate_login_keys(&file, NOW).unwrap();
    rotate_login_keys(&file, week).unwrap();
    // The key of the second rotation signs, for half an hour.
    let later = week.plus(DAY).plus(Duration::from_secs(1800));
    let said = rotate_login_keys(&file, later).unwrap().to_string();
    let lines: Vec<&str> = said.lines().skip(2).collect();
    assert_eq!(
        lines,
        [
            "  2026-11-22  signed     may be removed now",
            "  2026-11-23  signed     may be removed from 2026-11-30T12:01:00Z",
            "  2026-11-30  signs now  may be removed from 2026-12-01T12:31:00Z",
            "  2026-12-01  signs from 2026-12-01T10:30:00Z",
        ]
    );
    assert!(said.starts_with("Added the key 2026-12-01, which signs from 2026-12-01T10:30:00Z."));
    let key = in_file(&file)["signing"]["2026-12-01"]["privateKey"].to_string();
    assert!(!said.contains(&key[100..140]));
}
