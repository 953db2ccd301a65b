"""The scorecard names 26 faults, and every mutant still finds the protection that it takes away."""

import json
import re
from pathlib import Path

import pytest

from faults.mutants import ROOT, Mutant, mutants
from faults.scorecard import Entry, Scorecard, faults


def test_each_fault_has_a_name() -> None:
    assert list(faults()) == list(range(1, 27))


def test_a_row_sums_up_what_its_tests_report(tmp_path: Path) -> None:
    card = Scorecard()
    Entry(card)(row=7, tried=20, lost=0)
    Entry(card)(row=7, tried=1, lost=0)
    with pytest.raises(AssertionError):
        Entry(card)(row=3, tried=2, lost=1)
    card.write(tmp_path / "card.json")
    told = json.loads((tmp_path / "card.json").read_text())
    assert [(row["row"], row["tried"], row["lost"]) for row in told] == [(3, 2, 1), (7, 21, 0)]
    head, third, seventh = card.lines()
    assert head.split() == ["row", "fault", "tried", "lost", "seconds"]
    assert third.split()[0] == "3"
    assert seventh.split()[-3:-1] == ["21", "0"]


@pytest.mark.parametrize("mutant", mutants([]), ids=lambda mutant: f"{mutant.row}-{mutant.file}")
def test_a_mutant_finds_what_it_takes_away(mutant: Mutant) -> None:
    assert not mutant.is_stale(ROOT)
    assert mutant.old != mutant.new
    path, _, name = mutant.test.partition("::")
    source = (ROOT / path).read_text(encoding="utf-8")
    assert re.search(rf"def {name.partition('[')[0]}\b", source), mutant.test
