//! Which account is whose.
//!
//! Which test stands for which row of the project's list of cases of logins (O):
//!
//! | row | the case | tests |
//! |---|---|---|
//! | O-14 | an open id of one app under another | `ids_of_one_app_lead_nowhere_under_another_app`, `a_union_id_of_one_environment_leads_nowhere_in_another` |
//! | O-15 | user id and open id swapped | `ids_in_each_others_place_are_refused_and_not_stored` |
//! | P | user ids, then both, then open ids | all of the first section |

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::AttributeValue;
use embedded_dynamodb::{Fault, Proxy};
use identity::{
    Account, Accounts, IdentityError, LinkedOpenIds, OpenIdOfUser, Person, Refusal, Uid, Union,
};
use proptest::prelude::*;
use table_rows::WallTime;

use crate::bench::{Bench, Item, START, after, text};
use crate::logs::Logs;

const APP: &str = "2021000000000001";
const OTHER_APP: &str = "2021000000000002";
const USER: &str = "2088000000000001";
const OTHER_USER: &str = "2088000000000002";
const OPEN: &str = "open-1_of-2021000000000001";
const PRODUCTION: &str = "openapi.alipay.com";
const SANDBOX: &str = "openapi-sandbox.dl.alipaydev.com";

const NOBODY: Person<'static> = Person {
    app_id: APP,
    user_id: None,
    open_id: None,
    union: None,
};

const BY_USER: Person<'static> = Person {
    user_id: Some(USER),
    ..NOBODY
};

const BY_OPEN: Person<'static> = Person {
    open_id: Some(OPEN),
    ..NOBODY
};

const BY_BOTH: Person<'static> = Person {
    user_id: Some(USER),
    open_id: Some(OPEN),
    ..NOBODY
};

const UNION: Option<Union<'static>> = Some(Union {
    environment: PRODUCTION,
    id: "union-1",
});

impl Bench {
    fn accounts(&self) -> Accounts {
        Accounts::new(self.table())
    }

    async fn log_in(&self, person: &Person<'_>, now: WallTime) -> Account {
        self.accounts().account_of(person, now).await.unwrap()
    }

    /// The same, and it must be an account that is there.
    async fn returns(&self, person: &Person<'_>) -> Uid {
        let account = self.log_in(person, after(3600)).await;
        assert!(!account.is_new);
        account.uid
    }

    async fn arrives(&self, person: &Person<'_>, now: WallTime) -> Uid {
        let account = self.log_in(person, now).await;
        assert!(account.is_new);
        account.uid
    }
}

/// What the type [`Accounts`] promises of its rows whatever happened: every alias leads to an account that exists, has not been merged and
/// lists it; nothing else is listed; a merge leads to an older account that remembers it.
fn assert_consistent(items: &[Item]) {
    let rows: BTreeMap<&str, &Item> = items.iter().map(|row| (text(row, "pk"), row)).collect();
    let account = |uid: &str| rows[format!("ACCOUNT#{uid}").as_str()];
    let set = |row: &Item, field: &str| match row.get(field) {
        Some(AttributeValue::Ss(values)) => values.iter().cloned().collect(),
        _ => BTreeSet::new(),
    };
    let mut listed = BTreeMap::<String, BTreeSet<String>>::new();
    for (pk, row) in &rows {
        if pk.starts_with("ALIAS#") {
            let uid = text(row, "uid");
            assert_eq!(text(account(uid), "merged_into"), "", "{pk}");
            listed.entry(uid.into()).or_default().insert((*pk).into());
        }
    }
    for (pk, row) in &rows {
        let Some(uid) = pk.strip_prefix("ACCOUNT#") else {
            continue;
        };
        assert_eq!(text(row, "uid"), uid);
        assert_eq!(set(row, "aliases"), listed.remove(uid).unwrap_or_default());
        let older = text(row, "merged_into");
        if !older.is_empty() {
            let age = |row: &Item| text(row, "created_at").parse::<u64>().unwrap();
            assert!((age(account(older)), older) < (age(row), uid));
            assert!(set(account(older), "merged_from").contains(uid));
        }
    }
    assert!(listed.is_empty());
}

// From user ids to open ids.

#[tokio::test]
async fn somebody_known_by_a_user_id_then_by_both_then_by_an_open_id_keeps_the_uid() {
    let bench = Bench::new().await;
    let uid = bench.arrives(&BY_USER, START).await;
    assert_eq!(bench.returns(&BY_BOTH).await, uid);
    assert_eq!(bench.returns(&BY_OPEN).await, uid);
    assert_consistent(&bench.items().await);
}

#[tokio::test]
async fn somebody_known_by_an_open_id_then_by_both_then_by_a_user_id_keeps_the_uid() {
    let bench = Bench::new().await;
    let uid = bench.arrives(&BY_OPEN, START).await;
    assert_eq!(bench.returns(&BY_BOTH).await, uid);
    assert_eq!(bench.returns(&BY_USER).await, uid);
    assert_consistent(&bench.items().await);
}

#[tokio::test]
async fn somebody_known_by_both_from_the_start_is_found_by_either() {
    let bench = Bench::new().await;
    let uid = bench.arrives(&BY_BOTH, START).await;
    for person in [BY_USER, BY_OPEN, BY_BOTH] {
        assert_eq!(bench.returns(&person).await, uid);
    }
    assert_eq!(bench.items_under("ACCOUNT#").await.len(), 1);
}

#[tokio::test]
async fn two_accounts_of_one_person_become_the_older_one_and_readers_of_the_younger_follow() {
    for (first, second) in [(BY_USER, BY_OPEN), (BY_OPEN, BY_USER)] {
        let bench = Bench::new().await;
        let older = bench.arrives(&first, START).await;
        let younger = bench.arrives(&second, after(1)).await;
        assert_ne!(older, younger);

        let logs = Logs::kept();
        assert_eq!(bench.returns(&BY_BOTH).await, older);
        assert!(logs.has(&["WARN", "merged", older.as_str(), younger.as_str()]));

        for person in [BY_USER, BY_OPEN, BY_BOTH] {
            assert_eq!(bench.returns(&person).await, older);
        }
        // What a session of the younger sees.
        let stored = bench.accounts().get(&younger).await.unwrap().unwrap();
        assert_eq!((stored.uid, stored.created_at), (older, START));
        assert_consistent(&bench.items().await);
    }
}

#[tokio::test]
async fn of_two_accounts_made_in_the_same_millisecond_the_smaller_uid_stays() {
    let bench = Bench::new().await;
    let one = bench.arrives(&BY_USER, START).await;
    let other = bench.arrives(&BY_OPEN, START).await;
    assert_eq!(bench.returns(&BY_BOTH).await, one.min(other));
    assert_consistent(&bench.items().await);
}

#[tokio::test]
async fn merges_upon_merges_are_followed_to_the_oldest() {
    let bench = Bench::new().await;
    let in_other_app = Person {
        app_id: OTHER_APP,
        ..BY_USER
    };
    let open_in_other_app = Person {
        app_id: OTHER_APP,
        open_id: Some("open-2"),
        ..NOBODY
    };
    let oldest = bench.arrives(&in_other_app, START).await;
    // The middle one holds an open id of each app, by way of the union id.
    let middle = bench
        .arrives(
            &Person {
                union: UNION,
                ..BY_OPEN
            },
            after(1),
        )
        .await;
    assert_eq!(
        bench
            .returns(&Person {
                union: UNION,
                ..open_in_other_app
            })
            .await,
        middle
    );
    let youngest = bench.arrives(&BY_USER, after(2)).await;

    assert_eq!(bench.returns(&BY_BOTH).await, middle);
    let both_in_other_app = Person {
        user_id: Some(USER),
        ..open_in_other_app
    };
    assert_eq!(bench.returns(&both_in_other_app).await, oldest);
    for uid in [&oldest, &middle, &youngest] {
        let stored = bench.accounts().get(uid).await.unwrap().unwrap();
        assert_eq!(stored.uid, oldest);
    }
    assert_eq!(bench.returns(&BY_USER).await, oldest);
    assert_consistent(&bench.items().await);
}

#[tokio::test]
async fn an_account_with_more_aliases_than_a_transaction_takes_is_merged_in_several() {
    let bench = Bench::new().await;
    let older = bench.arrives(&BY_USER, START).await;
    let younger = bench
        .arrives(
            &Person {
                union: UNION,
                ..BY_OPEN
            },
            after(1),
        )
        .await;
    for app in 0..200 {
        let app_id = format!("app-{app}");
        let person = Person {
            app_id: &app_id,
            union: UNION,
            ..BY_OPEN
        };
        assert_eq!(bench.returns(&person).await, younger);
    }

    // Two of the three transactions, and the process dies.
    let proxy = Proxy::before(bench.endpoint).await.unwrap();
    let accounts = Accounts::new(bench.table_through(proxy.address));
    proxy.arm_after(2, "TransactWriteItems", Fault::LoseRequest, 100);
    let outcome = accounts.account_of(&BY_BOTH, after(2)).await;
    assert!(matches!(outcome, Err(IdentityError::Table(_))));
    assert_consistent(&bench.items().await);

    assert_eq!(bench.returns(&BY_BOTH).await, older);
    let items = bench.items().await;
    assert_consistent(&items);
    for row in items
        .iter()
        .filter(|row| text(row, "pk").starts_with("ALIAS#"))
    {
        assert_eq!(text(row, "uid"), older.as_str());
    }
}

// Union ids.

#[tokio::test]
async fn a_union_id_leads_from_one_app_to_another() {
    let bench = Bench::new().await;
    let uid = bench
        .arrives(
            &Person {
                union: UNION,
                ..BY_USER
            },
            START,
        )
        .await;
    let elsewhere = Person {
        app_id: OTHER_APP,
        open_id: Some("open-2"),
        ..NOBODY
    };
    assert_eq!(
        bench
            .returns(&Person {
                union: UNION,
                ..elsewhere
            })
            .await,
        uid
    );
    // From then on also without it.
    assert_eq!(bench.returns(&elsewhere).await, uid);
    assert_consistent(&bench.items().await);
}

#[tokio::test]
async fn a_union_id_that_comes_later_is_added() {
    let bench = Bench::new().await;
    let uid = bench.arrives(&BY_USER, START).await;
    assert_eq!(
        bench
            .returns(&Person {
                union: UNION,
                ..BY_USER
            })
            .await,
        uid
    );
    let elsewhere = Person {
        app_id: OTHER_APP,
        union: UNION,
        ..BY_OPEN
    };
    assert_eq!(bench.returns(&elsewhere).await, uid);
}

#[tokio::test]
async fn where_a_union_id_leads_elsewhere_the_apps_own_ids_count_and_nothing_moves() {
    let bench = Bench::new().await;
    let here = bench.arrives(&BY_USER, START).await;
    let elsewhere = Person {
        app_id: OTHER_APP,
        union: UNION,
        ..BY_USER
    };
    let there = bench.arrives(&elsewhere, after(1)).await;
    let before = bench.items().await;

    let logs = Logs::kept();
    assert_eq!(
        bench
            .returns(&Person {
                union: UNION,
                ..BY_USER
            })
            .await,
        here
    );
    assert!(logs.has(&["INFO", "union id", here.as_str()]));
    assert_eq!(bench.returns(&elsewhere).await, there);
    assert_eq!(sorted(before), sorted(bench.items().await));
}

#[tokio::test]
async fn a_union_id_alone_is_nobody() {
    let bench = Bench::new().await;
    let outcome = bench
        .accounts()
        .account_of(
            &Person {
                union: UNION,
                ..NOBODY
            },
            START,
        )
        .await;
    assert!(matches!(
        outcome,
        Err(IdentityError::Refused(Refusal::Malformed))
    ));
    assert!(bench.items().await.is_empty());
}

// Nobody gets into somebody else's account.

#[tokio::test]
async fn ids_of_one_app_lead_nowhere_under_another_app() {
    let bench = Bench::new().await;
    let uid = bench.arrives(&BY_BOTH, START).await;
    for person in [BY_USER, BY_OPEN] {
        let foreign = Person {
            app_id: OTHER_APP,
            ..person
        };
        assert_ne!(bench.arrives(&foreign, after(1)).await, uid);
    }
}

#[tokio::test]
async fn a_union_id_of_one_environment_leads_nowhere_in_another() {
    let bench = Bench::new().await;
    let uid = bench
        .arrives(
            &Person {
                union: UNION,
                ..BY_USER
            },
            START,
        )
        .await;
    let sandbox = Person {
        app_id: OTHER_APP,
        union: Some(Union {
            environment: SANDBOX,
            id: "union-1",
        }),
        ..BY_USER
    };
    assert_ne!(bench.arrives(&sandbox, after(1)).await, uid);
}

#[tokio::test]
async fn ids_in_each_others_place_are_refused_and_not_stored() {
    let bench = Bench::new().await;
    let wrong = [
        Person {
            user_id: Some(OPEN),
            ..NOBODY
        },
        Person {
            open_id: Some(USER),
            ..NOBODY
        },
        Person {
            user_id: Some(OPEN),
            open_id: Some(USER),
            ..NOBODY
        },
    ];
    for person in wrong {
        let outcome = bench.accounts().account_of(&person, START).await;
        assert!(matches!(
            outcome,
            Err(IdentityError::Refused(Refusal::Malformed))
        ));
    }
    assert!(bench.items().await.is_empty());
}

#[tokio::test]
async fn what_is_no_id_is_refused_by_name_and_not_stored() {
    let bench = Bench::new().await;
    let accounts = bench.accounts();
    let long = "a".repeat(257);
    for user_id in [
        "",
        "2088",
        "208800000000000",
        "20880000000000012",
        "2087000000000001",
        "208800000000000x",
        "２０８８000000000001",
    ] {
        let person = Person {
            user_id: Some(user_id),
            ..NOBODY
        };
        let outcome = accounts.account_of(&person, START).await;
        assert!(
            matches!(outcome, Err(IdentityError::Refused(Refusal::Malformed))),
            "{user_id}"
        );
    }
    for part in ["", "a\nb", "\0", "\u{7f}"] {
        let union = Union {
            environment: PRODUCTION,
            id: part,
        };
        for person in [
            Person {
                open_id: Some(part),
                ..NOBODY
            },
            Person {
                app_id: part,
                ..BY_OPEN
            },
            Person {
                union: Some(union),
                ..BY_OPEN
            },
            Person {
                union: Some(Union {
                    environment: part,
                    id: "u",
                }),
                ..BY_OPEN
            },
        ] {
            let outcome = accounts.account_of(&person, START).await;
            assert!(
                matches!(outcome, Err(IdentityError::Refused(Refusal::Malformed))),
                "{part:?}"
            );
        }
    }
    let union = Some(Union {
        environment: PRODUCTION,
        id: &long,
    });
    for (field, person) in [
        (
            "open_id",
            Person {
                open_id: Some(&long),
                ..NOBODY
            },
        ),
        (
            "app_id",
            Person {
                app_id: &long,
                ..BY_OPEN
            },
        ),
        ("union_id", Person { union, ..BY_OPEN }),
    ] {
        let error = accounts.account_of(&person, START).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("{field}: is longer than 256 bytes")
        );
    }
    assert!(bench.items().await.is_empty());
}

#[tokio::test]
async fn a_reply_that_would_join_two_users_of_an_app_joins_nobody() {
    let bench = Bench::new().await;
    let one = bench.arrives(&BY_BOTH, START).await;

    // The open id of one with the user id of another: unknown, then known, then with an open id of its own.
    let mixed = Person {
        user_id: Some(OTHER_USER),
        ..BY_BOTH
    };
    let logs = Logs::kept();
    let other = bench.arrives(&mixed, after(1)).await;
    assert_ne!(other, one);
    assert!(logs.has(&["ERROR", "second user id"]));
    assert_eq!(bench.returns(&mixed).await, other);

    // A union id is no way in either.
    bench
        .returns(&Person {
            union: UNION,
            ..BY_USER
        })
        .await;
    let third = Person {
        user_id: Some("2088000000000003"),
        union: UNION,
        ..NOBODY
    };
    let third = bench.arrives(&third, after(2)).await;
    assert!(third != one && third != other);

    assert_eq!(bench.returns(&BY_USER).await, one);
    assert_eq!(bench.returns(&BY_OPEN).await, one);
    assert_consistent(&bench.items().await);
}

// Many at once.

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_first_logins_at_once_make_one_account() {
    let bench = Bench::new().await;
    let people = [
        BY_BOTH,
        Person {
            union: UNION,
            ..BY_BOTH
        },
    ];
    let tables: Vec<_> = (0..4).map(|_| bench.table_of_another_process()).collect();
    let logins = (0..64).map(|i| {
        let accounts = Accounts::new(tables[i % 4].clone());
        tokio::spawn(async move { accounts.account_of(&people[i / 4 % 2], START).await })
    });
    let found = all(logins).await;
    assert_eq!(found.iter().filter(|account| account.is_new).count(), 1);
    assert!(found.iter().all(|account| account.uid == found[0].uid));
    let items = bench.items().await;
    assert_eq!(items.len(), 4);
    assert_consistent(&items);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_logins_at_once_merge_two_accounts_once() {
    let bench = Bench::new().await;
    let older = bench.arrives(&BY_OPEN, START).await;
    let younger = bench.arrives(&BY_USER, after(1)).await;
    let people = [
        BY_BOTH,
        Person {
            union: UNION,
            ..BY_BOTH
        },
        // These read what the others are moving.
        BY_USER,
        Person {
            union: UNION,
            ..BY_USER
        },
    ];
    let logins = (0..16).map(|i| {
        let accounts = Accounts::new(bench.table_of_another_process());
        tokio::spawn(async move { accounts.account_of(&people[i % 4], after(2)).await })
    });
    for account in all(logins).await {
        assert!(!account.is_new);
        let stored = bench.accounts().get(&account.uid).await.unwrap().unwrap();
        assert_eq!(stored.uid, older);
    }
    assert_eq!(bench.returns(&BY_USER).await, older);
    let items = bench.items().await;
    assert_consistent(&items);
    let merged = items
        .iter()
        .filter(|row| !text(row, "merged_into").is_empty());
    assert_eq!(
        merged.map(|row| text(row, "uid")).collect::<Vec<_>>(),
        [younger.as_str()]
    );
}

// A table that does not answer.

#[tokio::test]
async fn a_first_login_whose_reply_was_lost_makes_one_account() {
    let bench = Bench::new().await;
    let proxy = Proxy::before(bench.endpoint).await.unwrap();
    let accounts = Accounts::new(bench.table_through(proxy.address));
    proxy.arm("TransactWriteItems", Fault::LoseReply, 1);
    let account = accounts.account_of(&BY_BOTH, START).await.unwrap();
    assert_eq!(proxy.suffered(), 1);
    assert!(account.is_new);
    assert_eq!(bench.returns(&BY_BOTH).await, account.uid);
    assert_eq!(bench.items().await.len(), 3);
}

#[tokio::test]
async fn a_first_login_that_learns_nothing_of_its_write_is_unavailable_and_the_next_finds_the_account()
 {
    let bench = Bench::new().await;
    let proxy = Proxy::before(bench.endpoint).await.unwrap();
    let accounts = Accounts::new(bench.table_through(proxy.address));
    proxy.arm("TransactWriteItems", Fault::LoseReply, 3);
    let error = accounts.account_of(&BY_BOTH, START).await.unwrap_err();
    assert!(matches!(error, IdentityError::Table(_)) && error.is_transient());
    let account = accounts.account_of(&BY_BOTH, START).await.unwrap();
    assert!(!account.is_new);
    assert_eq!(bench.items().await.len(), 3);
}

#[tokio::test]
async fn a_step_is_done_wholly_or_not_at_all() {
    let every_step: [(&str, &[Person<'_>], Person<'_>); 3] = [
        ("make", &[], BY_BOTH),
        ("link", &[BY_USER], BY_BOTH),
        ("merge", &[BY_USER, BY_OPEN], BY_BOTH),
    ];
    for (step, before, person) in every_step {
        for fault in [Fault::LoseRequest, Fault::LoseReply] {
            let bench = Bench::new().await;
            for (i, person) in before.iter().enumerate() {
                bench.arrives(person, after(i as u64)).await;
            }
            let untouched = sorted(bench.items().await);
            let proxy = Proxy::before(bench.endpoint).await.unwrap();
            let accounts = Accounts::new(bench.table_through(proxy.address));
            proxy.arm("TransactWriteItems", fault, 3);
            assert!(
                accounts.account_of(&person, after(9)).await.is_err(),
                "{step}"
            );
            let items = bench.items().await;
            assert_consistent(&items);
            assert_eq!(
                sorted(items) == untouched,
                matches!(fault, Fault::LoseRequest),
                "{step}"
            );

            let uid = bench.log_in(&person, after(9)).await.uid;
            assert_eq!(bench.returns(&BY_USER).await, uid);
            assert_eq!(bench.returns(&BY_OPEN).await, uid);
            assert_consistent(&bench.items().await);
        }
    }
}

#[tokio::test]
async fn damaged_rows_are_named_by_their_field_and_lead_nowhere() {
    let bench = Bench::new().await;
    let uid = bench.arrives(&BY_USER, START).await;
    let mut alias = bench.items_under("ALIAS#").await.remove(0);
    let mut account = bench.items_under("ACCOUNT#").await.remove(0);

    account.insert("created_at".into(), AttributeValue::S("yesterday".into()));
    bench.overwrite(account.clone()).await;
    let error = bench.accounts().get(&uid).await.unwrap_err();
    assert_eq!(error.to_string(), "a stored record is damaged: created_at");

    alias.insert("uid".into(), AttributeValue::S("somebody".into()));
    bench.overwrite(alias).await;
    let error = bench
        .accounts()
        .account_of(&BY_USER, START)
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "a stored record is damaged: uid");
}

#[tokio::test]
async fn an_alias_that_an_account_lists_without_holding_it_is_not_carried_off_by_a_merge() {
    let bench = Bench::new().await;
    bench.arrives(&BY_USER, START).await;
    bench.arrives(&BY_OPEN, after(1)).await;
    let victim = Person {
        open_id: Some("open-2"),
        ..NOBODY
    };
    let uid = bench.arrives(&victim, START).await;
    let claimed = format!("ALIAS#OPEN#{APP}#open-2");
    for mut account in bench.items_under("ACCOUNT#").await {
        let Some(AttributeValue::Ss(aliases)) = account.get_mut("aliases") else {
            panic!("an account lists no aliases")
        };
        if !aliases.contains(&claimed) {
            aliases.push(claimed.clone());
            bench.overwrite(account).await;
        }
    }

    let error = bench
        .accounts()
        .account_of(&BY_BOTH, after(2))
        .await
        .unwrap_err();
    assert!(matches!(error, IdentityError::Conflict) && error.is_transient());
    assert_eq!(bench.returns(&victim).await, uid);
}

#[tokio::test]
async fn accounts_that_were_merged_in_a_circle_by_hand_end_the_reading() {
    let bench = Bench::new().await;
    let one = bench.arrives(&BY_USER, START).await;
    let mut account = bench.items_under("ACCOUNT#").await.remove(0);
    account.insert("merged_into".into(), AttributeValue::S(one.to_string()));
    bench.overwrite(account).await;
    let error = bench.accounts().get(&one).await.unwrap_err();
    assert!(matches!(
        error,
        IdentityError::Corrupt {
            field: "merged_into"
        }
    ));
}

#[tokio::test]
async fn an_account_that_was_never_made_is_none() {
    let bench = Bench::new().await;
    let uid = Uid::try_from("0".repeat(32)).unwrap();
    assert_eq!(bench.accounts().get(&uid).await.unwrap(), None);
}

// The migration at one stroke.

#[tokio::test]
async fn open_ids_that_alipay_names_for_known_users_lead_to_their_accounts() {
    let bench = Bench::new().await;
    let only_user = bench.arrives(&BY_USER, START).await;
    let both = Person {
        user_id: Some(OTHER_USER),
        open_id: Some("open-2"),
        ..NOBODY
    };
    bench.arrives(&both, START).await;
    let twice = Person {
        user_id: Some("2088000000000003"),
        ..NOBODY
    };
    let twice = bench.arrives(&twice, START).await;
    bench
        .arrives(
            &Person {
                open_id: Some("open-3"),
                ..NOBODY
            },
            after(1),
        )
        .await;
    let rows = bench.items_under("ACCOUNT#").await.len();

    let pairs = [
        (USER, OPEN),
        (OTHER_USER, "open-2"),
        ("2088000000000003", "open-3"),
        ("2088000000000004", "open-4"),
        // Contradicts what a reply of a login said.
        (USER, "open-2"),
        ("2088", "open-5"),
        (USER, ""),
    ]
    .map(|(user_id, open_id)| OpenIdOfUser { user_id, open_id });
    let accounts = bench.accounts();
    let count = accounts.link_open_ids(APP, &pairs, after(2)).await.unwrap();
    let expected = LinkedOpenIds {
        linked: 1,
        unchanged: 1,
        merged: 1,
        unknown: 1,
        refused: 3,
    };
    assert_eq!(count, expected);
    assert_eq!(bench.items_under("ACCOUNT#").await.len(), rows);

    assert_eq!(bench.returns(&BY_OPEN).await, only_user);
    assert_eq!(
        bench
            .returns(&Person {
                open_id: Some("open-3"),
                ..NOBODY
            })
            .await,
        twice
    );
    let again = accounts.link_open_ids(APP, &pairs, after(3)).await.unwrap();
    assert_eq!(
        again,
        LinkedOpenIds {
            linked: 0,
            unchanged: 3,
            merged: 0,
            ..expected
        }
    );
    assert_consistent(&bench.items().await);
}

// Addresses, and any order of replies.

#[tokio::test]
async fn separators_in_ids_do_not_let_two_people_share_an_alias() {
    let bench = Bench::new().await;
    let people = [
        ("a", "b#c"),
        ("a#b", "c"),
        ("a%23b", "c"),
        ("a", "b%23c"),
        ("a", "b|c"),
        ("a|b", "c"),
        ("a", "b"),
        ("a", "b "),
        ("ab", "c"),
        ("a#OPEN#b", "c"),
        ("a", "b#OPEN#c"),
        ("a", "UNION#b"),
        ("a%", "23b"),
        ("a%2", "3b"),
    ];
    let mut uids = BTreeSet::new();
    for (app_id, open_id) in people {
        let person = Person {
            app_id,
            open_id: Some(open_id),
            user_id: None,
            union: None,
        };
        assert!(
            uids.insert(bench.arrives(&person, START).await),
            "{app_id} {open_id}"
        );
    }
    assert_consistent(&bench.items().await);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Three people, each with an account at Alipay, an open id in each of two apps and perhaps a union id, log in in any order, each time
    /// under whatever Alipay names just then.
    #[test]
    fn nobody_ever_meets_somebody_elses_account_and_everybody_is_found_by_what_was_seen_together(
        logins in prop::collection::vec((0..3_usize, 0..2_usize, 0..3_u8, any::<bool>()), 1..24),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let bench = Bench::new().await;
            let mut owner_of = BTreeMap::new();
            for (moment, (who, app, named, with_union)) in logins.into_iter().enumerate() {
                let app_id = [APP, OTHER_APP][app];
                let user_id = format!("208800000000000{who}");
                let open_id = format!("open-{who}-in-{app}");
                let union_id = format!("union-{who}");
                let person = Person {
                    app_id,
                    user_id: (named != 1).then_some(user_id.as_str()),
                    open_id: (named != 0).then_some(open_id.as_str()),
                    union: with_union.then_some(Union { environment: PRODUCTION, id: &union_id }),
                };
                let account = bench.log_in(&person, after(moment as u64)).await;
                assert_eq!(*owner_of.entry(account.uid.clone()).or_insert(who), who);
                // The same reply again leads to the same account, and so does each of the app's ids in it.
                let again = bench.log_in(&person, after(moment as u64)).await;
                assert_eq!(again.uid, account.uid);
                for alone in [Person { open_id: None, union: None, ..person }, Person { user_id: None, union: None, ..person }] {
                    if alone.user_id.is_some() || alone.open_id.is_some() {
                        assert_eq!(bench.returns(&alone).await, account.uid);
                    }
                }
            }
            for (uid, who) in &owner_of {
                let stored = bench.accounts().get(uid).await.unwrap().unwrap();
                assert_eq!(owner_of.get(&stored.uid), Some(who));
            }
            assert_consistent(&bench.items().await);
        });
    }
}

fn sorted(mut items: Vec<Item>) -> Vec<Item> {
    items.sort_by(|one, other| text(one, "pk").cmp(text(other, "pk")));
    items
}

async fn all(
    logins: impl Iterator<Item = tokio::task::JoinHandle<Result<Account, IdentityError>>>,
) -> Vec<Account> {
    let running: Vec<_> = logins.collect();
    let mut accounts = Vec::new();
    for login in running {
        accounts.push(login.await.unwrap().unwrap());
    }
    accounts
}
