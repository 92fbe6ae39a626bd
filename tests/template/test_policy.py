"""Our own rules of template.yaml: who may call, what each function may do, what is kept, how long things may take."""

import json

import pytest
from expanded import expanded, functions, resources, source
from powers import APPS, FOLDERS, POWERS, TABLE, as_list, role_of, statements

# Open to everybody. A route that is not here needs an authorizer.
PUBLIC_ROUTES = {("POST", "/openapi/alipay/auth/code2Session")}

# Seconds. The gateway client gives a call up after 5; a stored token may have to be refreshed before it; the last
# second of an invocation is kept for the answer.
GATEWAY_CALL = 5
API_GATEWAY_LIMIT = 29


def http_api() -> dict:
    (api,) = resources("AWS::ApiGatewayV2::Api").values()
    return api["Body"]


def routes() -> list[tuple[str, str, dict]]:
    return [
        (method.upper(), path, operation)
        for path, operations in http_api()["paths"].items()
        for method, operation in operations.items()
    ]


def test_every_folder_of_functions_is_deployed_and_nothing_else():
    assert sorted(functions()) == FOLDERS


def test_the_powers_of_every_function_are_written_down():
    assert sorted(POWERS) == FOLDERS


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_code_of_a_function_is_where_cargo_lambda_puts_it(folder):
    assert functions()[folder]["CodeUri"] == f"target/lambda/{folder}"


def test_a_route_has_an_authorizer_or_is_on_the_public_list():
    # `NONE` is SAM's word for an open route; one without `security` is open as well.
    found_public = {
        (method, path) for method, path, operation in routes() if operation.get("security", []) in ([], [{"NONE": []}])
    }
    assert found_public == PUBLIC_ROUTES


def test_a_closed_route_asks_for_a_signature_of_iam():
    for method, path, operation in routes():
        if (method, path) not in PUBLIC_ROUTES:
            assert operation["security"] == [{"AWS_IAM": []}], f"{method} {path}"


def test_every_route_belongs_to_a_function():
    for method, path, operation in routes():
        uri = json.dumps(operation["x-amazon-apigateway-integration"]["uri"])
        assert any(f"${{{function['id']}.Arn}}" in uri for function in functions().values()), f"{method} {path}"


def test_the_public_route_is_throttled_more_tightly_than_the_rest():
    (stage,) = resources("AWS::ApiGatewayV2::Stage").values()
    parameters = source()["Parameters"]
    for method, path in PUBLIC_ROUTES:
        settings = stage["RouteSettings"][f"{method} {path}"]
        rate = parameters[settings["ThrottlingRateLimit"]["Ref"]]["Default"]
        burst = parameters[settings["ThrottlingBurstLimit"]["Ref"]]["Default"]
        assert 0 < rate < stage["DefaultRouteSettings"]["ThrottlingRateLimit"]
        assert 0 < burst < stage["DefaultRouteSettings"]["ThrottlingBurstLimit"]


def test_there_is_no_function_url_and_no_permission_for_everybody():
    assert not resources("AWS::Lambda::Url")
    principals = set()
    for permission in resources("AWS::Lambda::Permission").values():
        assert "SourceArn" in permission
        principals.add((permission["Principal"], permission["FunctionName"]["Ref"] == "RefreshTokens"))
    # API Gateway calls the functions that have a route, the schedule calls the one that has none.
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

    take(["secretsmanager:GetSecretValue"], powers["secrets"], None)
    for actions, keys in powers["rows"]:
        take(actions, [TABLE], {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": keys}})
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


@pytest.mark.parametrize("folder", [folder for folder in FOLDERS if folder != "refresh-tokens"])
def test_a_function_ends_before_its_caller_gives_up_and_after_its_own_calls_can(folder):
    deployed = resources("AWS::Lambda::Function")[functions()[folder]["id"]]
    assert 2 * GATEWAY_CALL + 1 < deployed["Timeout"] < API_GATEWAY_LIMIT


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


def test_the_api_logs_each_call_without_bodies_or_credentials():
    (stage,) = resources("AWS::ApiGatewayV2::Stage").values()
    assert stage["AccessLogSettings"]["DestinationArn"] == {"Fn::GetAtt": ["ApiLogs", "Arn"]}
    entry = json.loads(stage["AccessLogSettings"]["Format"])
    assert {"requestId", "routeKey", "status", "latencyMs"} <= set(entry)
    assert not any("authorizer" in value or "header" in value for value in entry.values())


def test_the_table_outlives_the_stack_and_can_be_restored():
    table = expanded()["Resources"]["TokenTable"]
    assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain"
    properties = table["Properties"]
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["SSESpecification"] == {"SSEEnabled": True}
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
    assert properties["KeySchema"] == [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ]


def test_the_outputs_tell_the_address_and_every_function():
    outputs = expanded()["Outputs"]
    assert "ApiUrl" in outputs
    told = {output["Value"].get("Ref") for output in outputs.values()}
    assert {function["id"] for function in functions().values()} <= told
