"""The public linters of SAM and CloudFormation templates. None of them needs an account or the network."""

import json
import os
import subprocess
import sys
from pathlib import Path

from expanded import ROOT, TEMPLATE

AWS_TOOLS = Path(sys.executable).parent
CHECKOV = ROOT / ".tools" / "checkov" / "bin" / "checkov"

# cfn-lint-serverless looks for a log group named after the function. Ours is handed to the function instead
# (LoggingConfig), because the function's role names the group; test_policy.py checks that each has one.
# ES1007 and ES4000 want dead letters of the schedule's events: a sweep that was lost is made a minute later, and the alarm of
# the lateness tells when none is made. ES6000 wants dead letters of the queues of dead letters; test_refreshing.py has the others.
IGNORED_LINTS = ["ES1007", "ES4000", "ES6000", "WS1004"]

# Chosen, because most of checkov's list asks for things that this stack leaves out on purpose:
#   CKV_AWS_27 queues: it knows keys of one's own only; test_refreshing.py looks for SQS's own encryption
#   CKV_AWS_115 reserved concurrency: a new account has ten environments and may reserve none; a parameter does it for the public ones
#   CKV_AWS_116 dead letter queue: for asynchronous invokes. They are hints to refresh-tokens, and the next sweep gives them again
#   CKV_AWS_117 inside a VPC: the functions call a public gateway, a VPC would add a NAT gateway and protect nothing
#   CKV_AWS_119, _158, _173 keys of one's own for table, logs, environment: none holds a secret in the clear (tokens are
#     sealed before they are stored, secrets are named by ARN, logs are free of both)
# CKV_AWS_309 (routes) and _50 (tracing) do not look into SAM's resources; test_policy.py has both.
CHECKOV_CHECKS = {
    "CKV_AWS_28": "the table has point-in-time recovery",
    "CKV_AWS_45": "no secret stands in a function's environment",
    "CKV_AWS_60": "only a service may assume a role",
    "CKV_AWS_61": "no role may be assumed by everybody in a service",
    "CKV_AWS_62": "no policy allows everything",
    "CKV_AWS_63": "no policy has `*` for its action",
    "CKV_AWS_66": "log groups have a retention",
    "CKV_AWS_95": "the HTTP API has an access log",
    "CKV_AWS_107": "no policy exposes credentials",
    "CKV_AWS_108": "no policy lets data out",
    "CKV_AWS_109": "no policy manages permissions without a limit",
    "CKV_AWS_110": "no policy lets its holder take more rights",
    "CKV_AWS_111": "no policy writes without a limit",
    "CKV_AWS_363": "the runtime is not deprecated",
}


def run(*command: str | Path) -> subprocess.CompletedProcess:
    environment = os.environ | {"SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "eu-central-1"}
    return subprocess.run(
        [str(part) for part in command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def test_sam_finds_the_template_valid():
    result = run(AWS_TOOLS / "sam", "validate", "--lint", "--template", TEMPLATE)
    assert result.returncode == 0, result.stdout + result.stderr


def test_cfn_lint_and_its_serverless_rules_find_nothing():
    result = run(
        AWS_TOOLS / "cfn-lint", "--append-rules", "cfn_lint_serverless.rules", "--regions", "eu-central-1",
        "--ignore-checks", *IGNORED_LINTS, "--template", TEMPLATE,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_checkov_finds_nothing_of_the_chosen_list():
    result = run(
        CHECKOV, "--file", TEMPLATE, "--framework", "cloudformation", "--compact", "--skip-download", "--output", "json",
        "--check", ",".join(CHECKOV_CHECKS),
    )
    assert result.stdout.startswith("{"), result.stdout + result.stderr
    report = json.loads(result.stdout)
    failed = [(check["check_id"], check["resource"], check["check_name"]) for check in report["results"]["failed_checks"]]
    assert failed == []
    assert {check["check_id"] for check in report["results"]["passed_checks"]} == set(CHECKOV_CHECKS), "a check that looked at nothing"
