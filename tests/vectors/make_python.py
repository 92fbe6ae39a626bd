"""Requests and order strings as the official Python SDK makes them: make_python.py KEYS > python-sdk.json

The SDK is not changed. The clock is fixed, what is signed is watched where the SDK hands it to its signer, and requests
are kept in place of being posted.
"""

import datetime
import importlib.metadata
import json
import pathlib
import sys
from unittest import mock

from alipay.aop.api import DefaultAlipayClient as sdk
from alipay.aop.api.AlipayClientConfig import AlipayClientConfig
from alipay.aop.api.domain.AlipayOpenAppMiniTemplatemessageSendModel import AlipayOpenAppMiniTemplatemessageSendModel
from alipay.aop.api.domain.AlipayOpenAppQrcodeCreateModel import AlipayOpenAppQrcodeCreateModel
from alipay.aop.api.domain.AlipayTradeAppPayModel import AlipayTradeAppPayModel
from alipay.aop.api.domain.AlipayTradeQueryModel import AlipayTradeQueryModel
from alipay.aop.api.request.AlipayOpenAppMiniTemplatemessageSendRequest import (
    AlipayOpenAppMiniTemplatemessageSendRequest,
)
from alipay.aop.api.request.AlipayOpenAppQrcodeCreateRequest import AlipayOpenAppQrcodeCreateRequest
from alipay.aop.api.request.AlipaySystemOauthTokenRequest import AlipaySystemOauthTokenRequest
from alipay.aop.api.request.AlipayTradeAppPayRequest import AlipayTradeAppPayRequest
from alipay.aop.api.request.AlipayTradeQueryRequest import AlipayTradeQueryRequest
from alipay.aop.api.request.AlipayUserInfoShareRequest import AlipayUserInfoShareRequest

KEYS = pathlib.Path(sys.argv[1])
CLOCK = datetime.datetime(2026, 1, 2, 3, 4, 5)

# What every charset has, and what only the larger ones have. In GBK the second byte of 乗 is a backslash and that of 亄 an
# opening brace; neither is in GB 2312.
AWKWARD = "a b+c%20&d=e\"f'g/h\\i~j*k(l)!<m>#?;:@,$ 你好，小程序"
MORE = {"utf-8": "乗亄鎔 🍎", "GBK": "乗亄鎔", "gb2312": "啊齄"}


def with_model(request, model, **members):
    for name, value in members.items():
        setattr(model, name, value)
    return request(biz_model=model)


def oauth(**members):
    request = AlipaySystemOauthTokenRequest()
    for name, value in members.items():
        setattr(request, name, value)
    return request


def user_info():
    request = AlipayUserInfoShareRequest()
    request.add_other_text_param("auth_token", "authusrB17a2f0d56f6d4f9e8bb2d2f7a6c5cX30")
    return request


def requests(more):
    yield "oauth-code", oauth(grant_type="authorization_code", code="4b203fe6c11548bcabd8da5bb087a83b")
    yield "oauth-refresh", oauth(grant_type="refresh_token", refresh_token="201208134b203fe6c11548bcabd8da5bb087a83b")
    yield "user-info", user_info()
    yield "mini-code", with_model(
        AlipayOpenAppQrcodeCreateRequest,
        AlipayOpenAppQrcodeCreateModel(),
        url_param="pages/index/index",
        query_param="scene=1&name=你好",
        describe=AWKWARD + more,
    )
    yield "template-message", with_model(
        AlipayOpenAppMiniTemplatemessageSendRequest,
        AlipayOpenAppMiniTemplatemessageSendModel(),
        to_user_id="2088000000000001",
        user_template_id="MDI4",
        page="pages/order?id=1",
        data=json.dumps({"keyword1": {"value": "你好 \"引号\" \\ /" + more}}, ensure_ascii=False),
    )
    yield "trade-query", with_model(AlipayTradeQueryRequest, AlipayTradeQueryModel(), out_trade_no="20260102-1")


def app_pay(more):
    request = with_model(
        AlipayTradeAppPayRequest,
        AlipayTradeAppPayModel(),
        out_trade_no="20260102-1",
        total_amount="0.01",
        subject=AWKWARD + more,
        product_code="QUICK_MSECURITY_PAY",
        passback_params="a%3D1%26b%3D2",
    )
    request.notify_url = "https://shop.example/notify?a=1&b=2"
    return request


class Watched:
    """One client of the SDK, with what it signed and what it would have posted."""

    def __init__(self, key, charset, sign_type):
        self.config = AlipayClientConfig()
        self.config.app_id = "2021000000000001"
        self.config.app_private_key = (KEYS / f"{key}.pkcs1.pem").read_text()
        self.config.charset = charset
        self.config.sign_type = sign_type
        self.about = {"key": key, "sign_type": sign_type, "charset": charset}

    def case(self, kind, name, request):
        about = {
            "id": f"python-{name}-{self.about['key']}-{self.about['sign_type']}-{self.about['charset']}",
            "kind": kind,
            **self.about,
        }
        sign_content, signers = sdk.get_sign_content, {"RSA2": sdk.sign_with_rsa2, "RSA": sdk.sign_with_rsa}

        def watched_content(params):
            about["params"] = dict(sorted(params.items()))
            about["signed_text"] = sign_content(params)
            return about["signed_text"]

        def watched_signer(*arguments):
            about["signature"] = signers[self.about["sign_type"]](*arguments)
            return about["signature"]

        def kept(_url, query, _headers, params, charset, _timeout):
            about["query"], about["body"] = query, sdk.url_encode(params, charset)
            return b""

        clock = mock.Mock()
        clock.datetime.now.return_value = CLOCK
        with (
            mock.patch.object(sdk, "datetime", clock),
            mock.patch.object(sdk, "get_sign_content", watched_content),
            mock.patch.object(sdk, "sign_with_rsa2", watched_signer),
            mock.patch.object(sdk, "sign_with_rsa", watched_signer),
            mock.patch.object(sdk, "do_post", kept),
        ):
            client = sdk.DefaultAlipayClient(self.config)
            if kind == "order_string":
                about["order_string"] = client.sdk_execute(request)
            else:
                try:
                    client.execute(request)
                except sdk.ResponseException:
                    pass  # Nothing was posted, so there is nothing to read.
        return about


def main():
    cases = []
    for key, sign_type in (("app-2048", "RSA2"), ("app-2048", "RSA"), ("app-3072", "RSA2")):
        for charset, more in MORE.items():
            watched = Watched(key, charset, sign_type)
            cases += [watched.case("request", name, request) for name, request in requests(more)]
            cases.append(watched.case("order_string", "app-pay", app_pay(more)))
    version = importlib.metadata.version("alipay-sdk-python")
    made = {"made_by": f"alipay-sdk-python {version} (PyPI)", "clock": f"{CLOCK} +08:00", "cases": cases}
    sys.stdout.buffer.write((json.dumps(made, ensure_ascii=False, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
