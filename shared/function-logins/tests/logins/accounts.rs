//! Whose account it is. What `identity` makes of ids is tested there; here, that Alipay's replies reach it under the right names.

use std::time::SystemTime;

use alipay_gateway::methods::UserGrant;
use function_kit::{Failure, Outcome, SelectedApp};
use function_logins::Uid;

use crate::bench::{Bench, USER};

const OPEN_ID: &str = "074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo5";

fn grant(user_id: Option<&str>, open_id: Option<&str>, union_id: Option<&str>) -> UserGrant {
    let owned = |id: Option<&str>| id.map(str::to_owned);
    UserGrant {
        user_id: owned(user_id),
        open_id: owned(open_id),
        union_id: owned(union_id),
        access_token: "access".into(),
        refresh_token: None,
        expires_in: None,
        re_expires_in: None,
        auth_start: None,
    }
}

async fn uid_of(
    bench: &Bench,
    app: &SelectedApp,
    auth_app_id: Option<&str>,
    granted: &UserGrant,
) -> Result<Uid, Failure> {
    let now = SystemTime::now();
    let account = bench.logins.account_of(app, auth_app_id, granted, now);
    account.await.map(|account| account.uid)
}

#[tokio::test]
async fn an_open_id_of_one_app_means_nobody_in_another() {
    let bench = Bench::new().await;
    let app = bench.alipay.app(Some(&bench.app.app_id)).unwrap();
    let other = bench.alipay.app(Some(&bench.other_app.app_id)).unwrap();
    let granted = grant(None, Some(OPEN_ID), None);
    let here = uid_of(&bench, &app, None, &granted).await.unwrap();
    assert_ne!(uid_of(&bench, &other, None, &granted).await.unwrap(), here);
    assert_eq!(uid_of(&bench, &app, None, &granted).await.unwrap(), here);
    // Of a merchant's app the ids are the merchant's, whoever asked.
    let merchant = Some(bench.other_app.app_id.as_str());
    let of_merchant = uid_of(&bench, &app, merchant, &granted).await.unwrap();
    assert_ne!(of_merchant, here);
    assert_eq!(
        uid_of(&bench, &other, None, &granted).await.unwrap(),
        of_merchant
    );
}

#[tokio::test]
async fn an_open_id_in_the_place_of_a_user_id_makes_no_account() {
    let bench = Bench::new().await;
    let app = bench.alipay.app(None).unwrap();
    for granted in [
        grant(Some(OPEN_ID), Some(USER), None),
        grant(Some(OPEN_ID), None, None),
        grant(None, Some(USER), None),
    ] {
        let failure = uid_of(&bench, &app, None, &granted).await.err().unwrap();
        assert_eq!(*failure.outcome(), Outcome::Internal);
        assert!(!failure.is_repeatable());
    }
    assert_eq!(bench.rows_under("").await, 0);
}

#[tokio::test]
async fn a_user_keeps_the_account_when_alipay_moves_the_app_to_open_ids() {
    let bench = Bench::new().await;
    let app = bench.alipay.app(None).unwrap();
    let mut uids = Vec::new();
    for granted in [
        grant(Some(USER), None, None),
        grant(Some(USER), Some(OPEN_ID), None),
        grant(None, Some(OPEN_ID), None),
    ] {
        uids.push(uid_of(&bench, &app, None, &granted).await.unwrap());
    }
    assert!(uids.iter().all(|uid| *uid == uids[0]), "{uids:?}");
}

#[tokio::test]
async fn a_union_id_joins_the_apps_of_one_environment() {
    let bench = Bench::new().await;
    let app = bench.alipay.app(Some(&bench.app.app_id)).unwrap();
    let other = bench.alipay.app(Some(&bench.other_app.app_id)).unwrap();
    let here = grant(None, Some("open-id-here"), Some("union"));
    let there = grant(None, Some("open-id-there"), Some("union"));
    assert_eq!(
        uid_of(&bench, &app, None, &here).await.unwrap(),
        uid_of(&bench, &other, None, &there).await.unwrap()
    );
}
