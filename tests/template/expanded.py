"""template.yaml as it stands, and as CloudFormation will see it once SAM has expanded it."""

import copy
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "template.yaml"
# A deployment's parameters; the others have defaults.
PARAMETERS = {
    "AppsSecretArn": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:apps-AbCdEf",
    "TokenKeysSecretArn": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:token-keys-AbCdEf",
    "RefreshTokenKeysSecretArn": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:refresh-token-keys-AbCdEf",
    "LoginSecretArn": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:login-AbCdEf",
    "SignedInAudience": "2021000000000000",
}


def _plain(node):
    """The same document in plain dicts and lists, which is what the translator wants."""
    if isinstance(node, dict):
        return {key: _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    return node


@cache
def source() -> dict:
    return _plain(yaml_parse(TEMPLATE.read_text(encoding="utf-8")))


class _Region:
    region_name = "eu-central-1"


def expanded_with(**parameters: str) -> dict:
    """The template as CloudFormation sees it when these parameters are given beside the others."""
    document = copy.deepcopy(source())
    # `sam package` uploads the folder and puts an S3 address here.
    for resource in document["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
    defaults = {name: str(parameter["Default"]) for name, parameter in document["Parameters"].items() if "Default" in parameter}
    translator = Translator({}, Parser(), boto_session=_Region())
    return _plain(translator.translate(document, defaults | PARAMETERS | parameters))


@cache
def expanded() -> dict:
    return expanded_with()


def resources(of_type: str) -> dict[str, dict]:
    """Logical id to properties, in the expanded template."""
    return {
        logical_id: resource["Properties"]
        for logical_id, resource in expanded()["Resources"].items()
        if resource["Type"] == of_type
    }


def functions() -> dict[str, dict]:
    """Folder name to the source block of each function."""
    return {
        resource["Properties"]["CodeUri"].removeprefix("target/lambda/"): {"id": logical_id, **resource["Properties"]}
        for logical_id, resource in source()["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }


@dataclass(frozen=True)
class Route:
    """A method and path, the folder of the function that answers, and who is let through: the name of an authorizer, or NONE."""

    method: str
    path: str
    folder: str
    authorizer: str


def vk_api() -> dict:
    """The OpenAPI document that SAM has made of `Api` and of the functions that name it in their events."""
    return expanded()["Resources"]["Api"]["Properties"]["Body"]


def routes() -> list[Route]:
    """Those of both APIs."""
    folders = {function["id"]: folder for folder, function in functions().items()}
    found = []
    for path, operations in vk_api()["paths"].items():
        for method, operation in operations.items():
            uri = operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]
            (folder,) = [folder for function, folder in folders.items() if f"/${{{function}.Arn}}/" in uri]
            # `NONE` is SAM's word for an open route; one without `security` is open as well.
            (authorizer,) = [name for entry in operation.get("security", []) for name in entry] or ["NONE"]
            found.append(Route(method.upper(), path, folder, authorizer))
    for route in resources("AWS::ApiGatewayV2::Route").values():
        method, path = route["RouteKey"].split(" ")
        integration = route["Target"]["Fn::Sub"].removeprefix("integrations/${").removesuffix("}")
        function, _ = resources("AWS::ApiGatewayV2::Integration")[integration]["IntegrationUri"]["Fn::GetAtt"]
        found.append(Route(method, path, folders[function], route["AuthorizationType"]))
    return found
