"""template.yaml as it stands, and as CloudFormation will see it once SAM has expanded it."""

import copy
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


@cache
def expanded() -> dict:
    document = copy.deepcopy(source())
    # `sam package` uploads the folder and puts an S3 address here.
    for resource in document["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
    defaults = {name: str(parameter["Default"]) for name, parameter in document["Parameters"].items() if "Default" in parameter}
    translator = Translator({}, Parser(), boto_session=_Region())
    return _plain(translator.translate(document, defaults | PARAMETERS))


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
