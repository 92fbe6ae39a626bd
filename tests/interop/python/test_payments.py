"""The official Python SDK, unmodified, pays: its order strings open the cashier, its calls move the trade, and its check of
signatures judges the simulator's notices, in UTF-8, GBK and GB2312.
"""

import http.server
import json
import os
import queue
import threading
import time
import unittest
import urllib.parse
import urllib.request

# The SDK writes the timestamp in the zone of the host. This form of UTC+8 needs no zone files.
os.environ["TZ"] = "CST-8"
time.tzset()

import rsa
from alipay.aop.api.AlipayClientConfig import AlipayClientConfig
from alipay.aop.api.DefaultAlipayClient import DefaultAlipayClient
from alipay.aop.api.domain.AlipayTradeAppPayModel import AlipayTradeAppPayModel
from alipay.aop.api.domain.AlipayTradeCloseModel import AlipayTradeCloseModel
from alipay.aop.api.domain.AlipayTradeCreateModel import AlipayTradeCreateModel
from alipay.aop.api.domain.AlipayTradeRefundModel import AlipayTradeRefundModel
from alipay.aop.api.request.AlipayTradeAppPayRequest import AlipayTradeAppPayRequest
from alipay.aop.api.request.AlipayTradeCloseRequest import AlipayTradeCloseRequest
from alipay.aop.api.request.AlipayTradeCreateRequest import AlipayTradeCreateRequest
from alipay.aop.api.request.AlipayTradeRefundRequest import AlipayTradeRefundRequest
from alipay.aop.api.util.SignatureUtils import get_sign_content, verify_with_rsa

from simulator import Simulator
from test_sdk import CHARSETS, USER_ID, connections_led_to

# The last character ends in the byte of a backslash in GBK; GB2312 has it not.
SUBJECTS = {"utf-8": '一件 & "商品" 100% + 乗', "GBK": '一件 & "商品" 100% + 乗', "gb2312": '一件 & "商品" 100% +'}


class Payments(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.simulator = Simulator([{"identifiers": "both", "sign_types": ["RSA2", "RSA"]}])
        cls.addClassCleanup(cls.simulator.stop)
        cls.app = cls.simulator.apps[0]
        cls.merchant = Merchant()
        cls.addClassCleanup(cls.merchant.stop)
        cls.enterClassContext(connections_led_to(cls.simulator.port))

    def client(self, charset, sign_type="RSA2"):
        config = AlipayClientConfig()
        config.server_url = "http://127.0.0.1/gateway.do"
        config.app_id = self.app["app_id"]
        config.app_private_key = self.app["private_key_pkcs1"]
        config.alipay_public_key = self.app["alipay_public_key"]
        config.charset = charset
        config.sign_type = sign_type
        return DefaultAlipayClient(config)

    def execute(self, charset, request):
        request.notify_url = self.merchant.url
        return json.loads(self.client(charset).execute(request))

    def is_genuine(self, notice, charset):
        signed = {name: value for name, value in notice.items() if name not in ("sign", "sign_type")}
        try:
            return verify_with_rsa(self.app["alipay_public_key"], get_sign_content(signed).encode(charset), notice["sign"])
        except rsa.VerificationError:
            return False

    def test_an_order_string_opens_the_cashier_and_its_notice_is_taken(self):
        for charset in CHARSETS:
            for sign_type in ("RSA2", "RSA"):
                with self.subTest(charset, sign_type=sign_type):
                    model = AlipayTradeAppPayModel()
                    model.out_trade_no = f"python-app-{charset}-{sign_type}"
                    model.total_amount = "12.50"
                    model.subject = SUBJECTS[charset]
                    model.product_code = "QUICK_MSECURITY_PAY"
                    request = AlipayTradeAppPayRequest(biz_model=model)
                    request.notify_url = self.merchant.url
                    order = self.client(charset, sign_type).sdk_execute(request)
                    paid = self.simulator.control("POST", "payments", {"order": order})
                    self.assertEqual(json.loads(paid["client_result"])["resultStatus"], "9000")
                    notice = self.merchant.next(charset)
                    self.assertEqual(notice["out_trade_no"], model.out_trade_no)
                    self.assertEqual(notice["subject"], model.subject)
                    self.assertEqual((notice["charset"], notice["sign_type"]), (charset, sign_type))
                    self.assertTrue(self.is_genuine(notice, charset))
                    self.assertFalse(self.is_genuine({**notice, "total_amount": "12.51"}, charset))

    def test_creates_refunds_and_closes(self):
        for charset in CHARSETS:
            with self.subTest(charset):
                trade_no = self.create(charset, f"python-{charset}-1")
                self.simulator.control("POST", "payments", {"order": trade_no})
                self.assertTrue(self.is_genuine(self.merchant.next(charset), charset))
                model = AlipayTradeRefundModel()
                model.trade_no = trade_no
                model.refund_amount = "12.50"
                model.refund_reason = "退货"
                refunded = self.execute(charset, AlipayTradeRefundRequest(biz_model=model))
                self.assertEqual(refunded["fund_change"], "Y")
                notice = self.merchant.next(charset)
                self.assertEqual((notice["trade_status"], notice["refund_fee"]), ("TRADE_CLOSED", "12.50"))
                self.assertTrue(self.is_genuine(notice, charset))

                trade_no = self.create(charset, f"python-{charset}-2")
                model = AlipayTradeCloseModel()
                model.trade_no = trade_no
                closed = self.execute(charset, AlipayTradeCloseRequest(biz_model=model))
                self.assertEqual(closed["trade_no"], trade_no)
                self.assertEqual(self.merchant.next(charset)["trade_status"], "TRADE_CLOSED")

    def create(self, charset, out_trade_no):
        model = AlipayTradeCreateModel()
        model.out_trade_no = out_trade_no
        model.total_amount = "12.50"
        model.subject = SUBJECTS[charset]
        model.product_code = "JSAPI_PAY"
        model.op_app_id = self.app["app_id"]
        model.buyer_id = USER_ID
        return self.execute(charset, AlipayTradeCreateRequest(biz_model=model))["trade_no"]


class Merchant:
    """A merchant's server: takes notices, and answers `success`."""

    def __init__(self):
        self._bodies = queue.Queue()
        bodies = self._bodies

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                bodies.put(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "7")
                self.end_headers()
                self.wfile.write(b"success")

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/notify"

    def next(self, charset):
        """The next notice."""
        body = self._bodies.get(timeout=30).decode("ascii")
        fields = urllib.parse.parse_qsl(body, keep_blank_values=True, strict_parsing=True, encoding=charset)
        return dict(fields)

    def stop(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


if __name__ == "__main__":
    unittest.main()
