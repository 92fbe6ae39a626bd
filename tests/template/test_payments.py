"""Our own rules of template.yaml about payments: who may touch orders, who may tell of them, and how what was not told gets out."""

import json
import re

import pytest
from expanded import expanded, functions, resources, routes, source
from powers import (
    EVENT_BUS,
    LOGIN_ADDRESS,
    NOTHING,
    NOTIFY_URL,
    ORDER_TABLE,
    PUBLISH_DEAD_LETTERS,
    UNPUBLISHED_INDEX,
    allowing,
    as_list,
    role_of,
    statements,
    who_may,
)

# Seconds for which a run of publish-events claims an order, and after which it takes an order up that its writer did not finish.
CLAIM = 60
WRITERS_OWN_TIME = 30

# What a server of the merchant's may do with orders.
ROUTES_OF_ORDERS = {
    ("POST", "/openapi/alipay/app/getOrderStr"),
    ("POST", "/openapi/alipay/app/checkResult"),
    ("POST", "/openapi/alipay/trade/create"),
    ("POST", "/openapi/alipay/trade/query"),
    ("POST", "/openapi/alipay/trade/close"),
    ("POST", "/openapi/alipay/trade/refund"),
    ("POST", "/openapi/alipay/refund/query"),
}


def deployed(function: str) -> dict:
    return resources("AWS::Lambda::Function")[function]


# ---- who may do what with orders: said once more in other words, so that a slip in POWERS is one here ----


def powers_over_orders() -> dict[str, dict[str, set[str]]]:
    """Folder to beginnings of keys to the actions on those rows."""
    found: dict[str, dict[str, set[str]]] = {}
    for folder, function in functions().items():
        for statement in statements(role_of(function)):
            if ORDER_TABLE not in as_list(statement["Resource"]):
                continue
            (keys,) = statement["Condition"]["ForAllValues:StringLike"].values()
            for key in as_list(keys):
                actions = {action.removeprefix("dynamodb:") for action in as_list(statement["Action"])}
                found.setdefault(folder, {}).setdefault(key, set()).update(actions)
    return found


def test_an_order_is_made_by_the_merchants_call_alone_and_by_no_notice():
    makers = {folder for folder, rows in powers_over_orders().items() for key in rows if key == "ORDER#*" and "PutItem" in rows[key]}
    assert makers == {"app-pay"}


def test_rows_of_orders_are_for_three_functions_and_nobody_deletes_or_lists_them():
    assert powers_over_orders() == {
        "app-pay": {"ORDER#*": {"GetItem", "PutItem", "UpdateItem"}},
        "pay-notify": {"ORDER#*": {"GetItem", "UpdateItem"}, "MESSAGE#*": {"PutItem", "UpdateItem"}},
        "publish-events": {"ORDER#*": {"UpdateItem"}, "MESSAGE#*": {"UpdateItem"}},
    }


def test_only_publish_events_reads_the_index_of_unpublished_events():
    assert [folder for folder, statement in allowing("dynamodb:Query") if UNPUBLISHED_INDEX in as_list(statement["Resource"])] == [
        "publish-events"
    ]


def test_events_are_published_by_these_three_and_on_the_one_bus():
    assert who_may("events:PutEvents") == ["app-pay", "pay-notify", "publish-events"]
    for folder, statement in allowing("events:PutEvents"):
        assert statement["Resource"] == EVENT_BUS, folder
    actions = {
        action
        for function in functions().values()
        for statement in statements(role_of(function))
        for action in as_list(statement["Action"])
        if action.startswith("events:")
    }
    assert actions == {"events:PutEvents"}, "nobody changes rules"


@pytest.mark.parametrize("folder", ["app-pay", "pay-notify", "publish-events"])
def test_payments_have_no_part_in_tokens_and_logins(folder):
    function = functions()[folder]
    text = json.dumps([function, role_of(function)])
    for word in ("TokenKeysSecretArn", "RefreshTokenKeysSecretArn", "LoginSecretArn", "TokenTable", "IdentityTable"):
        assert word not in text, word


def test_publish_events_knows_nothing_of_alipay():
    function = functions()["publish-events"]
    assert statements(role_of(function)), "it has a role of its own"
    assert "AppsSecretArn" not in json.dumps([function, role_of(function)])
    for name in ("ALIPAY_CONFIG_SECRET", "ALIPAY_ALLOW_CALLER_KEYS"):
        assert function["Environment"]["Variables"][name] == NOTHING
    assert "publish-events" not in who_may("secretsmanager:GetSecretValue")


# ---- calls and notices ----


def test_orders_are_for_the_merchants_servers():
    assert {(route.method, route.path) for route in routes() if route.folder == "app-pay"} == ROUTES_OF_ORDERS
    assert {route.authorizer for route in routes() if route.folder == "app-pay"} == {"AWS_IAM"}


def test_alipay_sends_its_notices_to_the_address_that_app_pay_is_told():
    (route,) = [route for route in routes() if route.folder == "pay-notify"]
    assert (route.method, route.path, route.authorizer) == ("POST", "/notify/{appid}", "NONE")
    assert resources("AWS::ApiGatewayV2::Route")["PayNotifyRoute"]["ApiId"] == {"Ref": "LoginApi"}
    assert deployed("AppPay")["Environment"]["Variables"]["NOTIFY_URL"] == NOTIFY_URL
    assert NOTIFY_URL["Fn::If"][2] == LOGIN_ADDRESS, "the API that the route is of"
    assert expanded()["Outputs"]["NotifyUrl"]["Value"] == NOTIFY_URL
    assert source()["Parameters"]["NotifyUrl"]["Default"] == ""


@pytest.mark.parametrize("address", ["", "https://login.example.com"])
def test_an_address_of_ones_own_can_be_named(address):
    assert re.fullmatch(source()["Parameters"]["NotifyUrl"]["AllowedPattern"], address)


@pytest.mark.parametrize(
    "address",
    ["http://login.example.com", "https://login.example.com/", "https://login.example.com/pay", "https://login.example.com?a=b", "login"],
)
def test_an_address_that_is_none_or_has_a_path_is_refused(address):
    assert not re.fullmatch(source()["Parameters"]["NotifyUrl"]["AllowedPattern"], address)


def test_notices_and_logins_have_limits_of_their_own():
    (stage,) = [stage for stage in resources("AWS::ApiGatewayV2::Stage").values() if stage["ApiId"] == {"Ref": "LoginApi"}]
    settings = stage["RouteSettings"]["POST /notify/{appid}"]
    assert (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]) == (
        {"Ref": "NotifyRequestsPerSecond"},
        {"Ref": "NotifyBurst"},
    )
    assert "PayNotifyRoute" in expanded()["Resources"]["LoginApiStage"]["DependsOn"], "settings need a route that is there"


def test_environments_are_reserved_for_notices_only_where_the_deployment_says_so():
    reserved = {
        folder: function["ReservedConcurrentExecutions"]
        for folder, function in functions().items()
        if "NotifyConcurrency" in json.dumps(function.get("ReservedConcurrentExecutions", ""))
    }
    assert reserved == {"pay-notify": {"Fn::If": ["HasNotifyConcurrency", {"Ref": "NotifyConcurrency"}, NOTHING]}}
    assert source()["Parameters"]["NotifyConcurrency"]["Default"] == 0, "a new account may reserve none"
    assert source()["Conditions"]["HasNotifyConcurrency"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "NotifyConcurrency"}, 0]}]}


# ---- events ----


def test_the_index_of_unpublished_events_holds_keys_and_no_event():
    table = resources("AWS::DynamoDB::Table")["OrderTable"]
    assert table["GlobalSecondaryIndexes"] == [
        {
            "IndexName": "unpublished",
            "KeySchema": [
                {"AttributeName": "unpublished_shard", "KeyType": "HASH"},
                {"AttributeName": "publish_at", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
    ]
    types = {attribute["AttributeName"]: attribute["AttributeType"] for attribute in table["AttributeDefinitions"]}
    assert types == {"pk": "S", "unpublished_shard": "S", "publish_at": "N"}


def test_there_is_one_bus_and_what_goes_over_it_is_kept_unless_the_deployment_says_otherwise():
    assert set(resources("AWS::Events::EventBus")) == {"EventBus"}
    (archive,) = resources("AWS::Events::Archive").values()
    assert archive["SourceArn"] == EVENT_BUS
    assert archive["RetentionDays"] == {"Ref": "EventArchiveDays"}
    assert "EventPattern" not in archive, "all of it"
    assert source()["Parameters"]["EventArchiveDays"]["Default"] == 30
    assert expanded()["Resources"]["EventArchive"]["Condition"] == "HasEventArchive"
    assert source()["Conditions"]["HasEventArchive"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "EventArchiveDays"}, 0]}]}


def test_every_rule_of_the_template_is_a_schedule_and_none_is_on_the_bus():
    for name, rule in resources("AWS::Events::Rule").items():
        assert "ScheduleExpression" in rule and "EventBusName" not in rule, name


def publishing_rule() -> dict:
    function = {"Fn::GetAtt": ["PublishEvents", "Arn"]}
    (rule,) = [rule for rule in resources("AWS::Events::Rule").values() if rule["Targets"][0]["Arn"] == function]
    return rule


def publishing_limits() -> dict:
    (limits,) = [
        limits for limits in resources("AWS::Lambda::EventInvokeConfig").values() if limits["FunctionName"] == {"Ref": "PublishEvents"}
    ]
    return limits


def test_what_did_not_get_out_is_published_every_minute_as_if_called_by_hand():
    rule = publishing_rule()
    assert rule["ScheduleExpression"] == "rate(1 minute)"
    assert rule.get("State", "ENABLED") == "ENABLED"
    (target,) = rule["Targets"]
    assert json.loads(target["Input"]) == {}
    assert sorted(event["Type"] for event in functions()["publish-events"]["Events"].values()) == ["Schedule"]


def test_a_run_that_was_lost_is_not_heaped_upon_the_next_and_one_that_failed_is_written_down():
    for limits in (publishing_rule()["Targets"][0]["RetryPolicy"], publishing_limits()):
        assert (limits["MaximumEventAgeInSeconds"], limits["MaximumRetryAttempts"]) == (60, 0)
    assert publishing_limits()["DestinationConfig"] == {"OnFailure": {"Destination": PUBLISH_DEAD_LETTERS}}
    senders = [folder for folder, statement in allowing("sqs:SendMessage") if statement["Resource"] == PUBLISH_DEAD_LETTERS]
    assert senders == ["publish-events"], "Lambda sends in the function's name"


def test_a_run_is_gone_before_another_may_take_up_what_it_claimed():
    assert deployed("PublishEvents")["Timeout"] < CLAIM
    assert "ReservedConcurrentExecutions" not in deployed("PublishEvents"), "a new account may reserve none"


def test_who_wrote_a_change_is_gone_before_its_events_are_taken_up():
    for function in ("AppPay", "PayNotify"):
        assert deployed(function)["Timeout"] < WRITERS_OWN_TIME, function


# ---- what is told ----

# Log group, metric, the line of the log that it counts, what it takes from it. The names are those of the functions' log lines.
LOG_METRICS = {
    ("PayNotifyLogs", "NoticeMismatches"): ('{ $.outcome = "notice_mismatch" }', "1"),
    ("PublishEventsLogs", "UnpublishedAge"): ('{ $.outcome = "swept" }', "$.oldest_seconds"),
    ("PublishEventsLogs", "RefusedEvents"): ('{ $.outcome = "event_refused" }', "1"),
}


def alarm_of(metric: str) -> dict:
    (alarm,) = [alarm for alarm in resources("AWS::CloudWatch::Alarm").values() if alarm["MetricName"] == metric]
    return alarm


def test_what_goes_wrong_with_payments_is_read_from_the_logs_and_raises_alarms():
    found = {}
    for name, metric in resources("AWS::Logs::MetricFilter").items():
        group = metric["LogGroupName"]["Ref"]
        if group not in ("AppPayLogs", "PayNotifyLogs", "PublishEventsLogs"):
            continue
        assert expanded()["Resources"][name]["Condition"] == "HasAlarmTopic", "custom metrics cost money each"
        (transformation,) = metric["MetricTransformations"]
        assert "DefaultValue" not in transformation, "it would be sent for lines that say nothing of it"
        found[group, transformation["MetricName"]] = (metric["FilterPattern"], transformation["MetricValue"])
        assert alarm_of(transformation["MetricName"])["Namespace"] == transformation["MetricNamespace"]
    assert found == LOG_METRICS


@pytest.mark.parametrize("metric", ["NoticeMismatches", "RefusedEvents"])
def test_one_of_these_raises_an_alarm(metric):
    alarm = alarm_of(metric)
    assert (alarm["Statistic"], alarm["ComparisonOperator"], alarm["Threshold"]) == ("Sum", "GreaterThanThreshold", 0)


def test_an_event_that_waits_is_told_and_so_is_a_run_that_is_not_made():
    alarm = alarm_of("UnpublishedAge")
    assert (alarm["Statistic"], alarm["ComparisonOperator"]) == ("Maximum", "GreaterThanThreshold")
    # The writer's own time, a claim by a run that died, and the minute until the next run.
    assert WRITERS_OWN_TIME + CLAIM + 60 < alarm["Threshold"] <= 600
    assert alarm["TreatMissingData"] == "breaching"
