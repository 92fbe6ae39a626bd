"""The official Python SDK, unmodified, against the simulator, in UTF-8, GBK and GB2312.

The SDK checks the signature of every reply. It takes no port from the gateway's address (3.7.1411 always connects to
80), so connections to 127.0.0.1:80 are led to the simulator's port, below the SDK.
"""

import contextlib
import json
import os
import socket
import time
import unittest
import urllib.request
from unittest import mock

# The SDK writes the timestamp in the zone of the host. This form of UTC+8 needs no zone files.
os.environ["TZ"] = "CST-8"
time.tzset()

from alipay.aop.api.AlipayClientConfig import AlipayClientConfig
from alipay.aop.api.DefaultAlipayClient import DefaultAlipayClient
from alipay.aop.api.domain.AlipayOpenAppMiniTemplatemessageSendModel import AlipayOpenAppMiniTemplatemessageSendModel
from alipay.aop.api.domain.AlipayOpenAppQrcodeCreateModel import AlipayOpenAppQrcodeCreateModel
from alipay.aop.api.domain.AlipayTradeQueryModel import AlipayTradeQueryModel
from alipay.aop.api.exception.Exception import ResponseException
from alipay.aop.api.request.AlipayOpenAppMiniTemplatemessageSendRequest import (
    AlipayOpenAppMiniTemplatemessageSendRequest,
)
from alipay.aop.api.request.AlipayOpenAppQrcodeCreateRequest import AlipayOpenAppQrcodeCreateRequest
from alipay.aop.api.request.AlipaySystemOauthTokenRequest import AlipaySystemOauthTokenRequest
from alipay.aop.api.request.AlipayTradeQueryRequest import AlipayTradeQueryRequest
from alipay.aop.api.request.AlipayUserInfoShareRequest import AlipayUserInfoShareRequest

from simulator import Simulator

USER_ID = "2088000000000001"
CHARSETS = ("utf-8", "GBK", "gb2312")


class OfficialSdk(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # The SDK reads no reply without a signature, so the error responses are signed.
        cls.simulator = Simulator([
            {"identifiers": "both", "sign_types": ["RSA2", "RSA"], "signed_error_responses": True},
            {"identifiers": "open_id_only"},
        ])
        cls.addClassCleanup(cls.simulator.stop)
        cls.app, cls.other_app = cls.simulator.apps
        cls.enterClassContext(connections_led_to(cls.simulator.port))

    def tearDown(self):
        self.simulator.control("DELETE", "faults")

    def execute(self, request, charset, sign_type="RSA2", private_key=None):
        config = AlipayClientConfig()
        config.server_url = "http://127.0.0.1/gateway.do"
        config.app_id = self.app["app_id"]
        config.app_private_key = private_key or self.app["private_key_pkcs1"]
        config.alipay_public_key = self.app["alipay_public_key"]
        config.charset = charset
        config.sign_type = sign_type
        return json.loads(DefaultAlipayClient(config).execute(request))

    def exchange(self, charset, scope="auth_base", code=None):
        request = AlipaySystemOauthTokenRequest()
        request.grant_type = "authorization_code"
        request.code = code or self.simulator.code(self.app["app_id"], scope)
        return self.execute(request, charset)

    def refresh(self, charset, refresh_token):
        request = AlipaySystemOauthTokenRequest()
        request.grant_type = "refresh_token"
        request.refresh_token = refresh_token
        return self.execute(request, charset)

    def profile(self, charset, access_token):
        request = AlipayUserInfoShareRequest()
        request.add_other_text_param("auth_token", access_token)
        return self.execute(request, charset)

    def test_exchanges_and_refreshes(self):
        for charset in CHARSETS:
            with self.subTest(charset):
                code = self.simulator.code(self.app["app_id"])
                first = self.exchange(charset, code=code)
                self.assertEqual(first["user_id"], USER_ID)
                second = self.refresh(charset, first["refresh_token"])
                self.assertNotEqual(first["access_token"], second["access_token"])
                self.assertEqual(self.exchange(charset, code=code)["sub_code"], "isv.code-invalid")
                stale = self.refresh(charset, first["refresh_token"])
                self.assertEqual(stale["sub_code"], "isv.refresh-token-invalid")

    def test_reads_the_profile(self):
        for charset in CHARSETS:
            with self.subTest(charset):
                agreed = self.exchange(charset, "auth_user")
                self.assertEqual(self.profile(charset, agreed["access_token"])["nick_name"], "小明")
                silent = self.exchange(charset)
                refused = self.profile(charset, silent["access_token"])
                self.assertEqual(refused["sub_code"], "aop.invalid-auth-token")

    def test_a_character_that_ends_in_the_byte_of_a_backslash_passes_both_ways(self):
        user = {"user_id": "2088000000000003", "nick_name": "乗"}
        self.simulator.control("POST", "users", user)
        request = {"app_id": self.app["app_id"], "user_id": user["user_id"], "scope": "auth_user"}
        code = self.simulator.control("POST", "codes", request)["code"]
        agreed = self.exchange("GBK", code=code)
        self.assertEqual(self.profile("GBK", agreed["access_token"])["nick_name"], "乗")
        self.assertEqual(self.execute(mini_code("乗"), "GBK")["code"], "10000")
        received = self.simulator.control("GET", "received")["calls"][-1]["parameters"]
        self.assertEqual(json.loads(received["biz_content"])["describe"], "乗")

    def test_makes_mini_codes(self):
        for charset in CHARSETS:
            for sign_type in ("RSA2", "RSA"):
                with self.subTest(charset, sign_type=sign_type):
                    made = self.execute(mini_code(), charset, sign_type)
                    self.assertEqual(made["code"], "10000")
                    with urllib.request.urlopen(made["qr_code_url_circle_blue"]) as image:
                        self.assertEqual(image.read(8), b"\x89PNG\r\n\x1a\n")
                    received = self.simulator.control("GET", "received")["calls"][-1]["parameters"]
                    self.assertEqual(json.loads(received["biz_content"])["describe"], "小程序码 描述/+%&")
                    self.assertEqual(received["charset"], charset)

    def test_sends_template_messages(self):
        for charset in CHARSETS:
            with self.subTest(charset):
                model = AlipayOpenAppMiniTemplatemessageSendModel()
                model.to_user_id = USER_ID
                model.user_template_id = "template-1"
                model.page = "pages/order?id=1"
                model.data = json.dumps({"keyword1": {"value": f"已发货 {charset}"}}, ensure_ascii=False)
                request = AlipayOpenAppMiniTemplatemessageSendRequest(biz_model=model)
                self.assertEqual(self.execute(request, charset)["code"], "10000")
                sent = self.simulator.control("GET", "messages")[-1]
                self.assertEqual(sent["keywords"], {"keyword1": f"已发货 {charset}"})

    def test_queries_trades(self):
        trade = {"app_id": self.app["app_id"], "out_trade_no": "python-1", "total_amount": "8.88"}
        self.simulator.control("POST", "trades", trade)
        for charset in CHARSETS:
            with self.subTest(charset):
                self.assertEqual(self.execute(trade_query("python-1"), charset)["total_amount"], "8.88")
                unknown = self.execute(trade_query("none"), charset)
                self.assertEqual((unknown["code"], unknown["sub_code"]), ("40004", "ACQ.TRADE_NOT_EXIST"))
                self.assertEqual(unknown["sub_msg"], "交易不存在")

    def test_another_key_than_the_registered_one_is_refused_in_a_reply_that_verifies(self):
        for charset in CHARSETS:
            with self.subTest(charset):
                refused = self.execute(mini_code(), charset, private_key=self.other_app["private_key_pkcs1"])
                self.assertEqual(refused["sub_code"], "isv.invalid-signature")
                self.assertIn("小程序码", refused["sub_msg"])

    def test_the_sdk_refuses_forged_replies(self):
        # `sha1_signature` is not among them: this SDK takes the hash from the signature itself.
        for kind in ("bad_signature", "foreign_key", "no_signature"):
            for charset in CHARSETS:
                with self.subTest(kind, charset=charset):
                    self.simulator.control("POST", "faults", {"kind": kind, "times": 1})
                    with self.assertRaises(ResponseException):
                        self.execute(trade_query("none"), charset)


def mini_code(describe="小程序码 描述/+%&"):
    model = AlipayOpenAppQrcodeCreateModel()
    model.url_param = "pages/index/index"
    model.query_param = "scene=甲&b=1"
    model.describe = describe
    return AlipayOpenAppQrcodeCreateRequest(biz_model=model)


def trade_query(out_trade_no):
    model = AlipayTradeQueryModel()
    model.out_trade_no = out_trade_no
    return AlipayTradeQueryRequest(biz_model=model)


@contextlib.contextmanager
def connections_led_to(port):
    """Leads connections to 127.0.0.1:80 to this port."""
    connect = socket.create_connection

    def led(address, *arguments, **options):
        return connect(("127.0.0.1", port) if address == ("127.0.0.1", 80) else address, *arguments, **options)

    with mock.patch.object(socket, "create_connection", led):
        yield


if __name__ == "__main__":
    unittest.main()
