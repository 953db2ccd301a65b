"""BLEU and chrF: the examples of the papers, and values computed once with sacrebleu 2.6.0."""

import pytest

from backends.metrics.bleu import Bleu, bleu, clipped_matches, words
from backends.metrics.chrf import chrf

GUIDES = [
    "It is a guide to action that ensures that the military will forever heed Party commands",
    "It is the guiding principle which guarantees the military forces always being under the "
    "command of the Party",
    "It is the practical guide for the army always to heed the directions of the party",
]
GOOD = (
    "It is a guide to action which ensures that the military always obeys the commands of the party"
)
BAD = "It is to insure the troops forever hearing the activity guidebook that party direct"

HYPOTHESES = ["The cat sat on the mat.", GOOD + ".", "A dog!"]
FIRST = ["The cat is sitting on the mat.", GUIDES[0] + ".", "The dog barked."]
SECOND = ["There is a cat on the mat.", GUIDES[1] + ".", "A dog was barking!"]
BOTH = [list(pair) for pair in zip(FIRST, SECOND, strict=True)]
ONE = [[text] for text in FIRST]


# --------------------------------------------------------------------------- BLEU


@pytest.mark.parametrize(
    ("candidate", "n", "matches"),
    [(GOOD, 1, 17), (BAD, 1, 8), (GOOD, 2, 10), (BAD, 2, 1)],  # 17/18, 8/14, 10/17, 1/13
)
def test_modified_precision_of_the_papers_example(candidate: str, n: int, matches: int) -> None:
    truths = [text.split() for text in GUIDES]
    assert clipped_matches(candidate.split(), truths, n) == matches


def test_a_word_counts_no_oftener_than_a_reference_has_it() -> None:
    truths = [text.split() for text in ("the cat is on the mat", "there is a cat on the mat")]
    assert clipped_matches(["the"] * 7, truths, 1) == 2


def test_bleu_with_two_references_is_that_of_sacrebleu() -> None:
    found = bleu(HYPOTHESES, BOTH)
    assert found.score == pytest.approx(42.24805362993994, rel=1e-12)
    assert found.brevity_penalty == pytest.approx(0.9333588643117228, rel=1e-12)
    assert (found.length, found.reference_length) == (29, 31)
    expected = [0.8965517241379311, 0.5384615384615385, 0.3478260869565217, 0.25]
    assert found.precisions == pytest.approx(expected)


def test_bleu_with_one_reference_and_with_plain_splitting_is_that_of_sacrebleu() -> None:
    assert bleu(HYPOTHESES, ONE).score == pytest.approx(40.26858926670297, rel=1e-12)
    plain = bleu(HYPOTHESES, BOTH, tokens=str.split)
    assert plain.score == pytest.approx(39.39866025858242, rel=1e-12)


def test_orders_without_a_match_are_smoothed_as_in_sacrebleu() -> None:
    found = bleu(["the quick brown fox leaps"], [["a quick brown dog leaps over"]])
    assert found.score == pytest.approx(19.3576934939088, rel=1e-12)
    assert found.precisions == pytest.approx([3 / 5, 1 / 4, 1 / 6, 1 / 8])


def test_equal_texts_score_100_and_strange_ones_0() -> None:
    assert bleu(FIRST, ONE).score == pytest.approx(100)
    assert bleu(["xyz uvw rst qpo"], [["a b c d"]]).score == 0
    assert bleu([""], [["a"]]) == Bleu(0.0, (0.0,) * 4, 0.0, 0, 1)


def test_counts_are_of_the_corpus_not_of_its_lines() -> None:
    lines = [bleu([h], [r]).score for h, r in zip(HYPOTHESES, ONE, strict=True)]
    assert bleu(HYPOTHESES, ONE).score != pytest.approx(sum(lines) / len(lines))
    assert bleu(HYPOTHESES * 2, ONE * 2).score == pytest.approx(bleu(HYPOTHESES, ONE).score)


def test_words_and_punctuation_are_tokens() -> None:
    assert words("Wait, naïve 42!") == ["Wait", ",", "naïve", "42", "!"]


def test_every_hypothesis_needs_a_reference() -> None:
    with pytest.raises(ValueError, match="2 hypotheses and references for 1"):
        bleu(["a", "b"], [["a"]])
    with pytest.raises(ValueError, match="no reference"):
        bleu(["a"], [[]])
    with pytest.raises(ValueError, match="at least one reference"):
        chrf(["a"], [[]])


# --------------------------------------------------------------------------- chrF


@pytest.mark.parametrize(
    ("knobs", "two", "one"),
    [
        ({}, 57.180891459819264, 55.155238102569704),
        ({"word_order": 2}, 56.874070094081816, 55.338612347355046),
        ({"beta": 1.0}, 58.407617085863585, 56.66167471966865),
    ],
)
def test_chrf_is_that_of_sacrebleu(knobs: dict[str, float], two: float, one: float) -> None:
    word_order, beta = int(knobs.get("word_order", 0)), knobs.get("beta", 2.0)
    assert chrf(HYPOTHESES, BOTH, word_order=word_order, beta=beta) == pytest.approx(two, rel=1e-9)
    assert chrf(HYPOTHESES, ONE, word_order=word_order, beta=beta) == pytest.approx(one, rel=1e-9)


def test_chrf_by_hand() -> None:
    """ "ab" in "abc abd": P = (2/2 + 1/1) / 2, R = (2/6 + 1/5) / 2 over the orders 1 and 2."""
    precision, recall = 1.0, (2 / 6 + 1 / 5) / 2
    expected = 100 * 5 * precision * recall / (4 * precision + recall)
    assert chrf(["ab"], [["abc abd"]], order=2) == pytest.approx(expected)
    assert chrf(["ab"], [["abc abd"]]) == pytest.approx(31.25)  # longer orders do not exist


def test_chrf_of_equal_and_of_strange_texts() -> None:
    assert chrf(FIRST, ONE) == pytest.approx(100)
    assert chrf(["abc"], [["xyz"]]) == 0
    assert chrf([""], [["xyz"]]) == 0
    assert chrf(["a b"], [["ab"]]) == pytest.approx(100)  # white space is left out
