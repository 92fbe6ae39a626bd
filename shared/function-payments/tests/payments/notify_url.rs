use function_payments::NotifyUrl;

#[test]
fn the_address_of_an_apps_notices_is_the_base_and_the_app() {
    for (base, address) in [
        (
            "https://api.example.com",
            "https://api.example.com/notify/2021",
        ),
        (
            "https://api.example.com/",
            "https://api.example.com/notify/2021",
        ),
        (
            "https://api.example.com:8443",
            "https://api.example.com:8443/notify/2021",
        ),
        ("http://127.0.0.1:3000", "http://127.0.0.1:3000/notify/2021"),
        ("http://[::1]:3000", "http://[::1]:3000/notify/2021"),
        ("http://localhost:3000", "http://localhost:3000/notify/2021"),
    ] {
        assert_eq!(NotifyUrl::parse(base).unwrap().of_app("2021"), address);
    }
}

#[test]
fn what_is_no_base_address_is_refused() {
    for base in [
        "",
        "api.example.com",
        "https://",
        "http://api.example.com",
        "http://127.0.0.1.example.com",
        "ftp://api.example.com",
        "https://api.example.com/dev",
        "https://api.example.com?a=1",
        "https://api.example.com/#a",
        "https://user@api.example.com",
        "https://user:secret@api.example.com",
    ] {
        assert!(NotifyUrl::parse(base).is_err(), "{base}");
    }
}
