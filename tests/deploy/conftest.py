"""template.yaml, deployed with `sam deploy` into MiniStack, an AWS stand-in on this machine.

MiniStack runs the packaged binaries with its own Lambda Runtime API and, with AUTH=true, judges each of their calls
by the actions and resources of the function's role: a permission that the template forgets fails here. It knows no
dynamodb:LeadingKeys (tests/template holds those), and makes no routes of SAM's HttpApi: the functions behind it are called
directly. The routes of the login API are written out in the template; those it makes, and they are called over HTTP.
Its schedule and its queues do call refresh-tokens, as AWS's would.
Everything is bound to loopback, on free ports, and ends with the tests.
"""

import base64
import json
import os
import platform
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
from login_api import LoginApi

ROOT = Path(__file__).resolve().parents[2]
AWS_TOOLS = Path(sys.executable).parent
MINISTACK = ROOT / ".tools" / "ministack" / "bin" / "ministack"
REGION = "eu-central-1"
STACK = "alipay-functions"
ARCHITECTURE = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
# MiniStack takes this access key for the account's root; the functions get credentials of their roles.
ROOT_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until(what: str, holds: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.1)


def end(process: subprocess.Popen) -> None:
    """Ends a process that was started in a session of its own, with all that it started."""
    for stop in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, stop)
        except ProcessLookupError:
            break
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def post(url: str, body: dict) -> dict:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST")
    with urllib.request.urlopen(request, timeout=30) as reply:
        return json.loads(reply.read() or "{}")


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running MiniStack."""
    scratch = tmp_path_factory.mktemp("ministack")
    address = f"http://127.0.0.1:{free_port()}"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": address.rpartition(":")[2],
        "MINISTACK_REGION": REGION,
        "AUTH": "true",
        # Listeners of its own that nothing here needs.
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        # The functions inherit these: their clients call back to this MiniStack.
        "AWS_ENDPOINT_URL": address,
        "AWS_ENDPOINT_URL_DYNAMODB": address,
        "AWS_ENDPOINT_URL_EVENTBRIDGE": address,
        "AWS_ENDPOINT_URL_LAMBDA": address,
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": address,
        "AWS_ENDPOINT_URL_SQS": address,
        **ROOT_CREDENTIALS,
    }
    log = scratch / "ministack.log"

    def answers() -> bool:
        assert process.poll() is None, f"MiniStack ended: {log.read_text()}"
        try:
            with urllib.request.urlopen(f"{address}/_ministack/health", timeout=5) as reply:
                return reply.status == 200
        except (urllib.error.URLError, OSError):
            return False

    with log.open("w") as output:
        process = subprocess.Popen(
            [MINISTACK], env=environment, cwd=scratch, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            wait_until("MiniStack answers", answers, 60)
            yield address
        finally:
            end(process)


@pytest.fixture(scope="session")
def aws(ministack: str) -> Callable:
    """A client of a service of MiniStack, as the account's root."""

    def client(service: str):
        return boto3.client(
            service, endpoint_url=ministack, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test"
        )

    return client


class Simulator:
    """The simulated Alipay gateway and the app that it made."""

    def __init__(self, started: dict) -> None:
        self.base_url = started["base_url"]
        self.gateway_url = started["gateway_url"]
        (self.app,) = started["apps"]

    def code(self, user_id: str | None = None) -> str:
        """A fresh authorization code of a user who lets their profile be read: this one, or the one there is."""
        return self.control("codes", scope="auth_user", **({"user_id": user_id} if user_id else {}))["code"]

    def phone_number(self) -> str:
        """What my.getPhoneNumber hands to the mini-program."""
        return self.control("phone-numbers")["response"]

    def app_auth_code(self, merchant_app: str) -> str:
        """A fresh code of a merchant who authorises the app as an ISV's."""
        return self.control("merchant-authorizations", auth_app_ids=[merchant_app])["app_auth_code"]

    def change_identifiers(self, identifiers: str) -> None:
        """Moves the app from one kind of identifiers of its users to another."""
        self.control("identifiers", identifiers=identifiers)

    def pay(self, order: str) -> None:
        """The user pays what this order string, or number of a trade, is about."""
        post(f"{self.base_url}/_simulator/payments", {"order": order})

    def notices(self) -> list[dict]:
        """Alipay's notices, oldest first. None is delivered: the address of a stack is none of this machine's."""
        with urllib.request.urlopen(f"{self.base_url}/_simulator/notices", timeout=30) as reply:
            return json.load(reply)["notices"]

    def notices_of(self, out_trade_no: str) -> list[dict]:
        return [notice for notice in self.notices() if notice["out_trade_no"] == out_trade_no]

    def message(self, notify_type: str, content: dict) -> dict:
        """Alipay's notice of a message to the app gateway."""
        fields = {"notify_type": notify_type, "biz_content": json.dumps(content)}
        notify_id = self.control("messages-to-app", url="https://app-gateway.example.com", fields=fields)["notify_id"]
        (notice,) = [notice for notice in self.notices() if notice["notify_id"] == notify_id]
        return notice

    def received(self) -> list[dict]:
        """The calls that the gateway received, oldest first."""
        with urllib.request.urlopen(f"{self.base_url}/_simulator/received", timeout=30) as reply:
            return json.load(reply)["calls"]

    def control(self, path: str, **arguments) -> dict:
        """One call of the simulator's own API, about the app."""
        return post(f"{self.base_url}/_simulator/{path}", {"app_id": self.app["app_id"], **arguments})

    def document(self) -> dict:
        """The document of apps that the functions are configured with."""
        return {
            "default": self.app["app_id"],
            "apps": [
                {
                    "appid": self.app["app_id"],
                    "privateKey": self.app["private_key"],
                    "alipayPublicKey": self.app["alipay_public_key"],
                    "aesKey": self.app["aes_key"],
                    "contentCheck": {"engine": "sync"},
                    "gateway": self.gateway_url,
                    "homePage": "pages/index/index",
                    "pid": self.app["pid"],
                    "requestMethods": ["alipay.open.app.qrcode.create", "alipay.user.info.share"],
                }
            ],
        }


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulator]:
    process = subprocess.Popen(
        ["cargo", "run", "--locked", "--quiet", "--package", "simulator", "--", "--port", "0", "--until-stdin-closes"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        first_line = process.stdout.readline()
        assert first_line, "the simulator ended without a word"
        yield Simulator(json.loads(first_line))
    finally:
        end(process)


def keyring() -> dict:
    """A document of keys with one fresh key in it."""
    return {"active": "first", "keys": {"first": base64.b64encode(secrets.token_bytes(32)).decode()}}


# The application that users log in to, as the login document knows it.
CLIENT = {
    "clientId": "deployed",
    "clientSecret": secrets.token_urlsafe(32),
    "redirectUris": ["https://client.example.com/callback"],
    "returnTo": ["https://www.example.com/welcome"],
}


def login_document(app_id: str) -> dict:
    """A login document with fresh keys, made as an operator makes it, with the one client."""
    made = subprocess.run(
        ["cargo", "run", "--locked", "--quiet", "--package", "dev-server", "--", "login-keys", "new"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return json.loads(made.stdout) | {"clients": [CLIENT | {"appid": app_id}]}


@pytest.fixture(scope="session")
def functions(aws: Callable, ministack: str, simulator: Simulator) -> dict[str, str]:
    """Deploys the stack; output name to value."""
    store = aws("secretsmanager")

    def secret(name: str, document: dict) -> str:
        return store.create_secret(Name=name, SecretString=json.dumps(document))["ARN"]

    parameters = {
        "AppsSecretArn": secret("alipay/apps", simulator.document()),
        "TokenKeysSecretArn": secret("alipay/token-keys", keyring()),
        "RefreshTokenKeysSecretArn": secret("alipay/refresh-token-keys", keyring()),
        "LoginSecretArn": secret("alipay/login", login_document(simulator.app["app_id"])),
        "SignedInAudience": CLIENT["clientId"],
        "Architecture": ARCHITECTURE,
        # MiniStack's CloudFormation knows no archives.
        "EventArchiveDays": "0",
    }

    deployed = subprocess.run(
        [
            AWS_TOOLS / "sam", "deploy", "--template-file", ROOT / "template.yaml", "--stack-name", STACK, "--resolve-s3",
            "--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--no-progressbar",
            "--parameter-overrides", *(f"{name}={value}" for name, value in parameters.items()),
        ],
        cwd=ROOT,
        env=os.environ | ROOT_CREDENTIALS | {"AWS_ENDPOINT_URL": ministack, "SAM_CLI_TELEMETRY": "0"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    (stack,) = aws("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    limit_the_queues_again(aws("lambda"), outputs["RefreshTokensFunction"])
    let_messages_be_sent_in_tens(aws, outputs["RefreshTokensFunction"])
    return outputs


def limit_the_queues_again(client, function: str) -> None:
    """MiniStack keeps a template's parameter as the text it was given as, and cannot compare a concurrency that is a text."""
    for mapping in client.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]:
        at_once = int(mapping["ScalingConfig"]["MaximumConcurrency"])
        client.update_event_source_mapping(UUID=mapping["UUID"], ScalingConfig={"MaximumConcurrency": at_once})


def let_messages_be_sent_in_tens(aws: Callable, function: str) -> None:
    """At AWS sqs:SendMessage allows SendMessageBatch, which is no action of its own; MiniStack asks for one of that name. It is
    given for the queues that the template's role may send to."""
    role = aws("lambda").get_function_configuration(FunctionName=function)["Role"].rpartition("/")[2]
    roles = aws("iam")
    (name,) = roles.list_role_policies(RoleName=role)["PolicyNames"]
    policy = roles.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    (queues,) = [statement for statement in policy["Statement"] if "sqs:SendMessage" in statement["Action"]]
    queues["Action"].append("sqs:SendMessageBatch")
    roles.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(policy))


def scheduled_input(events, function: str) -> dict:
    """What the schedule of this function sends it every minute."""
    targets = [
        target
        for rule in events.list_rules()["Rules"]
        if (rule.get("ScheduleExpression"), rule["State"]) == ("rate(1 minute)", "ENABLED")
        for target in events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    ]
    (target,) = [target for target in targets if target["Arn"].endswith(f"-{function}")]
    return json.loads(target["Input"])


@pytest.fixture(scope="session")
def invoke(aws: Callable, functions: dict[str, str]) -> Callable[[str, dict], dict]:
    """Calls a deployed function by the name of its output, through the direct door."""
    client = aws("lambda")

    def call(output: str, arguments: dict) -> dict:
        reply = client.invoke(FunctionName=functions[output], Payload=json.dumps(arguments).encode(), LogType="Tail")
        answer = json.load(reply["Payload"])
        # pytest shows it when the test fails.
        print(output, base64.b64decode(reply.get("LogResult", "")).decode(errors="replace"))
        assert "FunctionError" not in reply, answer
        return answer

    return call


@pytest.fixture(scope="session")
def login_api(ministack: str, functions: dict[str, str]) -> LoginApi:
    return LoginApi(ministack, functions["LoginUrl"])
