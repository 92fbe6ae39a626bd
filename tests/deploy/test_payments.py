"""A payment at the deployed functions, from the order to the event that a consumer gets. The consumer is the one of docs/DEPLOY.md."""

import base64
import json
import re
import time
from urllib.parse import parse_qs

import pytest
from conftest import ROOT, STACK, scheduled_input, wait_until

OWNER = "user-7"


class Consumer:
    """The queue that gets the events of payments."""

    def __init__(self, client, url: str) -> None:
        self.client = client
        self.url = url
        self.events: list[dict] = []

    def receive(self) -> None:
        """What has come since the last time."""
        reply = self.client.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, VisibilityTimeout=300)
        for message in reply.get("Messages", []):
            self.events.append(json.loads(message["Body"]))

    def events_of(self, out_trade_no: str) -> list[dict]:
        self.receive()
        return [event for event in self.events if event["detail"]["out_trade_no"] == out_trade_no]

    def wait_for(self, detail_type: str, out_trade_no: str) -> dict:
        def found() -> list[dict]:
            return [event for event in self.events_of(out_trade_no) if event["detail-type"] == detail_type]

        wait_until(f"{detail_type} of {out_trade_no} is published", lambda: bool(found()), 20)
        (event,) = found()
        assert event["source"] == "alipay-functions"
        return event["detail"]


@pytest.fixture(scope="module")
def consumer(aws, functions) -> Consumer:
    (template,) = re.findall(r"```yaml\n(# payments\.yaml\n.*?)```", (ROOT / "docs" / "DEPLOY.md").read_text(encoding="utf-8"), re.DOTALL)
    stacks = aws("cloudformation")
    bus = [{"ParameterKey": "EventBusName", "ParameterValue": functions["EventBusName"]}]
    stacks.create_stack(StackName="my-payments", TemplateBody=template, Parameters=bus)

    def state() -> dict:
        (stack,) = stacks.describe_stacks(StackName="my-payments")["Stacks"]
        return stack

    wait_until("the consumer is there", lambda: state()["StackStatus"] == "CREATE_COMPLETE", 30)
    (output,) = state()["Outputs"]
    return Consumer(aws("sqs"), output["OutputValue"])


@pytest.fixture(scope="module")
def notify(login_api, simulator):
    """Posts a notice as Alipay would; status and body of the answer."""

    def post(body: str) -> tuple[int, str]:
        path = f"/notify/{simulator.app['app_id']}"
        answer = login_api.call("POST", path, body, **{"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"})
        return answer.status, answer.text

    return post


@pytest.fixture(scope="module")
def paid_order(invoke, simulator, notify, consumer) -> str:
    """An order by order string, paid, of which Alipay's notice was taken."""
    order = {"total_amount": "12.50", "subject": "Two teas", "owner": OWNER}
    answer = invoke("AppPayFunction", {"call": "app.getOrderStr", **order})
    assert answer["code"] == 0, answer
    simulator.pay(answer["value"])
    (notice,) = simulator.notices_of(answer["out_trade_no"])
    assert notify(notice["body"]) == (200, "success")
    return answer["out_trade_no"]


def row_of(aws, functions, out_trade_no: str) -> dict:
    rows = aws("dynamodb").scan(TableName=functions["OrderTableName"], ConsistentRead=True)["Items"]
    (row,) = [row for row in rows if row["pk"]["S"].startswith("ORDER#") and row["pk"]["S"].endswith(f"#{out_trade_no}")]
    return row


def test_an_order_string_names_the_deployed_address_of_notices(invoke, functions, simulator):
    order = {"total_amount": "0.01", "subject": "A tea", "owner": OWNER}
    answer = invoke("AppPayFunction", {"call": "app.getOrderStr", **order})
    assert answer["code"] == 0, answer
    (notify_url,) = parse_qs(answer["value"])["notify_url"]
    assert notify_url == f"{functions['NotifyUrl']}/notify/{simulator.app['app_id']}"
    assert functions["NotifyUrl"] == functions["LoginUrl"]


def test_a_payment_is_published_once_to_who_listens(paid_order, consumer, notify, simulator, aws, functions):
    event = consumer.wait_for("order.paid", paid_order)
    assert (event["total_amount"], event["owner"], event["event_id"].endswith(f"/{paid_order}")) == ("12.50", OWNER, True)
    (notice,) = simulator.notices_of(paid_order)
    assert notify(notice["body"]) == (200, "success"), "the same notice again"
    assert len(consumer.events_of(paid_order)) == 1
    row = row_of(aws, functions, paid_order)
    assert not row["pending"]["M"] and "publish_at" not in row, "nothing is left to publish"


def test_a_paid_order_is_paid_for_whoever_asks(paid_order, invoke):
    answer = invoke("AppPayFunction", {"call": "trade.query", "out_trade_no": paid_order, "owner": OWNER})
    assert (answer["code"], answer["state"], answer["trade_status"]) == (0, "paid", "TRADE_SUCCESS"), answer
    other = invoke("AppPayFunction", {"call": "trade.query", "out_trade_no": paid_order, "owner": "user-8"})
    assert other["error"] == "not_found", other


def test_a_notice_that_was_changed_is_refused(paid_order, notify, simulator):
    (notice,) = simulator.notices_of(paid_order)
    changed = notice["body"].replace("total_amount=12.50", "total_amount=12.51")
    assert changed != notice["body"]
    assert notify(changed) == (400, "fail")


def test_a_refund_is_made_and_published(paid_order, invoke, consumer):
    refund = {"out_trade_no": paid_order, "refund_amount": "2.50", "out_request_no": "refund-1"}
    answer = invoke("AppPayFunction", {"call": "trade.refund", **refund})
    assert answer["code"] == 0, answer
    event = consumer.wait_for("order.refunded", paid_order)
    assert (event["refund_amount"], event["refunded_amount"], event["out_request_no"]) == ("2.50", "2.50", "refund-1")
    found = invoke("AppPayFunction", {"call": "refund.query", "out_trade_no": paid_order, "out_request_no": "refund-1"})
    assert found["code"] == 0, found


def test_what_did_not_get_out_is_published_by_the_schedule(paid_order, aws, functions, consumer):
    event_id = f"order.paid/left-behind/{paid_order}"
    detail = {"event_id": event_id, "out_trade_no": f"left-{paid_order}", "occurred_at": "2026-01-01T00:00:00Z"}
    table = aws("dynamodb")
    row = row_of(aws, functions, paid_order)
    # As it is after a crash between the write and the bus.
    table.update_item(
        TableName=functions["OrderTableName"],
        Key={"pk": row["pk"]},
        UpdateExpression="SET pending.#id = :detail, unpublished_shard = :shard, publish_at = :past",
        ExpressionAttributeNames={"#id": event_id},
        ExpressionAttributeValues={":detail": {"S": json.dumps(detail)}, ":shard": {"S": "0"}, ":past": {"N": "1"}},
    )
    reply = aws("lambda").invoke(
        FunctionName=functions["PublishEventsFunction"],
        Payload=json.dumps(scheduled_input(aws("events"), "publish-events")).encode(),
        LogType="Tail",
    )
    answer = json.load(reply["Payload"])
    assert answer["code"] == 0, answer
    lines = [json.loads(line) for line in base64.b64decode(reply["LogResult"]).decode().splitlines() if line.startswith("{")]
    # The pattern and the value of UnpublishedAgeMetric in template.yaml. Without a number in it, a run counts as not made.
    (swept,) = [line for line in lines if line.get("outcome") == "swept"]
    assert isinstance(swept["oldest_seconds"], int | float), swept
    consumer.wait_for("order.paid", f"left-{paid_order}")
    # The schedule of MiniStack may have been quicker, and then is not done yet.
    wait_until("nothing is left to publish", lambda: "publish_at" not in row_of(aws, functions, paid_order), 20)


def test_a_trade_of_a_mini_program_is_made_once_and_closed(invoke, consumer):
    order = {"out_trade_no": "mini1", "total_amount": "3.00", "subject": "A tea", "owner": OWNER, "buyer_id": "2088000000000001"}
    first = invoke("AppPayFunction", {"call": "trade.create", **order})
    assert first["code"] == 0, first
    assert invoke("AppPayFunction", {"call": "trade.create", **order})["trade_no"] == first["trade_no"]
    closed = invoke("AppPayFunction", {"call": "trade.close", "out_trade_no": "mini1"})
    assert closed["code"] == 0, closed
    consumer.wait_for("order.closed", "mini1")


def test_a_message_of_alipays_is_recorded_and_published(notify, simulator, aws, functions):
    notice = simulator.message("open_app_auth_notify", {"auth_app_id": "2021000000000101"})
    assert notify(notice["body"]) == (200, "success")
    rows = aws("dynamodb").scan(TableName=functions["OrderTableName"], ConsistentRead=True)["Items"]
    (row,) = [row for row in rows if row["pk"]["S"].startswith("MESSAGE#")]
    assert row["pk"]["S"].endswith(notice["notify_id"])
    assert int(row["ttl"]["N"]) > time.time()
    assert not row["pending"]["M"] and "publish_at" not in row, "nothing is left to publish"


def test_every_function_that_publishes_is_told_the_bus_of_the_stack(aws, functions):
    assert functions["EventBusName"] == STACK
    for output in ("AppPayFunction", "PayNotifyFunction", "PublishEventsFunction"):
        settings = aws("lambda").get_function_configuration(FunctionName=functions[output])["Environment"]["Variables"]
        assert settings["EVENT_BUS"] == STACK, output
