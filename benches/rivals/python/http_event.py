"""What both handlers know of API Gateway's events (payload format 2.0)."""

import base64
import json
import sys


def over_http(answer_to):
    """Makes a Lambda handler of a function that takes the parsed body and returns the answer."""

    def handler(event, _context):
        try:
            text = event.get("body") or "{}"
            body = json.loads(base64.b64decode(text) if event.get("isBase64Encoded") else text)
        except ValueError:
            return answer(400, {"code": 400, "msg": "body: not JSON"})
        try:
            return answer_to(body)
        except Exception as error:
            # The SDK's message has the whole reply in it, tokens too, so only the kind of the error is logged.
            print(type(error).__name__, file=sys.stderr)
            return answer(502, {"code": 502, "msg": "the call to Alipay failed"})

    return handler


def answer(status_code, fields):
    """An answer of API Gateway's payload format 2.0."""
    return {
        "statusCode": status_code,
        "headers": {"content-type": "application/json; charset=utf-8", "cache-control": "no-store"},
        "body": json.dumps(fields, ensure_ascii=False),
    }
