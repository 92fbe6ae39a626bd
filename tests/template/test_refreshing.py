"""Our own rules of template.yaml about stored tokens: who reads, keeps and refreshes them, and how the schedule and its queues work."""

import json

import pytest
from expanded import expanded, functions, resources, source
from powers import (
    DUE_INDEX,
    QUEUE_ACTIONS,
    QUEUES,
    READERS,
    REFRESH_KEYS,
    REFRESHER,
    allowing,
    as_list,
    role_of,
    statements,
    who_may,
)

# Seconds. The gateway client gives a call up after 5.
GATEWAY_CALL = 5
# How long the table is tried with refreshed tokens before they go to the rescue queue.
COMMIT = 3
# How long a refused refresh token is only doubted, in case another run is still at work with its successor.
QUARANTINE = 120

# ---- who may do what with stored tokens: said once more in other words, so that a slip in POWERS is one here ----


@pytest.mark.parametrize("folder", READERS)
def test_a_reader_is_never_given_the_keys_of_refresh_tokens(folder):
    assert "RefreshTokenKeysSecretArn" not in json.dumps(functions()[folder])
    assert "RefreshTokenKeysSecretArn" not in json.dumps(role_of(functions()[folder]))


@pytest.mark.parametrize("folder", READERS)
def test_a_reader_changes_no_row_of_a_stored_token(folder):
    on_the_table = {
        action
        for statement in statements(role_of(functions()[folder]))
        for action in as_list(statement["Action"])
        if action.startswith("dynamodb:")
    }
    assert on_the_table == {"dynamodb:GetItem"}


def test_refresh_tokens_has_readers_and_only_they_may_invoke_it():
    assert READERS == who_may("lambda:InvokeFunction") == ["generic-request", "isv-auth-query", "user-info"]


def test_the_keys_of_refresh_tokens_are_for_those_who_store_or_refresh():
    given = [
        folder for folder, statement in allowing("secretsmanager:GetSecretValue") if REFRESH_KEYS in as_list(statement["Resource"])
    ]
    assert sorted(given) == ["app-auth", "code2session", "h5-oauth", "isv-auth-token", "oidc", "refresh-tokens", "sdk-login"]


def test_only_refresh_tokens_reads_the_index_of_due_tokens():
    assert [folder for folder, statement in allowing("dynamodb:Query") if DUE_INDEX in as_list(statement["Resource"])] == ["refresh-tokens"]
    assert who_may("dynamodb:Scan") == []


def test_only_refresh_tokens_touches_the_queues():
    for action in QUEUE_ACTIONS:
        assert [folder for folder, statement in allowing(action) if statement["Resource"] == QUEUES] == ["refresh-tokens"]
    # The other one that sends anything sends to the queue of its own failures.
    assert who_may("sqs:SendMessage") == ["publish-events", "refresh-tokens"]
    assert who_may("sqs:ReceiveMessage") == who_may("sqs:DeleteMessage") == ["refresh-tokens"]
    assert not resources("AWS::SQS::QueuePolicy"), "a queue is opened by roles alone"


# ---- refreshing by schedule ----


def refresher() -> dict:
    return resources("AWS::Lambda::Function")["RefreshTokens"]


def queues() -> dict[str, dict]:
    return resources("AWS::SQS::Queue")


def dead_letters_of(queue: dict) -> str:
    logical_id, attribute = queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"]
    assert attribute == "Arn"
    return logical_id


def working_queues() -> list[str]:
    """Those with a consumer; the others are of dead letters."""
    return [mapping["EventSourceArn"]["Fn::GetAtt"][0] for mapping in resources("AWS::Lambda::EventSourceMapping").values()]


def test_the_index_of_due_tokens_holds_keys_and_no_token():
    (index,) = resources("AWS::DynamoDB::Table")["TokenTable"]["GlobalSecondaryIndexes"]
    assert index == {
        "IndexName": "due",
        "KeySchema": [
            {"AttributeName": "due_shard", "KeyType": "HASH"},
            {"AttributeName": "due_at", "KeyType": "RANGE"},
        ],
        "Projection": {"ProjectionType": "KEYS_ONLY"},
    }
    types = {
        attribute["AttributeName"]: attribute["AttributeType"]
        for attribute in resources("AWS::DynamoDB::Table")["TokenTable"]["AttributeDefinitions"]
    }
    assert types == {"pk": "S", "sk": "S", "due_shard": "S", "due_at": "N"}


def sweep_rule() -> dict:
    (rule,) = [rule for rule in resources("AWS::Events::Rule").values() if rule["Targets"][0]["Arn"] == REFRESHER]
    return rule


def test_a_sweep_is_made_every_minute():
    rule = sweep_rule()
    assert rule["ScheduleExpression"] == "rate(1 minute)"
    assert rule.get("State", "ENABLED") == "ENABLED"
    (target,) = rule["Targets"]
    assert json.loads(target["Input"]) == {"sweep": {}}


def test_a_sweep_that_was_lost_is_not_heaped_upon_the_next():
    (of_function,) = [
        limits for limits in resources("AWS::Lambda::EventInvokeConfig").values() if limits["FunctionName"] == {"Ref": "RefreshTokens"}
    ]
    for limits in (sweep_rule()["Targets"][0]["RetryPolicy"], of_function):
        assert (limits["MaximumEventAgeInSeconds"], limits["MaximumRetryAttempts"]) == (60, 0)


def test_refresh_tokens_has_no_route():
    events = functions()["refresh-tokens"]["Events"].values()
    assert sorted(event["Type"] for event in events) == ["SQS", "SQS", "Schedule"]


def test_refresh_tokens_can_finish_a_call_and_its_commit_and_is_gone_before_a_doubt_is_decided():
    assert 2 * (GATEWAY_CALL + COMMIT) + 1 < refresher()["Timeout"] < QUARANTINE / 2


def test_both_queues_feed_refresh_tokens_which_gives_back_what_failed_and_nothing_else():
    mappings = resources("AWS::Lambda::EventSourceMapping").values()
    assert sorted(working_queues()) == ["RefreshQueue", "RescueQueue"]
    for mapping in mappings:
        assert mapping["FunctionName"] == {"Ref": "RefreshTokens"}
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert mapping["BatchSize"] == 10
        assert mapping.get("Enabled", True) is True


def test_the_queues_take_no_more_environments_than_they_are_given_and_reserve_none():
    at_once = {
        mapping["EventSourceArn"]["Fn::GetAtt"][0]: mapping["ScalingConfig"]["MaximumConcurrency"]
        for mapping in resources("AWS::Lambda::EventSourceMapping").values()
    }
    assert at_once == {"RefreshQueue": {"Ref": "RefreshConcurrency"}, "RescueQueue": 2}
    assert source()["Parameters"]["RefreshConcurrency"]["MinValue"] == 2, "SQS takes no less"
    assert "ReservedConcurrentExecutions" not in refresher(), "a new account may reserve none"


@pytest.mark.parametrize("name", ["RefreshQueue", "RescueQueue"])
def test_a_message_is_out_of_sight_while_it_is_worked_on_and_then_comes_back_or_is_a_dead_letter(name):
    queue = queues()[name]
    runs, tries = (2, 15) if name == "RescueQueue" else (6, 5)
    assert queue["VisibilityTimeout"] == runs * refresher()["Timeout"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] == tries
    # Otherwise SQS forgets it before it is a dead letter.
    assert queue["MessageRetentionPeriod"] > tries * queue["VisibilityTimeout"]


def test_a_pair_that_waits_to_be_written_comes_again_before_its_grant_could_be_given_up():
    quarantine = 120  # seconds, of token-store
    assert queues()["RescueQueue"]["VisibilityTimeout"] < quarantine


def test_every_queue_is_encrypted_and_has_dead_letters_of_its_own_or_is_one():
    dead = [dead_letters_of(queues()[name]) for name in working_queues()]
    # What publish-events fails at is no queue's message: its dead letters stand alone.
    assert sorted(queues()) == sorted([*working_queues(), *dead, "PublishDeadLetters"]), "each queue once"
    for name, queue in queues().items():
        assert queue["SqsManagedSseEnabled"] is True, name
    for name in [*dead, "PublishDeadLetters"]:
        assert queues()[name]["MessageRetentionPeriod"] == 14 * 24 * 3600, name


def test_tokens_that_are_nowhere_else_are_kept_as_long_as_a_queue_can():
    assert queues()["RescueQueue"]["MessageRetentionPeriod"] == 14 * 24 * 3600


def queue_alarm(metric: str, name: str) -> dict:
    (alarm,) = [
        alarm
        for alarm in resources("AWS::CloudWatch::Alarm").values()
        if alarm["MetricName"] == metric
        and alarm["Dimensions"] == [{"Name": "QueueName", "Value": {"Fn::GetAtt": [name, "QueueName"]}}]
    ]
    return alarm


@pytest.mark.parametrize("name", ["RefreshDeadLetters", "RescueDeadLetters", "PublishDeadLetters"])
def test_one_dead_letter_raises_an_alarm(name):
    alarm = queue_alarm("ApproximateNumberOfMessagesVisible", name)
    assert (alarm["Statistic"], alarm["ComparisonOperator"], alarm["Threshold"]) == ("Maximum", "GreaterThanThreshold", 0)


def test_tokens_that_wait_for_the_table_raise_an_alarm_long_before_they_are_dead_letters():
    alarm = queue_alarm("ApproximateAgeOfOldestMessage", "RescueQueue")
    out_of_sight = queues()["RescueQueue"]["VisibilityTimeout"]
    assert alarm["Statistic"] == "Maximum"
    assert out_of_sight < alarm["Threshold"] < 15 * out_of_sight


# Metric, the line of the log that it counts, what it takes from it. The names are those of the log lines of refresh-tokens.
LOG_METRICS = {
    "RefreshLateness": ('{ $.outcome = "swept" }', "$.oldest_lateness_seconds"),
    "SuspectTokens": ('{ $.outcome = "suspect" }', "1"),
    "LostTokens": ('{ $.outcome = "lost" }', "1"),
    "MisconfiguredApps": ('{ $.outcome = "misconfigured" }', "1"),
}


def test_lateness_suspects_and_losses_are_read_from_the_log_and_raise_alarms():
    found = {}
    for name, metric in resources("AWS::Logs::MetricFilter").items():
        if metric["LogGroupName"] != {"Ref": "RefreshTokensLogs"}:
            continue
        assert expanded()["Resources"][name]["Condition"] == "HasAlarmTopic", "custom metrics cost money each"
        (transformation,) = metric["MetricTransformations"]
        assert "DefaultValue" not in transformation, "it would be sent for lines that say nothing of it"
        found[transformation["MetricName"]] = (metric["FilterPattern"], transformation["MetricValue"])
        (alarm,) = [
            alarm for alarm in resources("AWS::CloudWatch::Alarm").values() if alarm["MetricName"] == transformation["MetricName"]
        ]
        assert alarm["Namespace"] == transformation["MetricNamespace"]
    assert found == LOG_METRICS


def test_lateness_is_told_long_before_a_token_ends_and_so_is_a_sweep_that_is_not_made():
    (alarm,) = [alarm for alarm in resources("AWS::CloudWatch::Alarm").values() if alarm["MetricName"] == "RefreshLateness"]
    least_lead = 15 * 24 * 3600 // 10
    assert 0 < alarm["Threshold"] < least_lead / 10
    assert (alarm["Statistic"], alarm["ComparisonOperator"]) == ("Maximum", "GreaterThanThreshold")
    assert alarm["TreatMissingData"] == "breaching"
