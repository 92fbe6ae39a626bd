"""The tests of the token store once more, against MiniStack's DynamoDB: two independent engines have to agree."""

import os
import subprocess

from conftest import ROOT


def test_the_token_store_behaves_the_same_on_a_second_engine(ministack):
    suite = subprocess.run(
        ["cargo", "test", "--locked", "--package", "token-store", "--test", "store"],
        cwd=ROOT,
        env={**os.environ, "TOKEN_STORE_TEST_ENDPOINT": ministack},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
    assert suite.returncode == 0, suite.stdout
    assert "test result: ok." in suite.stdout, suite.stdout
