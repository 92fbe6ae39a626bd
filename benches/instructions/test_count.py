"""What `count` says of figures that changed. No valgrind is needed."""

import importlib.machinery
import importlib.util
import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
LOADER = importlib.machinery.SourceFileLoader("count", str(FOLDER / "count"))
count = importlib.util.module_from_spec(importlib.util.spec_from_loader("count", LOADER))
LOADER.exec_module(count)

MARGIN = 2


def complaints(stored: dict, counted: dict) -> list[str]:
    return count.complaints({"instructions_a_call": stored}, counted, MARGIN, Path("profiles"))


def test_what_stands_within_its_margin_is_right_in_either_direction():
    stored = {"sign": {"total": 100_000, "ours": 10_000}}
    assert complaints(stored, {"sign": {"total": 102_000, "ours": 9_800}}) == []


def test_more_instructions_name_the_case_both_figures_the_margin_and_both_commands():
    (complaint,) = complaints({"sign": {"total": 100_000, "ours": 10_000}}, {"sign": {"total": 100_300, "ours": 10_300}})
    assert complaint.startswith("sign, ours: 10,300 instructions a call, stored 10,000 ± 2 %: 3.0 % more.")
    assert "callgrind_annotate --inclusive=yes profiles/sign.callgrind" in complaint and "make renew-instructions" in complaint


def test_fewer_instructions_ask_for_new_figures_too():
    (complaint,) = complaints({"sign": {"total": 100_000, "ours": 100_000}}, {"sign": {"total": 98_100, "ours": 97_100}})
    assert complaint.startswith("sign, ours: 97,100") and "2.9 % less" in complaint and "make renew-instructions" in complaint


@pytest.mark.parametrize(("stored", "counted"), [({}, {"new": {}}), ({"gone": {}}, {})])
def test_a_case_that_only_one_side_has_is_a_fault(stored: dict, counted: dict):
    assert len(complaints(stored, counted)) == 1


def test_what_was_counted_with_other_tools_is_told_apart():
    here = {"architecture": "x86_64", "rustc": "1.95.0", "valgrind": "3.19.0", "glibc": "2.36"}
    assert count.differing_tools(here, here) == ""
    assert count.differing_tools(here | {"glibc": "2.39"}, here) == "glibc 2.39 (here 2.36)"


def test_both_numbers_of_repetitions_hold_whole_lives_of_blinding_factors():
    assert count.FEW % 32 == 0 and count.MANY % 32 == 0


def test_every_case_is_stored_with_the_tools_it_was_counted_with():
    figures = json.loads(count.FIGURES.read_text(encoding="utf-8"))
    assert figures["instructions_a_call"] and all(figures["counted_with"].values())
    for case, parts in figures["instructions_a_call"].items():
        assert 0 < parts["ours"] <= parts["total"], case
