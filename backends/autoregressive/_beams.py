"""How the best line is found: the likeliest token at each place, or a beam of hypotheses."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Step = Callable[[Tensor, Tensor | None], Tensor]
"""Logits [M, V] of what follows the next tokens [M, 1] of M lines; where there is an origin [M],
line i first goes on from what line origin[i] was."""


@dataclass(frozen=True, slots=True)
class Marks:
    """The ids that begin and end a line, and those that never follow."""

    start: int
    end: int
    barred: Sequence[int]


@dataclass(frozen=True, slots=True)
class Hypotheses:
    """The best first.

    Attributes:
        ids: [N, k, T], filled up with the end.
        scores: [N, k]; -inf where there were fewer than k.
    """

    ids: Tensor
    scores: Tensor


def length_penalty(length: int, alpha: float) -> float:
    """((5 + n) / (5 + 1))^α, by which log P is divided (Wu et al. 2016, eq. 14)."""
    return ((5 + length) / 6) ** alpha


def greedy(step: Step, count: int, length: int, marks: Marks, device: torch.device) -> Tensor:
    """Lines [count, length] of the likeliest tokens, filled up with the end."""
    tokens = torch.full((count, 1), marks.start, device=device)
    ids = torch.full((count, length), marks.end, device=device)
    ended = torch.zeros(count, dtype=torch.bool, device=device)
    for t in range(length):
        token = _log_p(step(tokens, None), marks).argmax(-1).masked_fill(ended, marks.end)
        ids[:, t], tokens, ended = token, token[:, None], ended | (token == marks.end)
        if ended.all():
            break
    return ids


def beam_search(
    step: Step,
    count: int,
    length: int,
    marks: Marks,
    device: torch.device,
    *,
    beams: int,
    alpha: float,
    wanted: int = 1,
) -> Hypotheses:
    """The best ``beams`` lines of at most ``length`` tokens for each of ``count`` sources.

    A line's score is log P / length_penalty, its end being one of its tokens; one that has not
    ended after ``length`` tokens counts as it is. The search ends as soon as no unfinished line can
    reach the first ``wanted`` finished ones.
    """
    rows = torch.arange(count, device=device)[:, None]  # [N, 1]
    ids = torch.full((count, beams, length), marks.end, device=device)
    scores = torch.full((count, beams), -math.inf, device=device)  # log P of unfinished lines
    done = Hypotheses(ids.clone(), scores.clone())
    scores[:, 0] = 0.0
    tokens, origin = torch.full((count * beams, 1), marks.start, device=device), None
    longest = length_penalty(length, alpha)
    for t in range(length):
        log_p = _log_p(step(tokens, origin), marks).view(count, beams, -1)  # [N, k, V]
        total = scores[:, :, None] + log_p
        ended = total[:, :, marks.end] / length_penalty(t + 1, alpha)
        done = _best(done, Hypotheses(ids, ended))
        total[:, :, marks.end] = -math.inf
        scores, index = total.flatten(1).topk(beams)
        parent, token = index // log_p.shape[2], index % log_p.shape[2]  # [N, k]
        ids = ids[rows, parent]
        ids[:, :, t] = token
        tokens, origin = token.view(-1, 1), (rows * beams + parent).view(-1)
        if (done.scores[:, wanted - 1] >= scores[:, 0] / longest).all():
            return done
    return _best(done, Hypotheses(ids, scores / longest))


def _best(one: Hypotheses, two: Hypotheses) -> Hypotheses:
    """As many of both as there are of one."""
    scores, chosen = torch.cat([one.scores, two.scores], dim=1).topk(one.scores.shape[1])
    ids = torch.cat([one.ids, two.ids], dim=1)
    return Hypotheses(ids[torch.arange(len(ids), device=ids.device)[:, None], chosen], scores)


def _log_p(logits: Tensor, marks: Marks) -> Tensor:
    """log P [M, V] of the whole vocabulary, with those that never follow at -inf."""
    log_p = logits.float().log_softmax(-1)
    log_p[:, list(marks.barred)] = -math.inf
    return log_p
