"""Our own rules of template.yaml about logins: whose word the API takes for who is signed in, and who may touch which rows of
identities. Which routes are open is in test_policy.py."""

import json
import re

import pytest
from expanded import expanded, expanded_with, functions, resources, routes, source, vk_api
from powers import IDENTITY_TABLE, ISSUER, LOGIN, NOTHING, POWERS, allowing, as_list, role_of, statements

# Who exchanges a code for a login, and so finds or makes an account.
LOGIN_FUNCTIONS = ["app-auth", "code2session", "h5-oauth", "oidc", "sdk-login"]

# ---- whose word is taken ----


def test_who_is_signed_in_is_told_by_an_id_token_of_our_issuer_for_a_named_audience():
    assert vk_api()["components"]["securitySchemes"]["SignedIn"] == {
        "type": "oauth2",
        "x-amazon-apigateway-authorizer": {
            "type": "jwt",
            "identitySource": "$request.header.Authorization",
            "jwtConfiguration": {"issuer": ISSUER, "audience": {"Fn::Split": [",", {"Ref": "SignedInAudience"}]}},
        },
    }
    assert "Default" not in source()["Parameters"]["SignedInAudience"], "whom to trust is the deployment's to say"


def test_every_function_that_signs_or_reads_tokens_is_told_the_issuer_that_the_authorizer_asks():
    told = {
        folder
        for folder, function in functions().items()
        if function.get("Environment", {}).get("Variables", {}).get("LOGIN_ISSUER") == ISSUER
    }
    assert told == {*LOGIN_FUNCTIONS, "session"}


def test_no_verdict_about_a_token_is_kept_from_one_route_for_another():
    # API Gateway keeps verdicts of Lambda authorizers only, and there is none.
    assert not resources("AWS::ApiGatewayV2::Authorizer")
    assert set(vk_api()["components"]["securitySchemes"]) == {"AWS_IAM", "SignedIn"}
    assert "authorizerResultTtlInSeconds" not in json.dumps(expanded())


def test_the_authorizer_is_made_when_its_issuer_can_be_asked():
    needed = {"LoginApiStage", "SessionPermission"} | {
        name for name, route in resources("AWS::ApiGatewayV2::Route").items() if "/.well-known/" in route["RouteKey"]
    }
    assert len(needed) == 4
    assert needed <= set(expanded()["Resources"]["Api"]["DependsOn"])


@pytest.mark.parametrize("issuer", ["", "https://login.example.com"])
def test_an_issuer_can_be_named(issuer):
    assert re.fullmatch(source()["Parameters"]["LoginIssuer"]["AllowedPattern"], issuer)


@pytest.mark.parametrize(
    "issuer",
    ["https://login.example.com/", "https://login.example.com/v2", "http://login.example.com", "https://login.example.com?a=b", "login"],
)
def test_an_issuer_that_no_token_could_name_in_the_same_letters_is_refused(issuer):
    assert not re.fullmatch(source()["Parameters"]["LoginIssuer"]["AllowedPattern"], issuer)


# ---- the login API ----


def stage_of_logins() -> dict:
    (stage,) = [stage for stage in resources("AWS::ApiGatewayV2::Stage").values() if stage["ApiId"] == {"Ref": "LoginApi"}]
    return stage


def test_the_login_api_is_served_at_its_root_and_always_as_the_template_says():
    assert (stage_of_logins()["StageName"], stage_of_logins()["AutoDeploy"]) == ("$default", True)


def test_api_gateway_may_call_each_function_behind_the_login_api_for_that_api():
    behind = {integration["IntegrationUri"]["Fn::GetAtt"][0] for integration in resources("AWS::ApiGatewayV2::Integration").values()}
    assert behind == {"SdkLogin", "Session", "H5Oauth", "Oidc", "PayNotify"}
    allowed = {
        permission["FunctionName"]["Ref"]
        for permission in resources("AWS::Lambda::Permission").values()
        if ":${LoginApi}/" in json.dumps(permission["SourceArn"])
    }
    assert allowed == behind


def test_every_integration_speaks_the_format_that_the_functions_read_first():
    for integration in resources("AWS::ApiGatewayV2::Integration").values():
        assert (integration["IntegrationType"], integration["PayloadFormatVersion"]) == ("AWS_PROXY", "2.0")
        assert integration["ApiId"] == {"Ref": "LoginApi"}


# ---- what the public can use up ----

LOGIN_LIMITS = ({"Ref": "LoginRequestsPerSecond"}, {"Ref": "LoginBurst"})


def limits(settings: dict) -> tuple:
    return settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]


def test_every_public_route_has_the_limits_of_logins_and_what_verifiers_read_has_more():
    (vk_stage,) = [stage for stage in resources("AWS::ApiGatewayV2::Stage").values() if stage["ApiId"] == {"Ref": "Api"}]
    rate, burst = (source()["Parameters"][limit["Ref"]]["Default"] for limit in LOGIN_LIMITS)
    login_stage = stage_of_logins()
    assert limits(login_stage["DefaultRouteSettings"]) == LOGIN_LIMITS
    for route in routes():
        if route.authorizer != "NONE" or route.folder == "pay-notify":
            continue
        key = f"{route.method} {route.path}"
        if route.path.startswith("/openapi/"):
            assert limits(vk_stage["RouteSettings"][key]) == LOGIN_LIMITS, key
        elif route.path.startswith("/.well-known/"):
            more_often, more_at_once = limits(login_stage["RouteSettings"][key])
            assert more_often > rate and more_at_once > burst, key
        else:
            assert key not in login_stage["RouteSettings"], key
    usual_rate, usual_burst = limits(vk_stage["DefaultRouteSettings"])
    assert 0 < rate < usual_rate and 0 < burst < usual_burst


def test_settings_are_made_for_routes_that_are_there_by_then():
    stage = expanded()["Resources"]["LoginApiStage"]
    there = {resources("AWS::ApiGatewayV2::Route")[name]["RouteKey"] for name in stage["DependsOn"]}
    assert there == set(stage["Properties"]["RouteSettings"])


def test_what_the_public_may_call_can_be_kept_from_using_up_the_accounts_environments():
    limited = {
        folder
        for folder, function in functions().items()
        if function.get("ReservedConcurrentExecutions")
        == {"Fn::If": ["HasLoginConcurrency", {"Ref": "LoginConcurrency"}, {"Ref": "AWS::NoValue"}]}
    }
    # That of Alipay's notices has a limit of its own, which test_payments.py looks for.
    assert limited == {route.folder for route in routes() if route.authorizer == "NONE"} - {"pay-notify"}


# ---- calls from other origins ----


def cors_of_the_apis(template: dict) -> list[dict]:
    apis = template["Resources"]
    return [apis["LoginApi"]["Properties"]["CorsConfiguration"], apis["Api"]["Properties"]["Body"]["x-amazon-apigateway-cors"]]


def test_without_named_origins_no_page_may_call_from_a_browser():
    assert source()["Parameters"]["BrowserOrigins"]["Default"] == ""
    assert source()["Conditions"]["HasBrowserOrigins"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "BrowserOrigins"}, ""]}]}
    for cors in cors_of_the_apis(expanded()):
        condition, _, otherwise = cors["Fn::If"]
        assert (condition, otherwise) == ("HasBrowserOrigins", NOTHING)


def test_a_page_of_a_named_origin_may_call_without_credentials():
    for cors in cors_of_the_apis(expanded_with(BrowserOrigins="https://a.example.com,https://b.example.com")):
        _, chosen, _ = cors["Fn::If"]
        properties = {name[0].lower() + name[1:]: value for name, value in chosen.items()}
        separator, origins = properties["allowOrigins"]["Fn::Split"]
        # SAM puts the value in for the parameter, and leaves the parameter where it does not look.
        assert separator == "," and origins in ({"Ref": "BrowserOrigins"}, "https://a.example.com,https://b.example.com")
        assert "allowCredentials" not in properties
        assert "*" not in properties["allowMethods"] + properties["allowHeaders"]
        assert {"authorization", "content-type"} <= set(properties["allowHeaders"])


@pytest.mark.parametrize(
    "origins", ["", "https://www.example.com", "https://a.example.com,https://b.example.com:8443", "http://localhost:5173"]
)
def test_origins_can_be_named(origins):
    assert re.fullmatch(source()["Parameters"]["BrowserOrigins"]["AllowedPattern"], origins)


@pytest.mark.parametrize(
    "origins",
    [
        "*", "null", "https://*", "https://*.example.com", "https://a.example.com,*", "http://www.example.com",
        "https://www.example.com/", "https://a.example.com,", "https://a@evil.example.com",
    ],
)
def test_an_origin_that_is_a_pattern_or_none_is_refused(origins):
    assert not re.fullmatch(source()["Parameters"]["BrowserOrigins"]["AllowedPattern"], origins)


# ---- who may do what with identities: said once more in other words, so that a slip in POWERS is one here ----


def powers_over_identities() -> dict[str, dict[str, set[str]]]:
    """Folder to beginnings of keys to the actions on those rows."""
    found: dict[str, dict[str, set[str]]] = {}
    for folder, function in functions().items():
        for statement in statements(role_of(function)):
            if IDENTITY_TABLE not in as_list(statement["Resource"]):
                continue
            (keys,) = statement["Condition"]["ForAllValues:StringLike"].values()
            for key in as_list(keys):
                actions = {action.removeprefix("dynamodb:") for action in as_list(statement["Action"])}
                found.setdefault(folder, {}).setdefault(key, set()).update(actions)
    return found


def test_nobody_deletes_searches_or_lists_identities():
    actions = {action for rows in powers_over_identities().values() for of_rows in rows.values() for action in of_rows}
    assert actions == {"GetItem", "PutItem", "UpdateItem"}


def test_accounts_are_found_and_made_by_logins_given_more_ids_by_one_function_and_only_read_by_session():
    of_accounts = {folder: rows["ACCOUNT#*"] for folder, rows in powers_over_identities().items() if "ACCOUNT#*" in rows}
    assert of_accounts.pop("session") == {"GetItem"}
    known_by_ids = sorted([*LOGIN_FUNCTIONS, "link-open-ids"])
    assert sorted(of_accounts) == known_by_ids
    assert sorted(folder for folder, rows in powers_over_identities().items() if "ALIAS#*" in rows) == known_by_ids


def test_sessions_are_begun_by_one_function_and_changed_by_another():
    of_sessions = {folder: rows["SESSION#*"] for folder, rows in powers_over_identities().items() if "SESSION#*" in rows}
    assert of_sessions == {"sdk-login": {"PutItem"}, "session": {"GetItem", "UpdateItem"}}


def test_what_is_used_once_belongs_to_one_function_each():
    owners = {key: folder for folder, rows in powers_over_identities().items() for key in rows if key.startswith("ONCE#")}
    assert owners == {
        "ONCE#SSO-TICKET#*": "session",
        "ONCE#NONCE#*": "session",
        "ONCE#H5-*": "h5-oauth",
        "ONCE#OIDC-*": "oidc",
        "ONCE#LOGIN-TARGET#*": "app-auth",
    }


def test_rows_of_identities_are_named_by_everybody_who_may_touch_the_table():
    for folder, rows in powers_over_identities().items():
        assert not {"*", "ONCE#*"} & set(rows), folder


def test_the_login_document_is_for_those_who_sign_tokens_or_know_clients():
    given = [folder for folder, statement in allowing("secretsmanager:GetSecretValue") if LOGIN in as_list(statement["Resource"])]
    assert sorted(given) == sorted([*LOGIN_FUNCTIONS, "session"])


def test_session_knows_nothing_of_alipay():
    function = functions()["session"]
    assert statements(role_of(function)), "it has a role of its own"
    for word in ("AppsSecretArn", "TokenKeysSecretArn", "TokenTable"):
        assert word not in json.dumps([function, role_of(function)])
    for name in ("ALIPAY_CONFIG_SECRET", "ALIPAY_ALLOW_CALLER_KEYS"):
        assert function["Environment"]["Variables"][name] == NOTHING
    assert POWERS["session"]["secrets"] == [LOGIN]


# ---- what is told ----


def test_a_session_token_that_comes_back_raises_an_alarm():
    (metric,) = [
        metric for metric in resources("AWS::Logs::MetricFilter").values() if metric["LogGroupName"] == {"Ref": "SessionLogs"}
    ]
    assert metric["FilterPattern"] == '{ $.refusal = "reused" }', "the name of the refusal in the log of session"
    (transformation,) = metric["MetricTransformations"]
    (alarm,) = [alarm for alarm in resources("AWS::CloudWatch::Alarm").values() if alarm["MetricName"] == transformation["MetricName"]]
    assert alarm["Namespace"] == transformation["MetricNamespace"]
    assert (alarm["Statistic"], alarm["ComparisonOperator"], alarm["Threshold"]) == ("Sum", "GreaterThanThreshold", 0)
    assert expanded()["Resources"]["ReusedSessionsMetric"]["Condition"] == "HasAlarmTopic", "custom metrics cost money each"
