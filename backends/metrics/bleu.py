"""BLEU: how many n-grams of a translation its references have, times a penalty for shortness.

Papineni, Roukos, Ward & Zhu 2002, "BLEU: a Method for Automatic Evaluation of Machine Translation".
Counts are summed over the whole corpus before anything is divided (their section 2.2.1).
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Tokens = Sequence[str]
Tokenizer = Callable[[str], Tokens]

_WORDS = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Bleu:
    """A corpus' score and what it was made of.

    Attributes:
        score: from 0 to 100; greater is better.
        precisions: modified n-gram precisions p_1 ... p_N, each from 0 to 1, after smoothing.
        brevity_penalty: from 0 to 1; 1 where the hypotheses are no shorter than the references.
        length, reference_length: tokens of all hypotheses, and of the references closest to them.
    """

    score: float
    precisions: tuple[float, ...]
    brevity_penalty: float
    length: int
    reference_length: int


def words(text: str) -> Tokens:
    """Words and single marks of punctuation, in the case that they have."""
    return _WORDS.findall(text)


def bleu(
    hypotheses: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    order: int = 4,
    tokens: Tokenizer = words,
) -> Bleu:
    """BLEU of a corpus; ``references[i]`` are all the references of ``hypotheses[i]``.

    A precision of zero is smoothed as in mteval-v13a and sacrebleu ("exp"): the k-th zero precision
    becomes 1 / (2^k · n-grams). Without a single common word the score is 0.

    Raises:
        ValueError: a hypothesis without references, or another number of them.
    """
    _check(hypotheses, references)
    matches, totals, length, reference_length = [0] * order, [0] * order, 0, 0
    for hypothesis, several in zip(hypotheses, references, strict=True):
        candidate, truths = tokens(hypothesis), [tokens(text) for text in several]
        length += len(candidate)
        reference_length += _closest(len(candidate), truths)
        for n in range(1, order + 1):
            matches[n - 1] += clipped_matches(candidate, truths, n)
            totals[n - 1] += max(0, len(candidate) - n + 1)
    precisions = _smoothed(matches, totals)
    penalty = _brevity_penalty(length, reference_length)
    score = 100 * penalty * _geometric_mean(precisions)
    return Bleu(score, precisions, penalty, length, reference_length)


def clipped_matches(candidate: Tokens, truths: Sequence[Tokens], n: int) -> int:
    """n-grams of ``candidate`` that a reference has too, none counted oftener than in the reference
    that has it most (section 2.1)."""
    most: Counter[tuple[str, ...]] = Counter()
    for truth in truths:
        most |= ngrams(truth, n)
    return (ngrams(candidate, n) & most).total()


def ngrams(items: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    """How often each run of ``n`` items occurs."""
    return Counter(tuple(items[i : i + n]) for i in range(len(items) - n + 1))


def _check(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    if len(hypotheses) != len(references):
        counts = f"{len(hypotheses)} hypotheses and references for {len(references)}"
        raise ValueError(f"there are {counts}: give a list of references for each hypothesis")
    if not all(references):
        raise ValueError("a hypothesis has no reference: give at least one")


def _closest(length: int, truths: Sequence[Tokens]) -> int:
    """The length of the reference that is closest in length; of two, the shorter."""
    return min((len(truth) for truth in truths), key=lambda n: (abs(n - length), n))


def _smoothed(matches: Sequence[int], totals: Sequence[int]) -> tuple[float, ...]:
    if not any(matches):
        return (0.0,) * len(matches)
    precisions, halving = [], 1.0
    for match, total in zip(matches, totals, strict=True):
        if total and not match:
            halving /= 2
        precisions.append((match or halving) / total if total else 0.0)
    return tuple(precisions)


def _brevity_penalty(length: int, reference_length: int) -> float:
    if length >= reference_length:
        return 1.0
    return math.exp(1 - reference_length / length) if length else 0.0  # section 2.3


def _geometric_mean(values: Sequence[float]) -> float:
    if not all(values):
        return 0.0
    return math.exp(sum(math.log(value) for value in values) / len(values))
