"""Every generator and data set that can be picked, and the way from a request to a model.

A file in a family's folder is an entry: listing imports nothing, loading imports one. Other
packages add entries through the entry points ``genai_tui.models`` and ``genai_tui.datasets``.
"""

import inspect
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import torch

from backends import checkpoints, precision, records
from backends.asking import knobs_of
from backends.data import Dataset
from backends.data_error import DataError
from backends.datasets import _entries
from backends.datasets._resolve import load_dataset, resolve
from backends.datasets._shape import shape_from_state
from backends.knob import Knob
from backends.knobs import ConfigError, check_effect, configure, knobs, unknown
from backends.model import DataShape, Model
from backends.precision import Numerics
from backends.recipe import TrainConfig
from backends.records import Catalogue, DatasetInfo, Device, ModelInfo, Plan, PlanRequest, RunSpec
from backends.stepper import check_accumulation
from backends.weights import fitting

FAMILIES = ("gan", "vae", "autoregressive", "diffusion")
_GROUP = "genai_tui.models"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request made whole: every knob has its value."""

    kind: type[Model]
    dataset: str
    config: Any
    given: Mapping[str, str]  # knobs of the model that somebody set
    data_config: records.Config
    train: TrainConfig


# --------------------------------------------------------------------------- entries


@cache
def own_models() -> tuple[str, ...]:
    """Names of the models in the family folders, "vae/conv", family by family."""
    root = Path(__file__).parent
    return tuple(
        f"{family}/{file.stem}"
        for family in FAMILIES
        for file in sorted((root / family).glob("*.py"))
        if not file.stem.startswith("_")
    )


def models() -> list[str]:
    """Names of all models; nothing is imported."""
    return [*own_models(), *sorted(set(_added()) - set(own_models()))]


def load(name: str) -> type[Model]:
    """The model of that name.

    Raises:
        ConfigError: there is none, naming the nearest, or it cannot be imported or used.
    """
    if name not in models():
        raise ConfigError(unknown("model", name, models()))
    module = _module(name)
    found = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Model) and not inspect.isabstract(value)
        if value.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise ConfigError(f"the model {name} must define one Model; it defines {len(found)}")
    try:
        _ = found[0].modality, knobs(found[0].Config)
    except (AttributeError, ConfigError, NameError, TypeError) as error:
        raise ConfigError(f"the model {name} cannot be used: {error}") from error
    return found[0]


def _module(name: str) -> Any:
    try:
        if name in own_models():
            return import_module(f"backends.{name.replace('/', '.')}")
        return _added()[name].load()
    except (Exception, SystemExit) as error:
        # Somebody else's module may raise anything; it must not spoil the others.
        reason = f"{type(error).__name__}: {error}"
        raise ConfigError(f"the model {name} cannot be imported: {reason}") from error


def _added() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=_GROUP)}


# --------------------------------------------------------------------------- descriptions


def describe() -> Catalogue:
    """Everything that can be picked; an entry that fails to import comes with its error."""
    return Catalogue(
        models=[_describe_model(name) for name in models()],
        datasets=[_describe_dataset(name) for name in _entries.names()],
        devices=[Device(name=name, caption=caption) for name, caption in precision.devices()],
        torch=str(torch.__version__),
    )


def _describe_model(name: str) -> ModelInfo:
    family = name.partition("/")[0]
    try:
        kind = load(name)
    except ConfigError as error:
        return ModelInfo(name=name, family=family, error=str(error))
    recipe = kind.recipe_for(kind.Config())
    return ModelInfo(
        name=name,
        family=family,
        caption=_caption(inspect.getmodule(kind)),
        modality=kind.modality,
        learns=kind.data_kind(),
        knobs=knobs(kind.Config),
        train_knobs=[_with_default(knob, recipe) for knob in knobs(TrainConfig)],
        asks=sorted(kind.asks),
        request=knobs_of(kind.asks),
        conditional="labels" in kind.asks,
        default_dataset=kind.default_dataset,
    )


def _with_default(knob: Knob, recipe: Mapping[str, Any]) -> Knob:
    if knob.name not in recipe:
        return knob
    fields = {name: getattr(knob, name) for name in knob.__struct_fields__}
    return Knob(**{**fields, "default": recipe[knob.name]})


def _describe_dataset(name: str) -> DatasetInfo:
    try:
        entry = _entries.entry(name)
    except DataError as error:
        return DatasetInfo(name=name, error=str(error))
    return DatasetInfo(
        name=name,
        caption=_caption(entry),
        modality=entry.MODALITY,
        embedded=entry.EMBEDDED,
        needs_path=entry.NEEDS_PATH,
        knobs=knobs(entry.Config),
    )


def _caption(module: object) -> str:
    lines = (getattr(module, "__doc__", None) or "").strip().splitlines()
    return lines[0].rstrip(".") if lines else ""


# --------------------------------------------------------------------------- from request to model


def prepare(request: PlanRequest) -> Prepared:
    """Sorts the settings of a request into model, loop and data set, and fills in the defaults.

    Raises:
        ConfigError, DataError: one sentence on what is unknown or out of its bounds.
    """
    kind = load(request.model)
    wanted = request.dataset or kind.default_dataset
    name, path = resolve(wanted, kind.data_kind())
    entry = _entries.entry(name)
    if entry.NEEDS_PATH and path is None:
        raise DataError(f"{name} needs data of yours: give the path of the file or folder instead")
    groups = {"model": kind.Config, "loop": TrainConfig, "data": entry.Config}
    sorted_settings = _sort(request.settings, groups, request.model)
    config = configure(kind.Config, sorted_settings["model"])
    train = configure(TrainConfig, {**kind.recipe_for(config), **sorted_settings["loop"]})
    data = configure(entry.Config, sorted_settings["data"])
    for given, group in ((config, "model"), (train, "loop"), (data, "data")):
        check_effect(given, sorted_settings[group])
    check_accumulation(train)
    return Prepared(
        kind=kind,
        dataset=str(path) if path is not None else name,
        config=config,
        given=sorted_settings["model"],
        data_config=asdict(data),
        train=train,
    )


def plan(request: PlanRequest) -> Plan:
    """What a request would train: sizes and counts, or the sentence that says why it cannot."""
    classes = None
    try:
        prepared = prepare(request)
        device = precision.device_of(request.device)
        dataset = _dataset(prepared)
        classes = dataset.shape.num_classes
        check_effect(prepared.config, prepared.given, classes)
        model = _on_meta(prepared, dataset.shape)
        taken = [fitting(model, Path(request.weights)).sentence] if request.weights else []
    except (ConfigError, DataError) as error:
        return Plan(error=str(error), classes=classes)
    counts = {phase.name: _count(phase.module) for phase in model.phases() if phase.name}
    return Plan(
        dataset=prepared.dataset,
        model_config=asdict(prepared.config),
        data_config=prepared.data_config,
        train_config=asdict(prepared.train),
        parameters=_count(model),
        trained=counts,
        items=len(dataset.train),
        validation_items=len(dataset.validation),
        classes=classes,
        shape=" x ".join(str(n) for n in dataset.shape.size),
        device=str(device),
        notices=[*dataset.notices, *taken],
    )


def open_spec(spec: RunSpec) -> tuple[Model, Dataset, TrainConfig]:
    """The untrained model, the data and the loop's knobs of a run; weights depend on the seed.

    Raises:
        ConfigError, DataError: something that the spec names is not as it was.
    """
    kind, train = load(spec.model), configure(TrainConfig, spec.train_config)
    dataset = load_dataset(
        spec.dataset, kind.data_kind(), spec.data_config, train.validation, train.batch_size
    )
    return build(spec, dataset.shape), dataset, train


def build(spec: RunSpec, shape: DataShape) -> Model:
    """The untrained model of a run for data of ``shape``."""
    kind = load(spec.model)
    torch.manual_seed(spec.seed)
    return kind(configure(kind.Config, spec.model_config, owner=spec.model), shape)


def restore(spec: RunSpec, snapshot: Mapping[str, Any]) -> Model:
    """The model of a checkpoint with its averaged weights; the data set is not needed.

    Raises:
        ConfigError, DataError: the checkpoint is of another model or another version.
    """
    try:
        model = build(spec, shape_from_state(snapshot["meta"]["shape"]))
        model.load_state_dict(snapshot["ema"] or snapshot["model"])
    except (KeyError, TypeError, RuntimeError) as error:
        reason = checkpoints.misfit(error)
        raise ConfigError(f"the checkpoint does not fit {spec.model}: {reason}") from None
    return model.eval()


def ready(spec: RunSpec, root: Path, step: int) -> tuple[Model, Numerics]:
    """The model of a checkpoint in the folder ``root``, on the best device, and its arithmetic.

    Raises:
        CheckpointError: the checkpoint is missing or damaged.
        ConfigError, DataError: it is of another model or another version.
    """
    snapshot = checkpoints.load(checkpoints.folder_of(root, step))
    model = restore(spec, snapshot).to(precision.device_of("auto"))
    return model, Numerics(**snapshot["numerics"])


def _sort(
    settings: Mapping[str, str], groups: Mapping[str, type], model: str
) -> dict[str, dict[str, str]]:
    known = {name: {knob.name for knob in knobs(config)} for name, config in groups.items()}
    found: dict[str, dict[str, str]] = {name: {} for name in groups}
    for setting, value in settings.items():
        group = next((name for name in groups if setting in known[name]), None)
        if group is None:
            raise ConfigError(unknown("knob", setting, sorted(set().union(*known.values())), model))
        found[group][setting] = value
    return found


_LAST: list[tuple[object, Dataset]] = []


def _dataset(prepared: Prepared) -> Dataset:
    """The data of a plan; the last ones are remembered while a form is being filled in."""
    train = prepared.train
    key = (prepared.dataset, prepared.kind.data_kind(), prepared.data_config, train.validation)
    for known, dataset in _LAST:
        if known == key and len(dataset.train) >= train.batch_size:
            return dataset
    dataset = load_dataset(
        prepared.dataset,
        prepared.kind.data_kind(),
        prepared.data_config,
        train.validation,
        train.batch_size,
    )
    _LAST[:] = [(key, dataset)]
    return dataset


def _on_meta(prepared: Prepared, shape: DataShape) -> Model:
    with torch.device("meta"):
        return prepared.kind(prepared.config, shape)


def _count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
