"""A permanent code that opens a page of the mini-program."""

from alipay.aop.api.request.AlipayOpenAppQrcodeCreateRequest import AlipayOpenAppQrcodeCreateRequest

from alipay_client import call
from http_event import answer, over_http


@over_http
def handler(body):
    request = AlipayOpenAppQrcodeCreateRequest()
    request.biz_content = {
        "url_param": body.get("page", "pages/index/index"),
        "query_param": body.get("scene", "miniCode=1"),
        "describe": body.get("describe", "推广"),
    }
    made = call(request)
    return answer(200, {
        "code": 0,
        "msg": "生成成功",
        "qr_code_url": made["qr_code_url"],
        "qr_code_url_circle_white": made.get("qr_code_url_circle_white"),
        "qr_code_url_circle_blue": made.get("qr_code_url_circle_blue"),
    })
