"""Stored tokens grow old: the schedule, the queues and the functions that read them have them refreshed."""

import base64
import json
import time

import pytest
from conftest import scheduled_input, wait_until


@pytest.fixture(scope="module")
def table(aws, functions):
    """The rows of stored tokens, as somebody sees and changes them who may do everything."""
    return Table(aws("dynamodb"), functions["TokenTableName"])


class Table:
    def __init__(self, client, name: str) -> None:
        self.client = client
        self.name = name

    def row_of(self, subject: str) -> dict:
        rows = self.client.scan(TableName=self.name, ConsistentRead=True)["Items"]
        (row,) = [row for row in rows if row["pk"]["S"].startswith("APP#") and row["pk"]["S"].endswith(f"#{subject}")]
        return row

    def generation_of(self, subject: str) -> int:
        return int(self.row_of(subject)["generation"]["N"])

    def expire(self, subject: str, stays_due: bool) -> None:
        """Moves the times of a row so far back that its token has ended a minute ago."""
        row = self.row_of(subject)
        back = int(row["expires_at"]["N"]) - (int(time.time()) - 60) * 1000
        times = ["expires_at", "committed_at"] + (["due_at"] if stays_due else [])
        change = "SET " + ", ".join(f"{name} = {name} - :back" for name in times)
        if not stays_due:
            change += " REMOVE due_at, due_shard"
        self.client.update_item(
            TableName=self.name,
            Key={"pk": row["pk"], "sk": row["sk"]},
            UpdateExpression=change,
            ExpressionAttributeValues={":back": {"N": str(back)}},
        )

    def due_keys(self, shard: str) -> list[dict]:
        return self.client.query(
            TableName=self.name,
            IndexName="due",
            KeyConditionExpression="due_shard = :shard",
            ExpressionAttributeValues={":shard": {"S": shard}},
        )["Items"]


@pytest.fixture(scope="module")
def log_in(invoke, simulator):
    """Logs a user in who has not been here before; their id is what their row is found by."""
    numbers = iter(range(2088000000000101, 2088000000000199))

    def new_login() -> str:
        answer = invoke("Code2SessionFunction", {"code": simulator.code(str(next(numbers)))})
        assert answer["code"] == 0, answer
        return answer["openid"]

    return new_login


@pytest.fixture(scope="module")
def sweep_input(aws) -> dict:
    """What the schedule sends every minute."""
    return scheduled_input(aws("events"), "refresh-tokens")


def test_the_deployed_table_has_the_index_of_due_tokens(aws, functions):
    (index,) = aws("dynamodb").describe_table(TableName=functions["TokenTableName"])["Table"]["GlobalSecondaryIndexes"]
    assert (index["IndexName"], index["Projection"]["ProjectionType"]) == ("due", "KEYS_ONLY")


def test_a_login_stands_in_the_index_until_its_token_is_due(log_in, table):
    row = table.row_of(log_in())
    due_at, expires_at = int(row["due_at"]["N"]), int(row["expires_at"]["N"])
    assert time.time() * 1000 < due_at < expires_at
    found = [entry for entry in table.due_keys(row["due_shard"]["S"]) if entry["pk"] == row["pk"]]
    assert [set(entry) for entry in found] == [{"pk", "sk", "due_shard", "due_at"}], "keys, and no token"


def test_a_sweep_answers_what_it_found(invoke):
    answer = invoke("RefreshTokensFunction", {})
    assert answer["code"] == 0, answer
    assert answer["sweep"]["shards"] == 16
    assert answer["sweep"]["left"] == 0


def test_a_sweep_logs_the_line_that_the_alarm_of_its_lateness_reads(aws, functions, sweep_input):
    reply = aws("lambda").invoke(
        FunctionName=functions["RefreshTokensFunction"], Payload=json.dumps(sweep_input).encode(), LogType="Tail"
    )
    answer = json.load(reply["Payload"])
    assert answer["code"] == 0, answer
    lines = [json.loads(line) for line in base64.b64decode(reply["LogResult"]).decode().splitlines() if line.startswith("{")]
    # The pattern and the value of RefreshLatenessMetric in template.yaml. Without a number in it, a sweep counts as not made.
    (swept,) = [line for line in lines if line.get("outcome") == "swept"]
    assert isinstance(swept["oldest_lateness_seconds"], int | float), swept


def test_a_token_that_is_due_goes_through_the_queue_and_comes_back_new(log_in, table, invoke, sweep_input):
    user = log_in()
    before = table.generation_of(user)
    table.expire(user, stays_due=True)
    assert invoke("RefreshTokensFunction", sweep_input)["code"] == 0
    wait_until("the due token is refreshed", lambda: table.generation_of(user) == before + 1, 20)
    row = table.row_of(user)
    assert int(row["expires_at"]["N"]) > int(row["due_at"]["N"]) > time.time() * 1000, "and is due again in time"


def test_a_reader_whose_token_has_ended_has_it_refreshed_and_uses_the_new_one(log_in, table, invoke):
    user = log_in()
    before = table.generation_of(user)
    # Out of the index, so that no sweep comes first: the reader alone can have it refreshed, and may not do so itself.
    table.expire(user, stays_due=False)
    answer = invoke("UserInfoFunction", {"openid": user})
    assert answer["code"] == 0, answer
    assert answer["openid"] == user
    row = table.row_of(user)
    assert int(row["generation"]["N"]) == before + 1
    assert "due_at" in row, "what is refreshed is scheduled again"


def test_a_message_about_a_row_that_is_gone_is_done_with(aws, functions, simulator):
    queues, settings = aws("sqs"), aws("lambda").get_function_configuration(FunctionName=functions["RefreshTokensFunction"])
    url = settings["Environment"]["Variables"]["REFRESH_QUEUE_URL"]
    gone = {"appid": simulator.app["app_id"], "kind": "user", "subject": "2088000000000999", "scopes": "", "because": "due"}
    queues.send_message(QueueUrl=url, MessageBody=json.dumps({"refresh": gone}))
    counts = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def is_empty() -> bool:
        attributes = queues.get_queue_attributes(QueueUrl=url, AttributeNames=counts)["Attributes"]
        return all(attributes[name] == "0" for name in counts)

    # One that was given back would be out of sight for three minutes.
    wait_until("the queue is empty", is_empty, 20)


def test_nothing_was_given_up(aws, functions):
    queues = aws("sqs")
    for output in ("RefreshDeadLettersArn", "RescueDeadLettersArn"):
        url = queues.get_queue_url(QueueName=functions[output].rpartition(":")[2])["QueueUrl"]
        attributes = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
        assert attributes["ApproximateNumberOfMessages"] == "0", output
