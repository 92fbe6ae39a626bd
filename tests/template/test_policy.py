"""Our own rules of template.yaml: who may call, what each function may do, what is kept, how long things may take."""

import json
import re
from graphlib import CycleError, TopologicalSorter

import pytest
from expanded import expanded, functions, resources, routes, source
from powers import APPS, FOLDERS, IDENTITY_TABLE, ORDER_TABLE, POWERS, SCHEDULED, TABLE, WITHOUT_ROUTE, as_list, role_of, statements

# Open to everybody, and what the function asks of its caller instead. A route that is not here needs an authorizer.
PUBLIC_ROUTES = {
    ("POST", "/openapi/alipay/auth/code2Session"): "a code of Alipay's",
    ("POST", "/openapi/alipay/app/getAuthInfo"): "nothing: what it answers begins a login",
    ("POST", "/openapi/alipay/app/login"): "a code of Alipay's and the target_id that was given out for it",
    ("POST", "/api/v2/sdk/login/alipay"): "a code of Alipay's",
    ("POST", "/api/v3/sdk/login/alipay"): "a code of Alipay's",
    ("POST", "/api/v2/sdk/login/alipay-miniprogram"): "a code of Alipay's",
    ("POST", "/api/v2/sdk/session-token/refresh-id-token"): "a session token",
    ("POST", "/api/v2/sdk/logout"): "a session token",
    ("GET", "/api/v2/sdk/logout"): "a session token",
    ("GET", "/api/v2/sdk/public-key"): "nothing: it is public by its nature",
    ("GET", "/api/v2/sdk/server-date"): "nothing: it is public by its nature",
    ("POST", "/api/v2/tenant/token"): "a client's secret",
    ("POST", "/api/v2/tenant/sso/session-token/sso-ticket"): "a client's bearer token and a session token",
    ("POST", "/api/v2/tenant/sso/sso-ticket/verify"): "a client's bearer token and a ticket",
    ("POST", "/api/v2/tenant/sso/session-token/refresh"): "a client's bearer token and a session token",
    ("GET", "/.well-known/openid-configuration"): "nothing: it is public by its nature",
    ("GET", "/.well-known/jwks.json"): "nothing: it is public by its nature",
    ("GET", "/h5/authorize"): "an address to return to that is on the list",
    ("GET", "/h5/callback"): "a code of Alipay's, and the state that this browser was given",
    ("POST", "/h5/ticket"): "a ticket",
    ("GET", "/authorize"): "a client and one of its addresses",
    ("POST", "/authorize"): "a client and one of its addresses",
    ("GET", "/oidc/callback"): "a code of Alipay's, and the state that this browser was given",
    ("POST", "/token"): "a code of ours, with the client's secret or the verifier of the code's challenge",
    ("GET", "/userinfo"): "an access token",
    ("POST", "/userinfo"): "an access token",
    ("POST", "/notify/{appid}"): "a signature of Alipay's over the fields",
}

# Only for users who are signed in, by an id_token.
SIGNED_IN_ROUTES = {
    ("POST", "/openapi/alipay/acode/getMiniCode"),
    ("POST", "/openapi/alipay/acode/getTempMiniCode"),
    ("POST", "/openapi/alipay/security/msgSecCheck"),
    ("POST", "/openapi/alipay/security/imgSecCheck"),
    ("POST", "/openapi/alipay/decrypt/getPhoneNumber"),
    ("POST", "/openapi/alipay/decrypt/decryptData"),
    ("POST", "/openapi/alipay/urlscheme/generate"),
    ("POST", "/openapi/alipay/urllink/generate"),
    ("POST", "/openapi/alipay/user/getUserInfo"),
}

# Seconds. The gateway client gives a call up after 5; a stored token may have to be refreshed before it; the last
# second of an invocation is kept for the answer.
GATEWAY_CALL = 5
API_GATEWAY_LIMIT = 29
CLI_LIMIT = 60


def test_every_folder_of_functions_is_deployed_and_nothing_else():
    assert sorted(functions()) == FOLDERS


def test_the_powers_of_every_function_are_written_down():
    assert sorted(POWERS) == FOLDERS


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_code_of_a_function_is_where_cargo_lambda_puts_it(folder):
    assert functions()[folder]["CodeUri"] == f"target/lambda/{folder}"


def let_through_by(authorizer: str) -> set[tuple[str, str]]:
    return {(route.method, route.path) for route in routes() if route.authorizer == authorizer}


def test_a_route_has_an_authorizer_or_is_on_the_public_list():
    assert let_through_by("NONE") == set(PUBLIC_ROUTES)


def test_the_routes_of_signed_in_users_ask_for_an_id_token():
    assert let_through_by("SignedIn") == SIGNED_IN_ROUTES


def test_every_other_route_asks_for_a_signature_of_iam():
    every = {(route.method, route.path) for route in routes()}
    assert let_through_by("AWS_IAM") == every - set(PUBLIC_ROUTES) - SIGNED_IN_ROUTES


def test_no_route_is_there_twice():
    addresses = [(route.method, route.path) for route in routes()]
    assert len(addresses) == len(set(addresses))


def test_every_function_has_a_route_but_those_of_the_operator_and_the_schedule():
    assert {route.folder for route in routes()} == set(FOLDERS) - WITHOUT_ROUTE


def dependencies() -> dict[str, set[str]]:
    """What each resource of the expanded template has to wait for."""
    known = expanded()["Resources"]

    def named(node) -> set[str]:
        if isinstance(node, list):
            return {name for part in node for name in named(part)}
        if not isinstance(node, dict):
            return set()
        names = {name for part in node.values() for name in named(part)}
        if "Ref" in node:
            names.add(node["Ref"])
        if "Fn::GetAtt" in node:
            names.add(node["Fn::GetAtt"][0])
        if "Fn::Sub" in node:
            text = as_list(node["Fn::Sub"])[0]
            names.update(re.findall(r"\$\{([A-Za-z0-9]+)", text))
        return names

    return {
        name: (named(resource.get("Properties", {})) | set(as_list(resource.get("DependsOn", [])))) & set(known)
        for name, resource in known.items()
    }


def test_no_resource_waits_for_itself():
    waiting = dependencies()
    TopologicalSorter(waiting).prepare()
    # It would be found: functions are told the address of the API that calls them.
    assert "LoginApi" in waiting["Session"]
    with pytest.raises(CycleError):
        TopologicalSorter(waiting | {"LoginApi": {"SessionIntegration"}}).prepare()


def test_there_is_no_function_url_and_no_permission_for_everybody():
    assert not resources("AWS::Lambda::Url")
    scheduled = {functions()[folder]["id"] for folder in SCHEDULED}
    principals = set()
    for permission in resources("AWS::Lambda::Permission").values():
        assert "SourceArn" in permission
        principals.add((permission["Principal"], permission["FunctionName"]["Ref"] in scheduled))
    # API Gateway calls the functions that have a route, a schedule calls two that have none.
    assert principals == {("apigateway.amazonaws.com", False), ("events.amazonaws.com", True)}


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_role_allows_what_its_function_does_and_nothing_more(folder):
    function = functions()[folder]
    powers = POWERS[folder]
    role = role_of(function)
    log_group = function["LoggingConfig"]["LogGroup"]["Ref"]

    assert set(role) == {"AssumeRolePolicyDocument", "Policies"}, "no managed policy"
    unseen = statements(role)
    for statement in unseen:
        assert statement["Effect"] == "Allow"
        assert {"Sid", "Effect", "Action", "Resource"} <= set(statement) <= {"Sid", "Effect", "Action", "Resource", "Condition"}

    def take(actions: list[str], resource: list, condition: dict | None) -> None:
        for statement in unseen:
            if (
                sorted(as_list(statement["Action"])) == actions
                and as_list(statement["Resource"]) == resource
                and statement.get("Condition") == condition
            ):
                unseen.remove(statement)
                return
        pytest.fail(f"{folder}: no statement allows {actions} on {resource} where {condition}")

    if powers["secrets"]:
        take(["secretsmanager:GetSecretValue"], powers["secrets"], None)
    for actions, keys in powers["rows"]:
        take(actions, [TABLE], {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": keys}})
    for actions, keys in powers["identity"]:
        take(actions, [IDENTITY_TABLE], {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": keys}})
    for actions, keys in powers["orders"]:
        take(actions, [ORDER_TABLE], {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": keys}})
    for actions, things in powers["beside"]:
        take(actions, things, None)
    take(["logs:CreateLogStream", "logs:PutLogEvents"], [{"Fn::GetAtt": [log_group, "Arn"]}], None)
    # X-Ray's actions know no narrower resource. It is the one `*`.
    take(["xray:PutTelemetryRecords", "xray:PutTraceSegments"], ["*"], None)
    assert unseen == []


def test_no_role_is_made_beside_those_of_the_functions():
    assert len(resources("AWS::IAM::Role")) == len(FOLDERS)
    assert not resources("AWS::IAM::Policy") and not resources("AWS::IAM::ManagedPolicy")
    for role in resources("AWS::IAM::Role").values():
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_environment_names_what_the_function_may_read(folder):
    deployed = resources("AWS::Lambda::Function")[functions()[folder]["id"]]
    expected = {
        "ALIPAY_CONFIG_SECRET": APPS,
        "ALIPAY_ALLOW_CALLER_KEYS": {"Ref": "AllowCallerKeys"},
        "CONFIGURATION_VERSION": {"Ref": "ConfigurationVersion"},
        "RUST_LOG": "info",
    }
    assert deployed["Environment"]["Variables"] == expected | POWERS[folder]["settings"]


@pytest.mark.parametrize("folder", sorted(set(FOLDERS) - WITHOUT_ROUTE))
def test_a_function_ends_before_its_caller_gives_up_and_after_its_own_calls_can(folder):
    deployed = resources("AWS::Lambda::Function")[functions()[folder]["id"]]
    assert 2 * GATEWAY_CALL + 1 < deployed["Timeout"] < API_GATEWAY_LIMIT


def test_the_operators_function_ends_before_the_cli_gives_up():
    deployed = resources("AWS::Lambda::Function")[functions()["link-open-ids"]["id"]]
    assert 2 * GATEWAY_CALL + 1 < deployed["Timeout"] < CLI_LIMIT


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_function_logs_json_to_a_group_that_forgets(folder):
    deployed = resources("AWS::Lambda::Function")[functions()[folder]["id"]]
    assert deployed["LoggingConfig"]["LogFormat"] == "JSON"
    group = resources("AWS::Logs::LogGroup")[deployed["LoggingConfig"]["LogGroup"]["Ref"]]
    assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"}


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_function_is_traced_and_runs_the_bootstrap_of_the_chosen_architecture(folder):
    deployed = resources("AWS::Lambda::Function")[functions()[folder]["id"]]
    assert deployed["TracingConfig"] == {"Mode": "Active"}
    assert deployed["Runtime"] == "provided.al2023"
    assert deployed["Handler"] == "bootstrap"
    assert source()["Parameters"]["Architecture"]["Default"] == "arm64"


@pytest.mark.parametrize("folder", FOLDERS)
def test_errors_throttles_and_slow_calls_of_a_function_raise_an_alarm(folder):
    function_id = functions()[folder]["id"]
    watched = {
        (alarm["MetricName"], alarm.get("Statistic") or alarm.get("ExtendedStatistic"))
        for alarm in resources("AWS::CloudWatch::Alarm").values()
        if alarm.get("Dimensions") == [{"Name": "FunctionName", "Value": {"Ref": function_id}}]
    }
    assert watched == {("Errors", "Sum"), ("Throttles", "Sum"), ("Duration", "p99")}


def test_every_alarm_tells_the_topic_and_none_is_made_and_paid_for_without_one():
    for name, alarm in resources("AWS::CloudWatch::Alarm").items():
        assert alarm["AlarmActions"] == [{"Ref": "AlarmTopicArn"}], name
        assert expanded()["Resources"][name]["Condition"] == "HasAlarmTopic", name


def test_each_api_logs_each_call_without_bodies_queries_or_credentials():
    logs = set()
    for stage in resources("AWS::ApiGatewayV2::Stage").values():
        group, _ = stage["AccessLogSettings"]["DestinationArn"]["Fn::GetAtt"]
        logs.add(group)
        assert resources("AWS::Logs::LogGroup")[group]["RetentionInDays"] == {"Ref": "LogRetentionDays"}
        entry = json.loads(stage["AccessLogSettings"]["Format"])
        assert {"requestId", "routeKey", "status", "latencyMs"} <= set(entry)
        # The paths of a login have codes and states in their query.
        revealing = ("authorizer", "header", "$context.path", "querystring", "identity.user")
        assert not any(word in value for value in entry.values() for word in revealing)
    assert logs == {"ApiLogs", "LoginApiLogs"}


def test_server_errors_of_each_api_raise_an_alarm():
    watched = {
        alarm["Dimensions"][0]["Value"]["Ref"]
        for alarm in resources("AWS::CloudWatch::Alarm").values()
        if (alarm["Namespace"], alarm["MetricName"]) == ("AWS/ApiGateway", "5xx")
    }
    assert watched == set(resources("AWS::ApiGatewayV2::Api"))


KEYS_OF_TABLES = {
    "TokenTable": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    "IdentityTable": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "OrderTable": [{"AttributeName": "pk", "KeyType": "HASH"}],
}


def test_there_is_no_table_beside_these():
    assert set(resources("AWS::DynamoDB::Table")) == set(KEYS_OF_TABLES)


@pytest.mark.parametrize("name", KEYS_OF_TABLES)
def test_a_table_outlives_the_stack_and_can_be_restored(name):
    table = expanded()["Resources"][name]
    assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain"
    properties = table["Properties"]
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["SSESpecification"] == {"SSEEnabled": True}
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
    assert properties["KeySchema"] == KEYS_OF_TABLES[name]


@pytest.mark.parametrize("name", KEYS_OF_TABLES)
def test_throttles_of_a_table_raise_an_alarm(name):
    watched = {
        alarm["MetricName"]
        for alarm in resources("AWS::CloudWatch::Alarm").values()
        if alarm.get("Dimensions") == [{"Name": "TableName", "Value": {"Ref": name}}]
    }
    assert watched == {"ReadThrottleEvents", "WriteThrottleEvents"}


def test_the_outputs_tell_the_addresses_the_tables_and_every_function():
    outputs = expanded()["Outputs"]
    assert {"ApiUrl", "LoginUrl", "NotifyUrl", "TokenTableName", "IdentityTableName", "OrderTableName", "EventBusName"} <= set(outputs)
    told = {output["Value"].get("Ref") for output in outputs.values()}
    assert {function["id"] for function in functions().values()} <= told
