"""The GAN for text: drawing of characters, its gradient, and the counts that score it."""

import math

import pytest
import torch
from picture_batches import batch_of, check_turns, drawn, stir, train

from backends.datasets._vocabulary import Bytes, Characters
from backends.gan._losses import RULES
from backends.gan.text import TextGAN, entropy, gumbel
from backends.knobs import ConfigError, configure
from backends.metrics.ngrams import counts, jensen_shannon, places
from backends.model import DataShape, RequestError, Vocabulary
from backends.records import SampleRequest

LETTERS = Characters("\nabc")
SMALL: dict[str, object] = {"latent": 4, "width": 8, "blocks": 1}


def build(vocabulary: Vocabulary = LETTERS, context: int = 7, **knobs: object) -> TextGAN:
    torch.manual_seed(0)
    shape = DataShape("text", (context,), vocabulary=vocabulary)
    return TextGAN(configure(TextGAN.Config, SMALL | knobs), shape)


def lines(count: int = 8) -> torch.Tensor:
    """Windows of "abc" and an end of line, over and over, [count, 8]."""
    return torch.arange(8)[None].add(torch.arange(count)[:, None]) % 4


# --------------------------------------------------------------------------- scores


def test_counts_of_runs() -> None:
    ids = torch.tensor([[0, 1, 0, 1], [2, 2, 2, 2]])
    pairs = counts(ids, 2, 3)
    assert pairs.reshape(3, 3).tolist() == [[0, 2, 0], [1, 0, 0], [0, 0, 3]]
    triples = counts(ids, 3, 3)
    assert triples.sum() == 4
    assert triples[0 * 9 + 1 * 3 + 0] == 1
    assert triples[2 * 9 + 2 * 3 + 2] == 2
    assert len(counts(torch.zeros(1, 4, dtype=torch.long), 3, 256)) == places(3, 256) == 2**18


def test_jensen_shannon_in_bits() -> None:
    a, b = torch.tensor([3.0, 0.0]), torch.tensor([5.0, 5.0])
    by_hand = (math.log2(4 / 3) + (math.log2(2 / 3) + math.log2(2)) / 2) / 2
    assert jensen_shannon(a, b).item() == pytest.approx(by_hand)
    assert jensen_shannon(b, a).item() == pytest.approx(by_hand)
    assert jensen_shannon(a, 7 * a).item() == 0
    assert jensen_shannon(a, torch.tensor([0.0, 9.0])).item() == pytest.approx(1)
    assert jensen_shannon(a, torch.zeros(2)).item() == 1


def test_entropy_of_uniform_and_of_certain_characters() -> None:
    assert entropy(torch.zeros(2, 5, 3)).item() == pytest.approx(math.log(5))
    certain = torch.zeros(2, 5, 3)
    certain[:, 1] = 100
    assert entropy(certain).item() == pytest.approx(0, abs=1e-6)


# --------------------------------------------------------------------------- writing


def test_gumbels_noise_draws_from_the_softmax() -> None:
    logits = torch.tensor([0.0, 1.0, -1.0, 2.0])
    noise = gumbel(torch.rand(40_000, 4, generator=torch.Generator().manual_seed(0)))
    shares = torch.bincount((logits + noise).argmax(1), minlength=4) / 40_000
    torch.testing.assert_close(shares, logits.softmax(0), rtol=0, atol=0.01)
    assert gumbel(torch.tensor([0.0, 1.0])).isfinite().all()


def test_characters_are_drawn_and_their_gradient_is_that_of_the_softmax() -> None:
    model = build(temperature=0.7, temperature_final=0.7)
    logits, direction = torch.randn(2, 4, 8, requires_grad=True), torch.randn(2, 4, 8)
    written = model.written(logits, batch_of(lines(2)))
    torch.testing.assert_close(written.sum(1), torch.ones(2, 8))
    torch.testing.assert_close(written.amax(1), torch.ones(2, 8))
    (gradient,) = torch.autograd.grad((written * direction).sum(), logits)
    noise = gumbel(batch_of(lines(2)).rand(2, 4, 8))
    soft = ((logits + noise) / 0.7).softmax(1)
    (expected,) = torch.autograd.grad((soft * direction).sum(), logits)
    torch.testing.assert_close(gradient, expected)
    torch.testing.assert_close(written.argmax(1), soft.argmax(1))


def test_probabilities_are_written_as_they_are() -> None:
    logits = torch.randn(2, 4, 8)
    written = build(writes="softmax").written(logits, batch_of(lines(2)))
    assert torch.equal(written, logits.softmax(1))


def test_temperature_falls_by_equal_factors() -> None:
    model = build(temperature=2.0, temperature_final=0.5)
    assert [model.temperature(p) for p in (0.0, 0.5, 1.0)] == pytest.approx([2, 1, 0.5])


# --------------------------------------------------------------------------- the model


@pytest.mark.parametrize("writes", ["gumbel", "softmax"])
@pytest.mark.parametrize("loss", RULES)
def test_every_game(writes: str, loss: str) -> None:
    model = build(writes=writes, loss=loss, spectral_norm=loss == "hinge", n_critic=3)
    check_turns(model, batch_of(lines(), labelled=False))
    assert [phase.every for phase in model.phases()] == [1, 3]
    with torch.no_grad():
        terms = model.eval().validation(batch_of(lines(), labelled=False))
    assert all(term.isfinite() for term in terms.values())


def test_bfloat16_stays_near_float32() -> None:
    model = stir(build(writes="softmax"))
    for phase in model.phases():
        exact = phase.loss(batch_of(lines()))["loss"]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = phase.loss(batch_of(lines()))["loss"]
        loss.backward()
        assert loss.item() == pytest.approx(exact.item(), rel=0.1)


def test_planes_are_ones_where_the_token_is() -> None:
    planes = build().planes(batch_of(lines())).x
    assert planes.shape == (8, 4, 8)
    assert torch.equal(planes.argmax(1), lines())
    assert planes.sum() == 64


def test_training_counts_what_it_sees_and_validation_does_not() -> None:
    model = build()
    model.discriminator_loss(batch_of(lines()))
    assert torch.equal(model.get_buffer("bigram"), counts(lines(), 2, 4))
    assert torch.equal(model.get_buffer("trigram"), counts(lines(), 3, 4))
    with torch.no_grad():
        terms = model.eval().validation(batch_of(lines()))
    assert model.get_buffer("bigram").sum() == 56
    assert terms["Real/js_bigram"] == 0
    assert 0 < terms["js_bigram"] <= 1


def test_texts_are_windows_of_the_vocabulary() -> None:
    model = stir(build())
    texts = drawn(model, count=300).texts
    assert len(texts) == 300
    assert all(len(text) == 8 and set(text) <= set("\nabc") for text in texts)
    assert texts == drawn(model, count=300).texts
    assert texts != drawn(model, seed=1, count=300).texts
    coldest = drawn(model, count=3, temperature=0.0).texts
    with torch.no_grad():
        z = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
        likeliest = [LETTERS.decode(line) for line in model.G(z).argmax(1).tolist()]
    assert coldest == likeliest


def test_what_cannot_be_done_is_said() -> None:
    with pytest.raises(ConfigError, match="no vocabulary"):
        TextGAN(configure(TextGAN.Config, SMALL), DataShape("text", (7,)))
    many = Characters("".join(chr(0x4E00 + i) for i in range(1025)))
    with pytest.raises(ConfigError, match="up to 1024 tokens, not 1025"):
        build(many)
    with pytest.raises(RequestError, match="cannot be asked for prompt"):
        build().check(SampleRequest(prompt="a"))


def test_bytes_can_be_written() -> None:
    assert len(drawn(build(Bytes()), count=2).texts) == 2


def test_training_learns_which_character_follows_which() -> None:
    model = build(width=16)
    train(model, lines(32), 150, lr=6e-3)
    with torch.no_grad():
        logits = model.eval().G(torch.randn(64, 4, generator=torch.Generator().manual_seed(0)))
        ids = model.written(logits, batch_of(lines(64))).argmax(1)
    follows = ((ids[:, 1:] - ids[:, :-1]) % 4 == 1).float().mean()
    assert follows > 0.5  # by chance it is a quarter
