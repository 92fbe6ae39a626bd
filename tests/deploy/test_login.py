"""A login of each kind at the deployed functions, over the routes that the template makes of them."""

import base64
import hashlib
import json
import secrets

from conftest import CLIENT
from login_api import Answer, LoginApi

DEVICE = {
    "X-operating-sys-version": "iOS 19.1",
    "X-device-fingerprint": "device-of-the-deploy-check",
    "X-agent": "alipay-functions deploy check",
    "X-client-id": CLIENT["clientId"],
}
# The same in the bodies of calls that a client's back end makes for its user.
DEVICE_FIELDS = {
    "operating_sys_version": DEVICE["X-operating-sys-version"],
    "device_fingerprint": DEVICE["X-device-fingerprint"],
    "device_ip": "203.0.113.7",
    "agent": DEVICE["X-agent"],
    "client_id": CLIENT["clientId"],
}
BASIC = "Basic " + base64.b64encode(f"{CLIENT['clientId']}:{CLIENT['clientSecret']}".encode()).decode()


def claims_of(token: str) -> dict:
    """What a token says. Its signature is another test's business."""
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def test_the_issuer_is_the_address_of_the_login_api_and_publishes_its_keys(login_api, functions):
    configuration = login_api.get("/.well-known/openid-configuration").json()
    assert configuration["issuer"] == functions["LoginUrl"]
    assert configuration["jwks_uri"] == functions["LoginUrl"] + "/.well-known/jwks.json"
    keys = login_api.get("/.well-known/jwks.json").json()["keys"]
    assert keys and all(key["kty"] == "RSA" and "d" not in key for key in keys), "public keys and no other"


def test_code2session_answers_a_token_that_the_authorizer_takes(invoke, simulator, functions):
    answer = invoke("Code2SessionFunction", {"code": simulator.code()})
    assert answer["code"] == 0, answer
    claims = claims_of(answer["token"])
    assert (claims["iss"], claims["aud"], claims["sub"]) == (functions["LoginUrl"], CLIENT["clientId"], answer["uid"])


def test_a_session_is_begun_carried_on_and_ended(login_api, simulator, aws, functions):
    begun = login_api.post("/api/v2/sdk/login/alipay", {"code": simulator.code()}, **DEVICE)
    assert begun.status == 200, begun
    session = begun.json()
    assert session["status"] == "SUCCESS" and session["session_token"].startswith("bts"), session

    fresh = login_api.post("/api/v2/sdk/session-token/refresh-id-token", {"session_token": session["session_token"]}, **DEVICE)
    assert fresh.status == 200, fresh
    assert claims_of(fresh.json()["id_token"])["sub"] == claims_of(session["id_token"])["sub"]

    tenant = login_api.post_form("/api/v2/tenant/token", {"grant_type": "client_credentials"}, Authorization=BASIC)
    assert tenant.status == 200, tenant
    bearer = {"Authorization": f"Bearer {tenant.json()['access_token']}"}
    presented = DEVICE_FIELDS | {"session_token": session["session_token"]}
    ticket = login_api.post("/api/v2/tenant/sso/session-token/sso-ticket", presented, **bearer)
    assert ticket.status == 200, ticket
    verify = DEVICE_FIELDS | {"sso_ticket": ticket.json()["sso_ticket"]}
    verified = login_api.post("/api/v2/tenant/sso/sso-ticket/verify", verify, **bearer)
    assert verified.status == 200, verified
    assert verified.json()["data"]["user"]["id"] == claims_of(session["id_token"])["sub"]
    assert login_api.post("/api/v2/tenant/sso/sso-ticket/verify", verify, **bearer).status == 401, "a ticket works once"

    rotated = login_api.post("/api/v2/tenant/sso/session-token/refresh", presented, **bearer)
    assert rotated.status == 200, rotated
    token = rotated.json()["session_token"]
    assert token != session["session_token"]
    rows = repr(aws("dynamodb").scan(TableName=functions["IdentityTableName"], ConsistentRead=True)["Items"])
    assert token not in rows and session["session_token"] not in rows, "a session token is stored in the clear"

    assert login_api.post("/api/v2/sdk/logout", {"session_token": token}, **DEVICE).status == 200
    after = login_api.post("/api/v2/sdk/session-token/refresh-id-token", {"session_token": token}, **DEVICE)
    assert after.status == 401, after


def at_alipay(login_api: LoginApi, simulator, begun: Answer, callback: str, scope: str) -> Answer:
    """The user agrees on Alipay's page, and their browser comes back to the callback."""
    _, asked = begun.sent_to()
    assert asked["redirect_uri"].endswith(callback) and asked["app_id"] == simulator.app["app_id"], asked
    answered = {"app_id": asked["app_id"], "scope": scope, "auth_code": simulator.code(), "state": asked["state"]}
    return login_api.get(callback, answered, Cookie=begun.cookies())


def test_a_login_on_a_web_page_is_handed_over_by_a_ticket(login_api, simulator, functions):
    (page,) = CLIENT["returnTo"]
    wanted = {"appid": simulator.app["app_id"], "scope": "auth_user", "return_to": page}
    begun = login_api.get("/h5/authorize", wanted)
    finished = at_alipay(login_api, simulator, begun, "/h5/callback", "auth_user")
    address, handed_over = finished.sent_to()
    assert address == page
    answer = login_api.post("/h5/ticket", {"ticket": handed_over["ticket"]}).json()
    assert answer["code"] == 0, answer
    assert claims_of(answer["token"])["iss"] == functions["LoginUrl"]
    again = login_api.post("/h5/ticket", {"ticket": handed_over["ticket"]}).json()
    assert again["code"] != 0, "a ticket works once"


def test_a_client_of_openid_connect_logs_a_user_in(login_api, simulator, functions):
    (page,) = CLIENT["redirectUris"]
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    wanted = {
        "response_type": "code",
        "client_id": CLIENT["clientId"],
        "redirect_uri": page,
        "scope": "openid profile",
        "state": "state-of-the-client",
        "nonce": "nonce-of-the-client",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    begun = login_api.get("/authorize", wanted)
    finished = at_alipay(login_api, simulator, begun, "/oidc/callback", "auth_user")
    address, response = finished.sent_to()
    assert (address, response["state"], response["iss"]) == (page, wanted["state"], functions["LoginUrl"])
    exchange = {"grant_type": "authorization_code", "code": response["code"], "redirect_uri": page, "code_verifier": verifier}
    tokens = login_api.post_form("/token", exchange, Authorization=BASIC)
    assert tokens.status == 200, tokens
    claims = claims_of(tokens.json()["id_token"])
    assert (claims["aud"], claims["nonce"]) == (CLIENT["clientId"], wanted["nonce"])
    user = login_api.get("/userinfo", Authorization=f"Bearer {tokens.json()['access_token']}")
    assert (user.status, user.json()["sub"]) == (200, claims["sub"]), user
    assert login_api.post_form("/token", exchange, Authorization=BASIC).status == 400, "a code works once"


def test_a_callback_in_another_browser_is_refused_and_spends_nothing(login_api, simulator):
    (page,) = CLIENT["returnTo"]
    begun = login_api.get("/h5/authorize", {"appid": simulator.app["app_id"], "scope": "auth_base", "return_to": page})
    _, asked = begun.sent_to()
    elsewhere = login_api.get("/h5/callback", {"auth_code": simulator.code(), "state": asked["state"]})
    assert elsewhere.status == 400, elsewhere
    assert at_alipay(login_api, simulator, begun, "/h5/callback", "auth_base").status == 302


def test_an_apps_plugin_gets_its_login_string_and_logs_its_user_in(invoke, simulator):
    begun = invoke("AppAuthFunction", {})
    assert begun["code"] == 0 and f"target_id={begun['target_id']}" in begun["value"], begun
    login = {"auth_code": simulator.code(), "target_id": begun["target_id"]}
    answer = invoke("AppAuthFunction", login)
    assert answer["code"] == 0, answer
    for field in ("uid", "openid", "name", "gender", "province", "city"):
        assert isinstance(answer[field], str), field
    assert invoke("AppAuthFunction", login | {"auth_code": simulator.code()})["code"] != 0, "a target_id works once"


def test_all_ways_of_logging_in_lead_to_one_account(invoke, login_api, simulator):
    user = "2088000000000301"
    by_code = invoke("Code2SessionFunction", {"code": simulator.code(user)})
    by_sdk = login_api.post("/api/v3/sdk/login/alipay", {"code": simulator.code(user)}, **DEVICE)
    assert claims_of(by_sdk.json()["id_token"])["sub"] == by_code["uid"]
