"""From what a user picked and typed to what is asked for: sections of the form, and the request."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from backends.knob import Knob, written
from backends.records import Config, DatasetInfo, Device, ModelInfo, PlanRequest
from genai_tui.annotations import NAME_LENGTH
from genai_tui.command_line import in_store, train_words
from genai_tui.lineage import Fork
from genai_tui.sweep import SEED, Variant, variants
from genai_tui.widgets.form import Key
from genai_tui.widgets.form_fields import Section

RUN, PATH, FORK = "run", "path", "fork"
"""Sections of what is no knob; the ids of sections of knobs have a colon."""
SEED_LIMIT = 999_999
NOTHING = "none"
FORKED = "-fork"
"""What is put behind a run's name for a run that grows from it."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A run that is being thought of.

    Attributes:
        dataset: an entry's name or an absolute path.
        settings: the knobs that differ from their defaults, as typed.
        steps: optimizer steps; 0 where the loop has no such knob.
        batch: items a step; 0 likewise.
        begin: the run and the step whose weights it begins with, as in RUN@STEP; empty if none.
        weights: the file of those weights.
        sweep: the knobs that have several values, or the seed, in place of ``settings`` and
            ``seed``; values with commas between. Of several steps or batches the first are told.
    """

    model: str
    dataset: str
    settings: dict[str, str] = field(default_factory=dict)
    name: str = ""
    seed: int = 0
    device: str = "auto"
    steps: int = 0
    batch: int = 0
    begin: str = ""
    weights: str = ""
    sweep: dict[str, str] = field(default_factory=dict)

    def variants(self) -> list[Variant]:
        """The runs that it asks for: one, or those of its sweep."""
        if not self.sweep:
            return [Variant(self.settings, self.name, self.seed)]
        return variants(
            [f"{knob}={values}" for knob, values in self.sweep.items()],
            model=self.model,
            settings=self.settings,
            name=self.name,
            seed=self.seed,
        )

    def request(self) -> PlanRequest:
        """The question to the planner, of a sweep about its first run. The name changes nothing
        that it counts."""
        first = self.variants()[0]
        return PlanRequest(
            model=self.model,
            dataset=self.dataset,
            settings=first.settings,
            device=self.device,
            seed=first.seed,
            weights=self.weights,
        )

    def words(self, root: Path) -> list[str]:
        """The command that starts the same in the store at ``root``; see
        :func:`genai_tui.command_line.train_words`."""
        words = train_words(
            self.model,
            self.dataset,
            self.settings,
            name=self.name,
            seed=self.seed,
            device=self.device,
            begin=self.begin,
            sweep=self.sweep,
        )
        return [in_store(words[0], root), *words[1:]]


def sections(
    model: ModelInfo,
    dataset: DatasetInfo | None,
    devices: Sequence[Device],
    fork: Fork | None = None,
) -> list[Section]:
    """The form of a run: where the data is, if it has to be told, the run's own, all knobs.

    Args:
        fork: the run that it grows from, with whose values the knobs begin that it had, too.
    """
    asked = [_path_section(dataset)] if dataset is not None and dataset.needs_path else []
    knobs = [
        _knob_section(f"model:{model.name}", "Model", model.knobs),
        _knob_section(f"train:{model.name}", "Training", model.train_knobs),
    ]
    if dataset is not None:
        knobs.append(_knob_section(f"data:{dataset.name}", "Data", dataset.knobs))
    made = [*asked, _run_section(devices), *_without_namesakes(knobs)]
    return made if fork is None else [_fork_section(fork), *_as_before(made, model, fork)]


def _knob_section(id_: str, title: str, knobs: Sequence[Knob]) -> Section:
    swept = frozenset(knob.name for knob in knobs if _can_be_swept(knob))
    return Section(id_, title, tuple(knobs), swept=swept)


def _can_be_swept(knob: Knob) -> bool:
    """Whether a comma in its text can stand between two values, rather than in one."""
    return knob.kind != "text" and not any("," in choice for choice in knob.choices)


def draft(
    model: ModelInfo,
    dataset: DatasetInfo,
    values: Mapping[Key, str],
    changes: Mapping[Key, str],
    fork: Fork | None = None,
    swept: Mapping[Key, Sequence[str]] | None = None,
) -> Draft:
    """What the texts of a form without errors ask for.

    Args:
        values: the text of every field.
        changes: those of knobs that differ from their defaults.
        swept: the values of the fields that have several.
    """
    several = swept or {}
    values = {key: several[key][0] if key in several else text for key, text in values.items()}
    changes = {key: text for key, text in changes.items() if key not in several}
    loop = f"train:{model.name}"
    step = values.get((FORK, "from"), NOTHING)
    begins = fork is not None and step != NOTHING
    return Draft(
        model=model.name,
        dataset=source(dataset, values),
        settings={name: text for (id_, name), text in changes.items() if ":" in id_},
        name=values.get((RUN, "name"), ""),
        seed=0 if (RUN, SEED) in several else _whole(values.get((RUN, SEED))),
        device=values.get((RUN, "device")) or "auto",
        steps=_whole(values.get((loop, "steps"))),
        batch=_whole(values.get((loop, "batch_size"))),
        begin=f"{fork.run.id}@{step}" if fork and begins else "",
        weights=str(fork.weights[int(step)]) if fork and begins else "",
        sweep={key[1]: ",".join(_plain_seeds(key, texts)) for key, texts in several.items()},
    )


def source(dataset: DatasetInfo, values: Mapping[Key, str]) -> str:
    """The entry's name, or the absolute path of the user's own data; empty while none is typed."""
    if not dataset.needs_path:
        return dataset.name
    # Absolute, since the worker may start elsewhere and a plain word is taken for an entry's name.
    typed = values.get(path_key(dataset), "")
    return os.path.abspath(os.path.expanduser(typed)) if typed else ""


def path_key(dataset: DatasetInfo) -> Key:
    """The field in which the path of this kind of data is typed."""
    return f"{PATH}/{dataset.name}", "path"


def _whole(text: str | None) -> int:
    return int(float(text.replace("_", ""))) if text else 0


def _plain_seeds(key: Key, texts: Sequence[str]) -> Sequence[str]:
    """A seed is no knob, and is written in digits alone."""
    return [str(_whole(text)) for text in texts] if key == (RUN, SEED) else texts


def _path_section(dataset: DatasetInfo) -> Section:
    path = Knob(name="path", kind="text", default="", help="folder or file of your data")
    return Section(path_key(dataset)[0], "Your data", (path,), frozenset({"path"}), completed)


def completed(typed: str) -> str:
    """The path that was begun, as far as all entries that begin like it agree."""
    folder, begun = os.path.split(typed)
    try:
        with os.scandir(os.path.expanduser(folder) or ".") as entries:
            found = [e.name + "/" * e.is_dir() for e in entries if _fits(e.name, begun)]
    except OSError:
        return typed
    # Character by character is meant: half a name is completed too.
    agreed = os.path.commonprefix(found)  # noqa: RUF071
    return os.path.join(folder, agreed) if found else typed


def _fits(name: str, begun: str) -> bool:
    hidden = name.startswith(".") and not begun
    return name.startswith(begun) and name.isprintable() and not hidden


def _run_section(devices: Sequence[Device]) -> Section:
    named = [f"{device.name}: {device.caption}" for device in devices if device.caption]
    knobs = (
        Knob(name="name", kind="text", default="", help="what the run is called in lists"),
        Knob(
            name="device",
            kind="choice",
            default="auto",
            choices=["auto", *(device.name for device in devices if device.name != "auto")],
            help="; ".join(["where it trains; auto: the fastest there is", *named]),
        ),
        Knob(
            name=SEED,
            kind="int",
            default=0,
            low=0,
            high=SEED_LIMIT,
            help="of weights, order and noise",
        ),
    )
    return Section(RUN, "Run", knobs, swept=frozenset({SEED}))


def _without_namesakes(made: Sequence[Section]) -> list[Section]:
    """Each knob's name once: ``--set`` gives it to the first section that has it."""
    known: set[str] = set()
    kept: list[Section] = []
    for section in made:
        knobs = tuple(knob for knob in section.knobs if knob.name not in known)
        known |= {knob.name for knob in knobs}
        kept += [replace(section, knobs=knobs)] if knobs else []
    return kept


# --------------------------------------------------------------------------- a fork's form


def forked_data(datasets: Sequence[DatasetInfo], learns: str, fork: Fork) -> str:
    """The entry that the data of a run belong to; a path's by the kind of data and its knobs."""
    spec = fork.spec
    known = next((data.name for data in datasets if data.name == spec.dataset), "")
    kinds = [data for data in datasets if data.needs_path and data.modality == learns]
    wanted = set(spec.data_config)
    fitting = [data.name for data in kinds if wanted <= {knob.name for knob in data.knobs}]
    return known or next(iter(fitting), "")


def _fork_section(fork: Fork) -> Section:
    """The first field: the checkpoint that it begins with."""
    steps = [str(step) for step in reversed(fork.weights)]
    chosen = str(fork.chosen) if fork.chosen in fork.weights else None
    begin = Knob(
        name="from",
        kind="choice",
        default=chosen or (steps[0] if steps else None),
        choices=steps,
        optional=True,
        help=f"step of {fork.name} whose weights it begins with; none: only its settings",
    )
    return Section(FORK, f"Fork of {fork.name}", (begin,))


def _as_before(made: Sequence[Section], model: ModelInfo, fork: Fork) -> list[Section]:
    """The sections with the values that the run was created with, where they are its own."""
    spec, path = fork.spec, {"path": fork.spec.dataset}
    own: Config = {"name": fork.name[: NAME_LENGTH - len(FORKED)] + FORKED}
    own |= {"seed": spec.seed, "device": spec.device}
    same = model.name == spec.model
    told: dict[str, Config] = {
        RUN: own,
        f"model:{spec.model}": spec.model_config if same else {},
        f"train:{spec.model}": spec.train_config if same else {},
    }
    return [
        replace(section, before=_texts(section, told, spec.data_config, path)) for section in made
    ]


def _texts(
    section: Section, told: Mapping[str, Config], data: Config, path: Mapping[str, str]
) -> dict[str, str]:
    kind = section.id.partition(":")[0].partition("/")[0]
    config: Mapping[str, object] = {PATH: path, "data": data}.get(kind) or told.get(section.id, {})
    known = (knob for knob in section.knobs if knob.name in config)
    return {knob.name: written(config[knob.name]) for knob in known}
