"""One call of each deployed function, and what must be refused to it."""

import pytest


@pytest.fixture(scope="module")
def login(invoke, simulator) -> dict:
    return invoke("Code2SessionFunction", {"code": simulator.code(), "needKey": True})


def test_code2session_answers_who_the_user_is_and_stores_the_tokens(login, aws, functions):
    assert login["code"] == 0, login
    assert login["openid"]
    rows = aws("dynamodb").scan(TableName=functions["TokenTableName"], ConsistentRead=True)["Items"]
    assert any(row["pk"]["S"].startswith("APP#") for row in rows)
    assert login["accessToken"] not in repr(rows), "a token is stored in the clear"


def test_a_second_call_with_the_same_code_gets_the_first_answer(invoke, simulator):
    code = simulator.code()
    first = invoke("Code2SessionFunction", {"code": code})
    again = invoke("Code2SessionFunction", {"code": code})
    assert (first["code"], first["replayed"]) == (0, False), first
    assert (again["code"], again["replayed"], again["openid"]) == (0, True, first["openid"]), again


def test_get_mini_code_answers_the_three_pictures(invoke):
    answer = invoke("GetMiniCodeFunction", {"page": "pages/index/index", "scene": "a=1", "describe": "hello"})
    assert answer["code"] == 0, answer
    assert {"qr_code_url", "qr_code_url_circle_white", "qr_code_url_circle_blue"} <= set(answer)


def test_subscribe_message_send_sends_once_for_an_idempotency_key(invoke, login):
    message = {
        "touser": login["openid"],
        "template_id": "any",
        "page": "pages/index/index",
        "data": {"keyword1": {"value": "hello"}},
        "idempotencyKey": "order-1",
    }
    answer = invoke("SubscribeMessageSendFunction", message)
    again = invoke("SubscribeMessageSendFunction", message)
    assert answer["code"] == 0, answer
    assert again["code"] == 0 and again["trace_id"] == answer["trace_id"], again


def test_generic_request_calls_with_the_stored_token_of_the_user(invoke, login):
    answer = invoke("GenericRequestFunction", {"method": "alipay.user.info.share", "data": {}, "openid": login["openid"]})
    assert answer["code"] == 0, answer
    assert answer["user_id"] == login["userId"]


def test_a_method_that_the_app_does_not_allow_is_forbidden(invoke):
    answer = invoke("GenericRequestFunction", {"method": "alipay.fund.trans.uni.transfer", "data": {}})
    assert answer["code"] != 0 and answer["error"] == "forbidden", answer
