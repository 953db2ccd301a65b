"""GPT: causal, exact with its cache, able to learn, and a pure function of what is asked."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from backends.autoregressive import gpt
from backends.autoregressive.gpt import GPT, Config
from backends.datasets._vocabulary import Characters
from backends.knobs import ConfigError, configure, knobs
from backends.model import Batch, DataShape, RequestError, Vocabulary
from backends.nets.attention import Cache
from backends.recipe import TrainConfig
from backends.records import SampleRequest

T = 16


class Letters(Vocabulary):
    """The end of a line, and the letters a to j."""

    characters = "abcdefghij\n"
    size = len(characters)

    def encode(self, text: str) -> list[int]:
        for character in text:
            if character not in self.characters:
                raise ValueError(f"{character!r} is not among the {self.size} characters")
        return [self.characters.index(character) for character in text]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(self.characters[i] for i in ids)

    @property
    def start(self) -> int:
        return self.characters.index("\n")


def build(context: int = T, **chosen: Any) -> GPT:
    """A small model with the weights that it is born with."""
    torch.manual_seed(0)
    small = {"layers": 2, "heads": 2, "width": 16, **chosen}
    return GPT(configure(Config, small), DataShape("text", (context,), (), Letters())).eval()


def awake(context: int = T, **chosen: Any) -> GPT:
    """A small model with no weight at zero, so that everything depends on everything."""
    model = build(context, **chosen)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape))
    return model


def ids(*size: int, seed: int = 1) -> Tensor:
    source = torch.Generator().manual_seed(seed)
    return torch.randint(Letters.size, size, generator=source)


def batch(x: Tensor) -> Batch:
    return Batch(x, None, torch.Generator())


@torch.no_grad()
def terms(model: GPT, x: Tensor) -> dict[str, float]:
    return {name: float(value) for name, value in model.loss(batch(x)).items()}


def texts(model: GPT, seed: int = 0, **asked: Any) -> list[str]:
    request = SampleRequest(**{"count": 3, "length": 40, **asked})
    return list(model.sample(request, torch.Generator().manual_seed(seed)).texts)


def train(model: GPT, x: Tensor, steps: int, lr: float = 1e-2) -> float:
    """Loss after ``steps`` of Adam on one batch."""
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, betas=(0.9, 0.95))
    for _ in range(steps):
        optimizer.zero_grad()
        model.loss(batch(x))["loss"].backward()
        optimizer.step()
    return terms(model.eval(), x)["loss"]


variants = pytest.mark.parametrize(
    "chosen",
    [
        {"activation": "relu2", "pairs": 50},
        {"activation": "swiglu", "triples": 64, "smear": False},
        {"activation": "relu2", "tie_weights": True, "mlp_ratio": 1.5, "pairs": 0, "logit_cap": 0},
        {"activation": "swiglu", "tie_weights": True, "layers": 1, "heads": 8, "kv_heads": 2},
    ],
    ids=lambda chosen: "-".join(map(str, chosen.values())),
)


# --------------------------------------------------------------------------- the network


@variants
@torch.no_grad()
def test_the_future_does_not_change_the_past(chosen: dict[str, Any]) -> None:
    model, x = awake(**chosen), ids(2, T)
    before = model.logits(x)
    for position in range(1, T):
        changed = x.clone()
        changed[:, position:] = (changed[:, position:] + 1) % Letters.size
        after = model.logits(changed)
        assert torch.allclose(after[:, :position], before[:, :position], atol=1e-6)
        assert not torch.allclose(after[:, position], before[:, position], atol=1e-3)


def test_untrained_it_knows_nothing() -> None:
    loss = terms(build(tie_weights=False), ids(4, T + 1))
    assert loss["loss"] == pytest.approx(math.log(Letters.size), abs=1e-6)
    assert loss["bits_per_byte"] == pytest.approx(math.log2(Letters.size), abs=1e-6)


def test_bits_are_counted_a_byte_of_the_text() -> None:
    """Two of three tokens take two bytes: log2(3) bits a token are 3 log2(3) / 5 a byte."""
    shape = DataShape("text", (3,), (), Characters.of("aéß"))
    model = GPT(configure(Config, {"layers": 1, "heads": 1, "width": 8}), shape)
    targets = Characters.of("aéß").encode("aéß")
    loss = terms(model, torch.tensor([[0, *targets]]))
    assert loss["loss"] == pytest.approx(math.log(3), abs=1e-6)
    assert loss["bits_per_byte"] == pytest.approx(3 * math.log2(3) / 5, abs=1e-6)


def test_tied_and_untrained_it_knows_next_to_nothing() -> None:
    loss = terms(build(tie_weights=True, width=128), ids(16, T + 1))
    assert loss["loss"] == pytest.approx(math.log(Letters.size), abs=0.5)


@variants
def test_every_weight_learns(chosen: dict[str, Any]) -> None:
    model = awake(**chosen)
    model.loss(batch(ids(8, T + 1)))["loss"].backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []


@variants
def test_born_at_zero_every_weight_moves_within_three_steps(chosen: dict[str, Any]) -> None:
    model = build(**chosen)
    born = {name: p.detach().clone() for name, p in model.named_parameters()}
    train(model, ids(8, T + 1), steps=3)
    still = [name for name, p in model.named_parameters() if torch.equal(p, born[name])]
    assert still == []


@variants
def test_it_learns_a_text_by_heart(chosen: dict[str, Any]) -> None:
    model = build(**{**chosen, "width": 32})
    x = torch.tensor([Letters().encode("abcadaebfagjhij\nb" * 2)[i : i + T + 1] for i in range(17)])
    assert train(model, x, steps=80) < 0.25
    assert texts(model, count=1, prompt="abcadae", length=8, top_k=1) == ["abcadaebfagjhij"]


def test_a_tied_head_is_the_embedding() -> None:
    free, tied = build(tie_weights=False), build(tie_weights=True)
    sizes = [sum(p.numel() for p in model.parameters()) for model in (free, tied)]
    assert sizes[0] - sizes[1] == Letters.size * 16
    assert "head.weight" not in tied.state_dict()


def test_swiglu_has_as_many_weights_as_relu2() -> None:
    sizes = [
        sum(p.numel() for p in build(width=96, activation=name).parameters())
        for name in ("relu2", "swiglu")
    ]
    assert sizes[0] == sizes[1]


@variants
def test_bfloat16_is_finite_and_near_float32(chosen: dict[str, Any]) -> None:
    model, x = awake(**chosen), ids(4, T + 1)
    exact = terms(model, x)["loss"]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = model.loss(batch(x))["loss"]
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact, rel=0.03)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_dropout_acts_in_training_alone() -> None:
    model, x = awake(dropout=0.5), ids(2, T)
    assert torch.equal(model.logits(x), model.logits(x))
    model.train()
    assert not torch.equal(model.logits(x), model.logits(x))


def test_more_tokens_than_the_context_are_refused() -> None:
    with pytest.raises(ValueError, match="17 tokens do not fit a context of 16"):
        build().logits(ids(1, T + 1))


# --------------------------------------------------------------------------- the cache


@settings(max_examples=25, deadline=None)
@given(cuts=st.sets(st.integers(1, T - 1)), batch_size=st.integers(1, 3))
@torch.no_grad()
def test_in_any_pieces_the_cache_gives_the_same_logits(cuts: set[int], batch_size: int) -> None:
    model, x = awake(), ids(batch_size, T)
    cache, edges = model.transformer.cache(batch_size), [0, *sorted(cuts), T]
    pieces = [model.logits(x[:, a:b], cache) for a, b in pairwise(edges)]
    assert cache.length == T
    assert torch.allclose(torch.cat(pieces, dim=1), model.logits(x), atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(context=st.sampled_from([1, 2, 5, T]), prompt=st.integers(1, 40), length=st.integers(1, 50))
@torch.no_grad()
def test_beyond_the_context_it_equals_the_whole_network(
    context: int, prompt: int, length: int
) -> None:
    """Each token's logits are those of a full pass over the window that the docstring states."""
    model, x = awake(context, triples=64), ids(2, prompt + length)
    given_logits: list[Tensor] = []

    def follow(logits: Tensor) -> Tensor:
        given_logits.append(logits)
        return x[:, prompt + len(given_logits) - 1]

    assert torch.equal(model.continuations(x[:, :prompt], length, follow), x[:, prompt:])
    window = min(prompt, context)
    for index, logits in enumerate(given_logits):
        end = prompt + index
        whole = model.logits(x[:, end - window : end])[:, -1]
        assert torch.allclose(logits, whole, atol=1e-5)
        window = window + 1 if window < context else max(1, context // 2)


def test_drawing_one_token_computes_one_token(monkeypatch: pytest.MonkeyPatch) -> None:
    model, seen = awake(), list[int]()
    whole = model.logits

    def counted(x: Tensor, cache: Cache | None = None) -> Tensor:
        seen.append(x.shape[1])
        return whole(x, cache)

    monkeypatch.setattr(model, "logits", counted)
    texts(model, count=1, length=20)
    assert seen == [1] * 16 + [8] + [1] * 3


# --------------------------------------------------------------------------- what can be asked


def test_a_text_is_the_prompt_and_as_many_tokens_as_asked() -> None:
    drawn = texts(awake(), count=5, prompt="abba", length=30)
    assert len(drawn) == 5
    assert all(text.startswith("abba") and len(text) == 34 for text in drawn)


def test_a_prompt_may_be_longer_than_the_context() -> None:
    prompt = "abcdefghij" * 4
    assert all(text.startswith(prompt) for text in texts(awake(), prompt=prompt, length=3))


def test_without_a_prompt_it_begins_after_the_start() -> None:
    model = awake()
    assert texts(model) == [text.removeprefix("\n") for text in texts(model, prompt="\n")]
    assert texts(model) == texts(model, prompt="")


def test_unless_asked_otherwise_it_draws_256_tokens() -> None:
    assert [len(text) for text in texts(build(), count=2, length=None)] == [256, 256]


def test_many_texts_are_all_drawn() -> None:
    assert len(texts(build(), count=130, length=2)) == 130


def test_the_same_seed_draws_the_same_texts_and_nothing_else_matters() -> None:
    model = awake(dropout=0.5)
    torch.manual_seed(1)
    first, state = texts(model, seed=7), torch.get_rng_state()
    torch.manual_seed(2)
    assert texts(model, seed=7) == first
    assert texts(model, seed=8) != first
    torch.manual_seed(1)
    assert torch.equal(torch.get_rng_state(), state)


def test_in_bfloat16_it_draws_from_a_copy_if_it_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    model = awake()
    kinds: set[torch.dtype] = set()
    whole = GPT.logits

    def watched(self: GPT, ids: Tensor, cache: Cache | None = None) -> Tensor:
        kinds.add(self.transformer.blocks[0].attention.qkv.weight.dtype)
        return whole(self, ids, cache)

    monkeypatch.setattr(GPT, "logits", watched)
    for large, kind in ((10**9, torch.float32), (0, torch.bfloat16)):
        monkeypatch.setattr(gpt, "LARGE", large)
        kinds.clear()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            drawn = [texts(model, seed=7), texts(model, seed=7)]
        assert kinds == {kind}
        assert drawn[0] == drawn[1]
    assert all(p.dtype == torch.float32 for p in model.parameters())


def test_the_likeliest_token_needs_no_luck() -> None:
    model = awake()
    greedy = texts(model, seed=1, top_k=1)
    assert texts(model, seed=2, top_k=1) == greedy
    assert texts(model, seed=3, temperature=0) == greedy
    assert texts(model, seed=4, temperature=1e-30) == greedy
    assert len(set(greedy)) == 1


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"prompt": "abcz"}, "the prompt cannot be used: 'z' is not among the 11 characters"),
        ({"length": 0}, "length must be at least 1"),
        ({"length": 10**9}, "at most 65536"),
        ({"top_k": 0}, "top_k must be at least 1, not 0"),
        ({"temperature": -0.5}, "temperature must be at least 0"),
        ({"temperature": math.nan}, "temperature must be at least 0"),
        ({"top_p": 1.5}, "top_p must be at least 0 and at most 1"),
        ({"beams": 2}, "cannot be asked for beams"),
        ({"labels": [1]}, "cannot be asked for labels"),
        ({"guidance": 2.0}, "cannot be asked for guidance"),
    ],
)
def test_what_it_cannot_do_it_refuses_in_one_sentence(asked: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RequestError) as refusal:
        texts(build(), **asked)
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)


# --------------------------------------------------------------------------- knobs


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        ({"width": 130}, "width 130 must be a multiple of heads 4"),
        ({"width": 36, "heads": 4}, "must be even"),
        ({"heads": 4, "kv_heads": 3}, "kv_heads 3 must divide heads 4"),
        ({"activation": "gelu"}, "relu2 or swiglu"),
        ({"layers": 0}, "layers must be"),
    ],
)
def test_knobs_that_do_not_fit_are_refused(chosen: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        configure(Config, chosen)


def test_pictures_are_refused() -> None:
    with pytest.raises(ConfigError, match="learns from text"):
        GPT(Config(), DataShape("image", (1, 8, 8)))


def test_every_knob_says_what_it_is_and_the_recipe_is_one() -> None:
    assert all(knob.help for knob in knobs(Config))
    configure(TrainConfig, GPT.recipe)
