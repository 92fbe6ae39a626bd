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


def test_user_info_reads_the_profile_with_the_stored_token(invoke, login):
    answer = invoke("UserInfoFunction", {"openid": login["openid"]})
    assert answer["code"] == 0, answer
    assert answer["openid"] == login["openid"] and answer["nickName"], answer


def test_decrypt_opens_what_my_get_phone_number_gave(invoke, simulator):
    answer = invoke("DecryptFunction", {"response": simulator.phone_number()})
    assert answer["code"] == 0, answer
    assert answer["phone"] == answer["mobile"] == answer["data"]["mobile"], answer


def test_launch_link_answers_both_links(invoke, simulator):
    answer = invoke("LaunchLinkFunction", {"path": "pages/index/index", "query": "a=1"})
    assert answer["code"] == 0, answer
    assert simulator.app["app_id"] in answer["openlink"] and simulator.app["app_id"] in answer["url_link"], answer


def test_get_temp_mini_code_answers_a_picture(invoke):
    answer = invoke("GetTempMiniCodeFunction", {"page": "pages/index/index", "timeout": 60})
    assert answer["code"] == 0 and answer["qr_code_url"], answer


@pytest.mark.parametrize(
    ("output", "harmless", "forbidden"),
    [
        ("MsgSecCheckFunction", {"content": "hello"}, {"content": "simulator-reject"}),
        (
            "ImgSecCheckFunction",
            {"image": "https://img.example.com/cat.png"},
            {"image": "https://img.example.com/simulator-reject.png"},
        ),
    ],
)
def test_a_content_check_passes_what_is_harmless_and_tells_what_is_not(invoke, output, harmless, forbidden):
    assert invoke(output, harmless)["result"]["suggest"] == "pass"
    answer = invoke(output, forbidden)
    assert (answer["code"], answer["result"]["suggest"]) == (87014, "risky"), answer


def test_batch_send_sends_once_for_an_idempotency_key(invoke):
    batch = {
        "template_id": "any",
        "page": "pages/index/index",
        "data": {"keyword1": {"value": "hello"}},
        "idempotencyKey": "batch-1",
    }
    answer = invoke("SubscribeMessageBatchSendFunction", batch)
    again = invoke("SubscribeMessageBatchSendFunction", batch)
    assert answer["code"] == 0, answer
    assert again["code"] == 0 and again["batch_msg_id"] == answer["batch_msg_id"], again


def test_subscribe_message_query_answers_the_state_of_the_template(invoke, login):
    answer = invoke("SubscribeMessageQueryFunction", {"touser": login["openid"], "template_id_list": ["any"]})
    assert answer["code"] == 0, answer
    assert [relation["template_id"] for relation in answer["subscribe_relations"]] == ["any"], answer


def test_a_merchants_authorisation_is_kept_and_used(invoke, aws, functions, simulator):
    merchant = "2021000000000101"
    link = invoke("IsvAuthLinkFunction", {"redirectUri": "https://isv.example.com/callback"})
    assert link["code"] == 0 and simulator.app["app_id"] in link["url"], link
    exchanged = invoke("IsvAuthTokenFunction", {"app_auth_code": simulator.app_auth_code(merchant), "needKey": True})
    assert exchanged["code"] == 0, exchanged
    (authorization,) = exchanged["authorizations"]
    assert authorization["authAppId"] == merchant
    rows = aws("dynamodb").scan(TableName=functions["TokenTableName"], ConsistentRead=True)["Items"]
    assert authorization["appAuthToken"] not in repr(rows), "a token is stored in the clear"
    asked = invoke("IsvAuthQueryFunction", {"authAppId": merchant})
    assert (asked["code"], asked["status"]) == (0, "valid"), asked
    code = {"url_param": "pages/index/index", "query_param": "a=1", "describe": "hello"}
    used = invoke(
        "GenericRequestFunction",
        {"method": "alipay.open.app.qrcode.create", "data": {"biz_content": code}, "authAppId": merchant},
    )
    assert used["code"] == 0, used
    last_call = simulator.received()[-1]
    assert last_call["parameters"]["app_auth_token"] == authorization["appAuthToken"]


def test_link_open_ids_leads_an_open_id_to_the_account_of_the_user_id(invoke, simulator):
    user = "2088000000000301"
    simulator.change_identifiers("user_id_only")
    try:
        before = invoke("Code2SessionFunction", {"code": simulator.code(user)})
        simulator.change_identifiers("open_id_only")
        answer = invoke("LinkOpenIdsFunction", {"userIds": [user]})
        assert (answer["code"], answer["linked"], answer["failed"], answer["left"]) == (0, 1, [], []), answer
        after = invoke("Code2SessionFunction", {"code": simulator.code(user)})
    finally:
        simulator.change_identifiers("both")
    assert (before["openidType"], after["openidType"], after["uid"]) == ("userId", "openId", before["uid"]), (before, after)


def test_a_method_that_the_app_does_not_allow_is_forbidden(invoke):
    answer = invoke("GenericRequestFunction", {"method": "alipay.fund.trans.uni.transfer", "data": {}})
    assert answer["code"] != 0 and answer["error"] == "forbidden", answer
