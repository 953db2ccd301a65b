"""Text to image: the caption steers, nothing said is nothing said, and prompts are judged first."""

import pytest
import torch

from backends.datasets._words import Words
from backends.diffusion.text_to_image import TextEncoder, TextToImage
from backends.knobs import ConfigError, configure
from backends.model import Batch, DataShape, RequestError
from backends.records import SampleRequest

WORDS = Words(["a", "light", "dark", "square"])
SHAPE = DataShape("captions", (1, 16, 16, 6), (), WORDS)


def build(**knobs: object) -> TextToImage:
    torch.manual_seed(0)
    tiny = {"width": 8, "levels": 2, "text_width": 16, "text_layers": 1, "sampler_steps": 4}
    return TextToImage(configure(TextToImage.Config, tiny | knobs), SHAPE)


def stirred() -> TextToImage:
    model = build()
    noise = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=noise))
    return model.eval()


def captions(*texts: str) -> torch.Tensor:
    ids = torch.zeros(len(texts), 6, dtype=torch.long)
    for row, text in zip(ids, texts, strict=True):
        known = WORDS.encode(text)
        row[: len(known)] = torch.tensor(known)
    return ids


def squares(count: int, seed: int = 0) -> Batch:
    """Pictures of one tone each, and the caption that tells which."""
    light = torch.arange(count) % 2 == 0
    x = torch.where(light, 0.8, -0.8)[:, None, None, None].expand(-1, 1, 16, 16).contiguous()
    texts = ["a light square" if one else "a dark square" for one in light.tolist()]
    return Batch(x, captions(*texts), torch.Generator().manual_seed(seed), 0.5)


def draw(model: TextToImage, **asked: object) -> torch.Tensor:
    request = SampleRequest(**{"count": 4, **asked})  # pyright: ignore[reportArgumentType]
    model.check(request)
    with torch.no_grad():
        images = model.eval().sample(request, torch.Generator().manual_seed(3)).images
    assert images is not None
    return images


def test_what_ends_a_caption_says_nothing() -> None:
    torch.manual_seed(0)
    encoder = TextEncoder(5, 6, 1, 16).eval()
    ids = captions("a light", "a light square")
    states, whole = encoder(ids)
    torch.testing.assert_close(states[0, :2], states[1, :2])
    torch.testing.assert_close(whole[0], states[0, 1])
    _, nothing = encoder(torch.zeros(2, 6, dtype=torch.long))
    assert (nothing == 0).all()


def test_padding_is_not_attended_to() -> None:
    model = stirred()
    x, t = torch.randn(1, 1, 16, 16), torch.tensor([0.3])
    ids = captions("a light")
    plain = model.velocity(x, t, ids, None)
    with torch.no_grad():
        model.text.embed.weight[0] += 5
    torch.testing.assert_close(model.velocity(x, t, ids, None), plain)
    assert not torch.allclose(model.velocity(x, t, captions("a dark"), None), plain)


def test_captions_are_hidden_in_training_alone() -> None:
    model, batch = build(caption_dropout=0.5), squares(64)
    model.train()
    hidden, _ = model.conditions(batch)
    assert hidden is not None
    share = (hidden[:, 0] == 0).float().mean().item()
    assert 0.25 < share < 0.75
    shown, _ = model.eval().conditions(batch)
    assert shown is not None
    assert torch.equal(shown, batch.y)  # pyright: ignore[reportArgumentType]


def test_guidance_one_is_the_captions_own_field_and_zero_is_without() -> None:
    model, x = stirred(), torch.randn(2, 1, 16, 16)
    ids = captions("a light square", "a dark square")
    told, free = model.field(x, 0.4, ids, None), model.field(x, 0.4, None, None)
    torch.testing.assert_close(model.guided(ids, None, 1.0)(x, 0.4), told)
    torch.testing.assert_close(model.guided(ids, None, 0.0)(x, 0.4), free)
    torch.testing.assert_close(model.guided(ids, None, 3.0)(x, 0.4), free + 3 * (told - free))


def test_it_learns_to_listen() -> None:
    model = build(caption_dropout=0.1)
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    for step in range(80):
        optimizer.zero_grad()
        model.train().loss(squares(16, step))["loss"].backward()
        optimizer.step()
    with torch.no_grad():
        found = model.eval().validation(squares(32, 999))
    assert found["caption_gap"] > 0.2 * found["loss"]
    light = draw(model, prompt="a light square", steps=8).mean()
    dark = draw(model, prompt="dark", steps=8).mean()
    assert light > dark + 0.5


def test_samples_without_a_prompt_are_of_held_out_captions() -> None:
    model = stirred()
    model.observe(squares(3))
    drawn = model.sample(SampleRequest(count=4), torch.Generator().manual_seed(0))
    assert list(drawn.captions) == [
        *("a light square", "a dark square", "a light square"),
        "a light square",
    ]
    assert list(drawn.labels) == []
    told = model.sample(SampleRequest(count=2, prompt="dark"), torch.Generator().manual_seed(0))
    assert list(told.captions) == ["dark", "dark"]


def test_a_picture_may_be_begun_from() -> None:
    model, image = stirred(), torch.full((1, 1, 16, 16), 0.5)
    request = SampleRequest(count=2, prompt="dark", image="x", strength=0.0)
    drawn = model.edit(request, torch.Generator().manual_seed(0), image, None)
    assert drawn.images is not None
    torch.testing.assert_close(drawn.images, image.expand(2, -1, -1, -1))
    assert list(drawn.captions) == ["dark", "dark"]


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [
        ("a green square", "'green' is not among the 4 words of the captions"),
        ("a a a a a a a", "the prompt has 7 words, and the model sees 6: say it in fewer"),
    ],
)
def test_prompts_that_cannot_be_used_are_refused(prompt: str, sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        build().check(SampleRequest(prompt=prompt))


def test_what_cannot_be_built_is_refused() -> None:
    with pytest.raises(ConfigError, match="text_width 20 must be a multiple of 8"):
        build(text_width=20)
    with pytest.raises(ConfigError, match="the data has no vocabulary"):
        TextToImage(TextToImage.Config(), DataShape("captions", (1, 16, 16, 6)))
