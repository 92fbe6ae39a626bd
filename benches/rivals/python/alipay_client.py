"""The one client of Alipay's gateway, made once per process, and the one call that both handlers make with it."""

import base64
import json
import os
from urllib.parse import urlsplit

from alipay.aop.api.AlipayClientConfig import AlipayClientConfig
from alipay.aop.api.DefaultAlipayClient import DefaultAlipayClient

APP_ID = os.environ["ALIPAY_APP_ID"]

# What stands before the PKCS#1 key in the PKCS#8 form of any 2048-bit RSA key; the SDK takes PKCS#1.
_PKCS8_PREFIX_LENGTH = 26


class Refused(Exception):
    """The gateway said no."""


def _base64_of(path):
    with open(path, encoding="ascii") as file:
        return "".join(line.strip() for line in file if "-----" not in line)


def _client():
    config = AlipayClientConfig()
    gateway = urlsplit(os.environ["ALIPAY_GATEWAY"])
    if gateway.port:
        from gateway_port import lead_connections

        lead_connections(gateway.hostname, gateway.port)
    config.server_url = f"{gateway.scheme}://{gateway.hostname}{gateway.path}"
    config.app_id = APP_ID
    private_key = base64.b64decode(_base64_of(os.environ["ALIPAY_PRIVATE_KEY_FILE"]))
    config.app_private_key = base64.b64encode(private_key[_PKCS8_PREFIX_LENGTH:]).decode()
    config.alipay_public_key = _base64_of(os.environ["ALIPAY_PUBLIC_KEY_FILE"])
    config.sign_type = "RSA2"
    config.timeout = 5
    return DefaultAlipayClient(config)


_CLIENT = _client()


def call(request):
    """The reply of a signed call, whose signature the SDK checks."""
    reply = json.loads(_CLIENT.execute(request))
    # The code exchange succeeds without a code.
    if reply.get("code", "10000") != "10000":
        raise Refused(f"{reply['code']} {reply.get('sub_code', '')}")
    return reply
