"""A knob is declared once: its text, bounds and choices are checked, its name is unambiguous."""

import itertools
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from backends import catalogue
from backends.datasets import _entries
from backends.knob import LABELS, Knob, idle
from backends.knobs import (
    Bounds,
    ConfigError,
    Only,
    check_effect,
    configure,
    knobs,
    parse,
    unknown,
)
from backends.recipe import TrainConfig
from backends.records import PlanRequest


@dataclass(frozen=True, kw_only=True)
class Config:
    width: Annotated[int, "channels", Bounds(4, 64, "channels")] = 16
    rate: Annotated[float, "learning rate", Bounds(0, 1, live=True)] = 0.5
    fast: Annotated[bool, "in a hurry"] = False
    game: Annotated[Literal["chess", "go"], "what to play"] = "chess"
    note: Annotated[str, "free text"] = ""
    limit: Annotated[int | None, "most of it", Bounds(1)] = None
    free: int = 3


KNOWN = {knob.name: knob for knob in knobs(Config)}


def test_a_knob_is_read_from_its_declaration() -> None:
    assert list(KNOWN) == [entry.name for entry in fields(Config)]
    assert KNOWN["width"] == Knob(
        name="width", kind="int", default=16, help="channels", low=4, high=64, unit="channels"
    )
    assert KNOWN["rate"].live
    assert KNOWN["game"].choices == ["chess", "go"]
    assert KNOWN["limit"].optional
    assert KNOWN["limit"].kind == "int"
    assert KNOWN["free"].help == ""


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("width", "32", 32),
        ("width", " 1e1 ", 10),
        ("width", "6_4", 64),
        ("width", 4, 4),
        ("width", "4.0", 4),
        ("rate", "1e-3", 1e-3),
        ("rate", 1, 1.0),
        ("rate", "0", 0.0),
        ("fast", "yes", True),
        ("fast", "TRUE", True),
        ("fast", True, True),
        ("fast", "off", False),
        ("fast", "0", False),
        ("game", "go", "go"),
        ("note", " hello ", "hello"),
        ("limit", "none", None),
        ("limit", None, None),
        ("limit", "", None),
        ("limit", "7", 7),
    ],
)
def test_text_becomes_a_value(name: str, text: object, value: object) -> None:
    found = parse(KNOWN, name, text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "allowed"),
    [
        ("width", "3", "a whole number from 4 to 64"),
        ("width", "65", "a whole number from 4 to 64"),
        ("width", "8.5", "a whole number from 4 to 64"),
        ("width", "", "a whole number from 4 to 64"),
        ("width", "wide", "a whole number from 4 to 64"),
        ("width", True, "a whole number from 4 to 64"),
        ("width", "9" * 400, "a whole number from 4 to 64"),
        ("rate", "nan", "a number from 0 to 1"),
        ("rate", "inf", "a number from 0 to 1"),
        ("rate", "-0.1", "a number from 0 to 1"),
        ("rate", None, "a number from 0 to 1"),
        ("fast", "maybe", "yes or no"),
        ("game", "poker", "chess or go"),
        ("game", "Go", "chess or go"),
        ("limit", "0", "a whole number, 1 or more"),
        ("free", "one", "a whole number"),
    ],
)
def test_a_refusal_names_the_knob_the_value_and_the_bounds(
    name: str, text: object, allowed: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(KNOWN, name, text)
    assert str(refused.value) == f"{name} must be {allowed}, not {str(text)!r}"


def test_an_unknown_knob_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"unknown knob of vae/conv: 'widht'; did you mean width"):
        configure(Config, {"widht": "8"}, owner="vae/conv")
    assert "there is none" in unknown("run", "x", [])


def test_configure_fills_in_the_defaults() -> None:
    assert configure(Config, {"width": "8", "limit": 2}) == Config(width=8, limit=2)


@given(st.integers(-(2**70), 2**70))
def test_a_whole_number_keeps_every_digit(value: int) -> None:
    assert Knob(name="n", kind="int", default=0).parse(str(value)) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_keeps_every_digit(value: float) -> None:
    assert Knob(name="x", kind="float", default=0.0).parse(repr(value)) == value


def configs() -> list[tuple[str, type]]:
    found = [("the loop", TrainConfig)]
    found += [(name, catalogue.load(name).Config) for name in catalogue.models()]
    return found + [(name, _entries.entry(name).Config) for name in _entries.names()]


@pytest.mark.parametrize(("owner", "config"), configs(), ids=lambda value: str(value)[:24])
def test_every_knob_has_a_phrase_and_a_default_that_it_accepts(owner: str, config: type) -> None:
    for knob in knobs(config):
        assert knob.help, f"{owner}: {knob.name} says nothing"
        assert knob.parse(knob.default) == knob.default
        assert knob.bounds


@pytest.mark.parametrize("name", catalogue.models())
def test_one_name_means_one_knob(name: str) -> None:
    """``--set`` names no owner: a model's, the loop's and a data set's knobs must differ."""
    kind = catalogue.load(name)
    groups = {"the loop": TrainConfig, name: kind.Config}
    for dataset in _entries.names():
        entry = _entries.entry(dataset)
        if kind.data_kind() == entry.MODALITY:
            for (one, a), (two, b) in itertools.combinations(
                {**groups, dataset: entry.Config}.items(), 2
            ):
                shared = {k.name for k in knobs(a)} & {k.name for k in knobs(b)}
                assert not shared, f"{one} and {two} both have {shared}"


@pytest.mark.parametrize("name", catalogue.models())
def test_a_models_recipe_is_of_the_loops_knobs(name: str) -> None:
    configure(TrainConfig, catalogue.load(name).recipe, owner=name)


# --------------------------------------------------------------------------- knobs without effect


@dataclass(frozen=True, kw_only=True)
class Game:
    game: Annotated[Literal["chess", "go"], "what to play"] = "chess"
    komi: Annotated[float, "points for white", Only("game", "go")] = 6.5
    churn: Annotated[float, "how much"] = 0.0
    noise: Annotated[float, "how strong", Only("churn"), Only("game", "chess")] = 1.0
    fixed: Annotated[int, "of another Config", Only("elsewhere", "x")] = 1


@pytest.mark.parametrize(
    ("values", "offered"),
    [
        ({"game": "chess", "churn": 0.0}, []),
        ({"game": "go", "churn": "0.0"}, ["komi"]),
        ({"game": "chess", "churn": "2"}, ["noise"]),
        ({"game": "go", "churn": 2.0}, ["komi"]),
    ],
)
def test_a_knob_is_offered_only_where_it_has_an_effect(
    values: dict[str, object], offered: list[str]
) -> None:
    without = idle(knobs(Game), values)
    assert [knob.name for knob in knobs(Game) if knob.only and knob.name not in without] == offered


def test_a_knob_without_effect_is_refused_and_says_when_it_has_one() -> None:
    with pytest.raises(ConfigError, match=r"^komi has an effect only with game=go: leave it out$"):
        check_effect(Game(komi=0.5), ["komi"])
    with pytest.raises(ConfigError, match=r"with game=chess and churn other than 0: leave"):
        check_effect(Game(noise=2.0), ["noise"])
    check_effect(Game(game="go", komi=0.5), ["game", "komi", "fixed"])


@dataclass(frozen=True, kw_only=True)
class Labelled:
    conditional: Annotated[bool, "condition on the class", Only(LABELS)] = True
    dropout: Annotated[float, "share of labels hidden", Only("conditional", True)] = 0.1
    depth: Annotated[int, "of the dropout", Only("dropout")] = 1


def test_a_knob_of_labels_is_refused_on_data_without_any_and_so_is_what_hangs_on_it() -> None:
    for name in ("conditional", "dropout", "depth"):
        with pytest.raises(ConfigError, match=rf"^{name} has an effect only on data with labels: "):
            check_effect(Labelled(), [name], classes=0)
        check_effect(Labelled(), [name], classes=10)
        check_effect(Labelled(), [name])  # nobody has looked at the data yet
    with pytest.raises(ConfigError, match=r"^depth has an effect only with conditional=yes: "):
        check_effect(Labelled(conditional=False), ["depth"], classes=10)


@pytest.mark.parametrize("model", catalogue.models())
def test_conditions_name_knobs_and_values_that_there_are(model: str) -> None:
    known = {knob.name: knob for knob in knobs(catalogue.load(model).Config)}
    for knob in known.values():
        for name, values in knob.only.items():
            assert name in {*known, LABELS}
            for value in values:
                assert parse(known, name, value) is not None


def test_the_plan_refuses_what_would_change_nothing() -> None:
    plan = catalogue.plan(PlanRequest(model="gan/dcgan", settings={"loss": "hinge", "gamma": "3"}))
    assert plan.error == "gamma has an effect only with loss=relativistic: leave it out"
    assert not catalogue.plan(PlanRequest(model="gan/dcgan", settings={"gamma": "3"})).error


@pytest.mark.parametrize(
    ("model", "setting"),
    [
        ("gan/dcgan", {"conditional": "no"}),
        ("diffusion/dit", {"label_dropout": "0.2"}),
        ("diffusion/rectified_flow", {"guidance": "2"}),
    ],
)
def test_the_plan_of_pictures_without_labels_has_no_knob_of_labels(
    model: str, setting: dict[str, str], tmp_path: Path
) -> None:
    for i in range(80):
        Image.new("L", (16, 16), i).save(tmp_path / f"{i}.png")
    plan = catalogue.plan(PlanRequest(model=model, dataset=str(tmp_path), settings=setting))
    assert plan.error.endswith("has an effect only on data with labels: leave it out")
    assert plan.classes == 0
    labelled = catalogue.plan(PlanRequest(model=model, dataset="fashion-mini", settings=setting))
    assert (labelled.error, labelled.classes) == ("", 10)
