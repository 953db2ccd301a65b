"""chrF: the F-score of the character n-grams that a translation and its reference share.

Popović 2015, "chrF: character n-gram F-score for automatic MT evaluation". It needs no tokenizer
and suits languages of rich morphology; ``word_order=2`` makes it chrF++ (Popović 2017).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from backends.metrics.bleu import ngrams, words


@dataclass(frozen=True, slots=True)
class _Counts:
    """n-grams of one order: of the hypotheses, of the references, and of both."""

    hypothesis: int = 0
    reference: int = 0
    both: int = 0

    def __add__(self, other: "_Counts") -> "_Counts":
        return _Counts(
            self.hypothesis + other.hypothesis,
            self.reference + other.reference,
            self.both + other.both,
        )


def chrf(
    hypotheses: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    order: int = 6,
    word_order: int = 0,
    beta: float = 2.0,
) -> float:
    """chrF of a corpus, from 0 to 100, greater is better; ``references[i]`` belong to
    ``hypotheses[i]``, and the one that fits best counts.

    White space is left out. Precision and recall are averaged over the orders from 1 to ``order``
    that both sides are long enough for; ``beta`` is how much more recall weighs than precision.

    Raises:
        ValueError: a hypothesis without references, or another number of them.
    """
    if len(hypotheses) != len(references) or not all(references):
        raise ValueError("every hypothesis needs a list of at least one reference")
    totals = [_Counts()] * (order + word_order)
    for hypothesis, several in zip(hypotheses, references, strict=True):
        candidates = [_count(hypothesis, text, order, word_order) for text in several]
        best = max(candidates, key=lambda counts: _f_score(counts, beta))
        totals = [total + more for total, more in zip(totals, best, strict=True)]
    return 100 * _f_score(totals, beta)


def _count(hypothesis: str, reference: str, order: int, word_order: int) -> list[_Counts]:
    """One entry an order: characters first, then words."""
    letters = ["".join(text.split()) for text in (hypothesis, reference)]
    tokens = [words(text) for text in (hypothesis, reference)]
    orders = chain(
        ((letters, n) for n in range(1, order + 1)),
        ((tokens, n) for n in range(1, word_order + 1)),
    )
    counts = []
    for (mine, theirs), n in orders:
        a, b = ngrams(mine, n), ngrams(theirs, n)
        counts.append(_Counts(a.total(), b.total(), (a & b).total()))
    return counts


def _f_score(counts: Sequence[_Counts], beta: float) -> float:
    """(1 + β²) P R / (β² P + R), equation 1."""
    used = [count for count in counts if count.hypothesis and count.reference]
    if not any(count.both for count in used):
        return 0.0
    precision = sum(count.both / count.hypothesis for count in used) / len(used)
    recall = sum(count.both / count.reference for count in used) / len(used)
    return (1 + beta**2) * precision * recall / (beta**2 * precision + recall)
