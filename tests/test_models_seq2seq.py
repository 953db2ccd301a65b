"""Pairs of lines: what may be seen, what the loss is, and that beams find what there is."""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from tiny import smallest
from torch import Tensor

from backends import samples
from backends.autoregressive._beams import Hypotheses, Marks, beam_search, greedy, length_penalty
from backends.autoregressive.seq2seq import Seq2Seq
from backends.datasets._lines import Lines
from backends.datasets._vocabulary import Characters
from backends.knobs import ConfigError, configure
from backends.model import INPUTS, Batch, DataShape, RequestError
from backends.precision import Numerics
from backends.records import SampleRequest

WORDS = Lines(Characters.of("abcd"))
SHAPE = DataShape("pairs", (6, 5), (), WORDS)
MARKS = Marks(start=1, end=2, barred=(0, 1))
CPU = torch.device("cpu")
PAIRS = [("abc", "cba"), ("d", "d"), ("abcdab", "badc"), ("ca", "ac")]


def build(shape: DataShape = SHAPE, **knobs: object) -> Seq2Seq:
    torch.manual_seed(0)
    small = {"width": 16, "heads": 2, "layers": 2, "dropout": 0.0, **knobs}
    return Seq2Seq(configure(Seq2Seq.Config, small), shape)


def stirred(shape: DataShape = SHAPE, **knobs: object) -> Seq2Seq:
    """A model whose branches do not end in zeros."""
    model = build(shape, **knobs)
    noise = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=noise))
    return model.eval()


def rows(lines: Sequence[str], width: int, *, marked: bool = False) -> Tensor:
    """Lines as padded ids [B, width]."""
    ids = [WORDS.encode(line) for line in lines]
    if marked:
        ids = [[WORDS.start, *line, WORDS.end] for line in ids]
    return torch.tensor([line + [WORDS.pad] * (width - len(line)) for line in ids])


def batch_of(pairs: Sequence[tuple[str, str]], s: int = 6, t: int = 6) -> Batch:
    sources, targets = zip(*pairs, strict=True)
    return Batch(rows(sources, s), rows(targets, t, marked=True), torch.Generator())


# --------------------------------------------------------------------------- the network


def test_a_token_depends_on_the_source_and_on_what_came_before() -> None:
    model, batch = stirred(), batch_of(PAIRS)
    assert batch.y is not None
    y = batch.y[:, :-1].clamp_min(3)
    later, source = y.clone(), batch.x.clone()
    later[:, 3:] = 3 + (later[:, 3:] - 2) % 4
    source[:, 0] = 3 + (source[:, 0] - 2) % 4
    before = model.net(batch.x, y)
    after, elsewhere = model.net(batch.x, later), model.net(source, y)
    torch.testing.assert_close(after[:, :3], before[:, :3])
    assert not torch.isclose(after[:, 3:], before[:, 3:]).all(-1).any()
    assert not torch.isclose(elsewhere, before).all(-1).any()


def test_padding_changes_nothing() -> None:
    model = stirred()
    for x, y in PAIRS:
        alone = model.net(rows([x], len(x)), rows([y], len(y) + 2, marked=True))
        wide, n = model.net(rows([x], 6), rows([y], 6, marked=True)), len(y) + 2
        torch.testing.assert_close(wide[:, :n], alone, rtol=1e-4, atol=1e-5)
    short, long = (batch_of(PAIRS[:2], *size) for size in ((3, 5), (6, 6)))
    for name, value in model.loss(long).items():
        torch.testing.assert_close(value, model.loss(short)[name])


def test_a_source_of_padding_alone_is_no_nan() -> None:
    model = stirred()
    assert model.net(torch.zeros(2, 6, dtype=torch.long), rows(["ab"] * 2, 4)).isfinite().all()
    assert len(model.sample(SampleRequest(count=3), torch.Generator()).texts) == 3


def test_a_line_of_equal_tokens_has_a_length() -> None:
    """Attention averages, and the average of equal values is the same for any number of them."""
    short, long = stirred().net(rows(["aa", "aaaa"], 6), rows(["ab", "ab"], 4, marked=True))
    assert not torch.isclose(short, long, rtol=1e-2).all(-1).any()


def test_decoding_token_by_token_gives_what_the_whole_network_gives() -> None:
    model, batch = stirred(), batch_of(PAIRS)
    assert batch.y is not None
    memory, cache = model.net.encode(batch.x), model.net.cache(4)
    y = batch.y[:, :5]
    whole = model.net(batch.x, y)
    for i in range(5):
        step = model.net.decode(y[:, i : i + 1], memory, cache)
        torch.testing.assert_close(step[:, 0], whole[:, i], rtol=1e-4, atol=1e-5)


# --------------------------------------------------------------------------- the loss


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_the_loss_is_the_cross_entropy_with_smoothed_targets(smoothing: float) -> None:
    model = build(label_smoothing=smoothing)
    logits = torch.randn(2, 3, WORDS.size, generator=torch.Generator().manual_seed(2))
    targets = torch.tensor([[3, 4, 2], [5, 2, 0]])
    found = model.terms(logits, targets)
    by_hand, plain = 0.0, 0.0
    for b, t in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]:  # the last is padding
        log_p = logits[b, t].log_softmax(0)
        wanted = torch.full((WORDS.size,), smoothing / WORDS.size)
        wanted[targets[b, t]] += 1 - smoothing
        by_hand -= (wanted * log_p).sum().item() / 5
        plain -= log_p[targets[b, t]].item() / 5
    assert found["loss"].item() == pytest.approx(by_hand, rel=1e-5)
    assert found["nll"].item() == pytest.approx(plain, rel=1e-5)


def test_equal_logits_cost_the_logarithm_of_the_vocabulary() -> None:
    found = build().terms(torch.zeros(1, 2, WORDS.size), torch.tensor([[3, 2]]))
    assert found["loss"].item() == pytest.approx(math.log(WORDS.size))
    assert found["token_accuracy"].item() == 0


# --------------------------------------------------------------------------- the search


class Table:
    """Logits that are a function of the whole prefix, one table a source."""

    def __init__(self, sources: int, length: int, vocabulary: int, seed: int = 0) -> None:
        noise = torch.Generator().manual_seed(seed)
        shape = (sources, *[vocabulary] * length, vocabulary)
        self.logits, self.sources = 2 * torch.randn(shape, generator=noise), sources
        self.prefixes = torch.zeros(0)

    def __call__(self, tokens: Tensor, origin: Tensor | None) -> Tensor:
        if origin is None and (tokens == MARKS.start).all():
            self.prefixes = tokens[:, :0]
        if origin is not None:
            self.prefixes = self.prefixes[origin]
        self.prefixes = torch.cat([self.prefixes, tokens], dim=1)
        each = len(tokens) // self.sources
        return torch.stack([self.of(i // each, p) for i, p in enumerate(self.prefixes.tolist())])

    def of(self, source: int, prefix: Sequence[int]) -> Tensor:
        """Logits [V] after a prefix that begins with the start."""
        row = self.logits[source]
        for token in prefix:
            row = row[token]
        while row.dim() > 1:
            row = row[0]
        return row

    def every(self, source: int, length: int, alpha: float) -> list[tuple[float, list[int]]]:
        """All lines of a source with their scores, the best first."""
        found, symbols = list[tuple[float, list[int]]](), range(3, self.logits.shape[-1])
        for n in range(length + 1):
            for line in itertools.product(symbols, repeat=n):
                ids = [*line, MARKS.end] if n < length else list(line)
                total = 0.0
                for i, token in enumerate(ids):
                    logits = self.of(source, [MARKS.start, *ids[:i]])
                    total += logits.log_softmax(0)[token].item()
                filled = ids + [MARKS.end] * (length - len(ids))
                found.append((total / length_penalty(len(ids), alpha), filled))
        return sorted(found, reverse=True)


def search(table: Table, length: int, beams: int, alpha: float, wanted: int = 1) -> Hypotheses:
    return beam_search(
        table, table.sources, length, MARKS, CPU, beams=beams, alpha=alpha, wanted=wanted
    )


@pytest.mark.parametrize("alpha", [0.0, 0.6, 2.0])
def test_a_beam_that_is_wide_enough_finds_the_best_lines_there_are(alpha: float) -> None:
    length, table = 3, Table(2, 3, 6)
    found = search(table, length, 64, alpha, wanted=10)
    for source in range(2):
        best = table.every(source, length, alpha)[:10]
        torch.testing.assert_close(found.scores[source, :10], torch.tensor([s for s, _ in best]))
        assert found.ids[source, :10].tolist() == [ids for _, ids in best]


def test_a_search_that_ends_early_loses_nothing() -> None:
    for seed in range(5):
        table = Table(1, 3, 6, seed)
        early = search(table, 3, 27, 0.6)
        late = search(table, 3, 27, 0.6, wanted=27)
        assert early.ids[0, 0].tolist() == late.ids[0, 0].tolist()
        assert early.ids[0, 0].tolist() == table.every(0, 3, 0.6)[0][1]


def test_a_beam_finds_better_lines_than_greedy_and_scores_them_as_they_are() -> None:
    better = 0
    for seed in range(10):
        table = Table(1, 4, 6, seed)
        line = greedy(table, 1, 4, MARKS, CPU)[0].tolist()
        scores = {tuple(ids): score for score, ids in table.every(0, 4, 0.6)}
        found = search(table, 4, 4, 0.6)
        best = found.ids[0, 0].tolist()
        assert found.scores[0, 0].item() == pytest.approx(scores[tuple(best)], rel=1e-5)
        better += scores[tuple(best)] > scores[tuple(line)] + 1e-6
    assert better >= 3


def test_greedy_takes_the_likeliest_token_until_the_end() -> None:
    table = Table(3, 4, 6)
    for source, line in enumerate(greedy(table, 3, 4, MARKS, CPU).tolist()):
        ids = list[int]()
        while len(ids) < 4 and MARKS.end not in ids:
            logits = table.of(source, [MARKS.start, *ids])
            ids.append(2 + int(logits[2:].argmax()))
        assert line == ids + [MARKS.end] * (4 - len(ids))


def test_the_length_penalty_is_that_of_the_paper() -> None:
    assert length_penalty(1, 0.6) == 1
    assert length_penalty(7, 1.0) == 2
    assert length_penalty(99, 0.0) == 1


def test_the_model_searches_as_the_whole_network_would() -> None:
    """Beams with keys and values kept, against every line scored by the uncached network."""
    shape = DataShape("pairs", (6, 3), (), WORDS)
    model = stirred(shape, length_penalty=0.8)
    symbols = [WORDS.encode(c)[0] for c in "abcd"]
    for source in ("abc", "d"):
        told = model.sample(SampleRequest(count=1, prompt=source, beams=64), torch.Generator())
        scored = list[tuple[float, str]]()
        for tokens in itertools.chain(*(itertools.product(symbols, repeat=n) for n in range(4))):
            ids = [*tokens, WORDS.end][:3]
            y = torch.tensor([[WORDS.start, *ids]])
            log_p = model.net(rows([source], 6), y[:, :-1])[0].log_softmax(-1)
            total = log_p.gather(1, y[0, 1:, None]).sum().item()
            scored.append((total / length_penalty(len(ids), 0.8), WORDS.decode(ids)))
        assert told.texts == [f"{source} → {max(scored)[1]}"]


# --------------------------------------------------------------------------- what is drawn


def test_samples_are_held_out_lines_with_their_references(tmp_path: Path) -> None:
    model = stirred()
    model.observe(batch_of(PAIRS))
    assert model.sources.shape == (INPUTS, 6)
    assert model.references.shape == (INPUTS, 6)
    for request in (SampleRequest(count=5), SampleRequest(count=5, beams=1)):
        texts = samples.draw(model, request, Numerics("float32", False, 1)).texts
        for text, (x, y) in zip(texts, [*PAIRS, PAIRS[0]], strict=True):
            assert text.startswith(f"{x} → ")
            assert text.endswith(f" ({y})")
    drawn = model.sample(SampleRequest(count=INPUTS + 3), torch.Generator())
    assert drawn.texts[INPUTS:] == drawn.texts[:3]
    assert samples.write(tmp_path / "out", drawn, SampleRequest(count=INPUTS + 3)) == INPUTS + 3


def test_one_request_one_answer() -> None:
    model = stirred()
    model.observe(batch_of(PAIRS))
    numerics = Numerics("float32", False, 1)
    one, again = (samples.draw(model, SampleRequest(count=4), numerics).texts for _ in range(2))
    assert one == again


def test_a_prompt_gets_its_best_hypotheses() -> None:
    model = stirred()
    texts = model.sample(SampleRequest(count=3, prompt="abc"), torch.Generator()).texts
    assert len(set(texts)) == 3
    assert all(text.startswith("abc → ") for text in texts)
    alone = model.sample(SampleRequest(count=1, prompt="abc", beams=4), torch.Generator()).texts
    assert alone[0] == texts[0]


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (SampleRequest(prompt="aé"), r"the prompt cannot be used: U\+00E9 'é' is not among the 4"),
        (SampleRequest(prompt=""), "must be a source line of 1 to 6 tokens, and it has 0"),
        (SampleRequest(prompt="a" * 7), "must be a source line of 1 to 6 tokens, and it has 7"),
        (SampleRequest(prompt="a", count=65), "at most 64 hypotheses of one line are found"),
        (SampleRequest(beams=65), "beams must be at least 1 and at most 64, not 65"),
        (SampleRequest(temperature=1.0), "cannot be asked for temperature; it offers beams, prom"),
    ],
)
def test_what_cannot_be_asked_is_refused(request_: SampleRequest, sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        build().check(request_)


def test_what_cannot_be_built_is_refused() -> None:
    with pytest.raises(ConfigError, match="width 18 must be a multiple of 2 x heads 2"):
        build(width=18)


# --------------------------------------------------------------------------- learning


def test_it_learns_and_scores_are_full_when_every_line_is_right() -> None:
    every = ["".join(line) for n in (2, 3) for line in itertools.product("abcd", repeat=n)]
    batch = batch_of([(line, line.translate(str.maketrans("abcd", "bcda"))) for line in every])
    model = build(width=32, layers=1, mlp_ratio=2.0)
    optimizer = torch.optim.AdamW(model.parameters(), 5e-3, betas=(0.9, 0.98))
    with torch.no_grad():
        before = model.eval().validation(batch)
    falling = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, 150)
    for _ in range(150):
        optimizer.zero_grad()
        model.train().loss(batch)["loss"].backward()
        optimizer.step()
        falling.step()
    with torch.no_grad():
        after = model.eval().validation(batch)
    assert before["exact_match"] < 0.1
    assert before["chrf"] < 60
    assert after["exact_match"] == 1
    assert after["token_accuracy"].item() == pytest.approx(1)
    assert after["chrf"].item() == pytest.approx(100)
    assert after["bleu"].item() == 0  # a line is one word, and BLEU counts up to four in a row
    assert after["nll"] < before["nll"] / 4


def test_the_smallest_model_has_gradients_everywhere_on_dates() -> None:
    model, dataset = smallest("autoregressive/seq2seq")
    assert isinstance(model, Seq2Seq)
    assert dataset.shape.size == (36, 11)
    x, y = dataset.train.fetch(torch.arange(4), torch.arange(4), 0)
    model.loss(Batch(x, y, torch.Generator()))["loss"].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
