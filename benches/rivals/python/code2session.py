"""Exchanges the code of `my.getAuthCode`, and keeps the tokens that come with it."""

import os
import time

import boto3
from alipay.aop.api.request.AlipaySystemOauthTokenRequest import AlipaySystemOauthTokenRequest

from alipay_client import APP_ID, call
from http_event import answer, over_http

TABLE = os.environ["TOKEN_TABLE"]
# Region, credentials and endpoint come from the variables that Lambda sets.
DYNAMODB = boto3.client("dynamodb")


@over_http
def handler(body):
    code = body.get("code") or body.get("js_code")
    if not code:
        return answer(400, {"code": 400, "msg": "code: is required"})
    request = AlipaySystemOauthTokenRequest()
    request.grant_type = "authorization_code"
    request.code = code
    granted = call(request)
    openid = granted.get("user_id") or granted["open_id"]
    DYNAMODB.put_item(
        TableName=TABLE,
        Item={
            "pk": {"S": f"user#{APP_ID}#{openid}"},
            "sk": {"S": "token"},
            "access_token": {"S": granted["access_token"]},
            "refresh_token": {"S": granted["refresh_token"]},
            "expires_at": {"N": str(int(time.time()) + int(granted["expires_in"]))},
        },
    )
    return answer(200, {
        "code": 0,
        "msg": "ok",
        "appid": APP_ID,
        "platform": "mp-alipay",
        "openid": openid,
        "userId": granted.get("user_id"),
        "openId": granted.get("open_id"),
        "expiresIn": int(granted["expires_in"]),
        "reExpiresIn": int(granted["re_expires_in"]),
    })
