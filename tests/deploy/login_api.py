"""The deployed login API, over HTTP."""

import http.client
import json
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    text: str

    def json(self) -> dict:
        return json.loads(self.text)

    def sent_to(self) -> tuple[str, dict[str, str]]:
        """The address of a redirect without its query, and the query."""
        assert self.status == 302, self
        target = urlsplit(self.headers["location"])
        query = {name: value for name, (value,) in parse_qs(target.query, strict_parsing=True).items()}
        return f"{target.scheme}://{target.netloc}{target.path}", query

    def cookies(self) -> str:
        """What a browser sends back."""
        return "; ".join(line.split(";")[0] for line in self.headers.get_all("set-cookie"))


class LoginApi:
    """The deployed login API, called as a browser or a back end does that follows no redirect."""

    def __init__(self, ministack: str, url: str) -> None:
        self.authority = urlsplit(ministack).netloc
        self.id = urlsplit(url).netloc.partition(".")[0]

    def call(self, method: str, path: str, body: str | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection(self.authority, timeout=60)
        try:
            connection.request(method, f"/_aws/execute-api/{self.id}/$default{path}", body, headers)
            reply = connection.getresponse()
            return Answer(reply.status, reply.headers, reply.read().decode())
        finally:
            connection.close()

    def get(self, path: str, query: dict[str, str] | None = None, **headers: str) -> Answer:
        return self.call("GET", path + (f"?{urlencode(query)}" if query else ""), **headers)

    def post(self, path: str, body: dict, **headers: str) -> Answer:
        return self.call("POST", path, json.dumps(body), **{"Content-Type": "application/json", **headers})

    def post_form(self, path: str, fields: dict[str, str], **headers: str) -> Answer:
        return self.call("POST", path, urlencode(fields), **{"Content-Type": "application/x-www-form-urlencoded", **headers})
