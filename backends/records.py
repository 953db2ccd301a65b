"""All that crosses the border between training and watching: records, specs, knobs, requests.

Standard library and msgspec only, so that a reader of runs needs no PyTorch. Every record is one
line of a run's ``records.jsonl``; times are seconds since the epoch (UTC), steps count optimizer
steps from 0, and a non-finite number is written as "NaN", "Infinity" or "-Infinity".
"""

import math
from typing import Literal

import msgspec
from msgspec import Struct, field

from backends.knob import Knob

FORMAT = 1
"""Version of a run's folder. A reader refuses a greater one."""

Scalar = float | Literal["NaN", "Infinity", "-Infinity"]
Modality = Literal["image", "text", "audio", "series"]
"""What samples are."""
DataKind = Literal["image", "text", "audio", "series", "pairs", "captions"]
"""What a model learns from: pairs of lines, and pictures with captions, beside the plain kinds."""
Verb = Literal["stop", "pause", "resume", "checkpoint", "sample", "set"]
State = Literal["starting", "running", "paused", "finished", "stopped", "failed"]

EXIT_FINISHED, EXIT_FAILED, EXIT_DISK = 0, 70, 74
EXIT_STOPPED, EXIT_NAN, EXIT_CONFIG = 75, 77, 78


# --------------------------------------------------------------------------- what can be asked


class SampleRequest(Struct, frozen=True, kw_only=True):
    """What to draw. A field that the model cannot be asked for is refused, not ignored.

    ``None`` means the model's own default. ``labels`` are class indices, repeated to ``count``.
    """

    count: int = 64
    seed: int = 0
    labels: list[int] | None = None
    prompt: str | None = None
    length: int | None = None  # tokens
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None  # nucleus: the likeliest tokens that hold this share, in (0, 1]
    beams: int | None = None  # hypotheses of a beam search; 1 is greedy
    steps: int | None = None  # steps of the sampler
    guidance: float | None = None  # classifier-free guidance scale; 1 is none
    truncation: float | None = None  # 0 is the average latent, 1 is none (Karras 2018)
    interpolate: bool | None = None  # a walk from one latent to another instead of many latents
    around: int | None = None  # of the samples of the same request, counted from 0: draw near it
    spread: float | None = None  # how far the samples around it go, in [0, 1]; 1 is anywhere
    image: str | None = None  # path of a picture to start from, to fill in or to enlarge
    mask: str | None = None  # path of a picture that is white where ``image`` is to be filled in
    strength: float | None = None  # how much of ``image`` is replaced, in (0, 1]


class ModelInfo(Struct, frozen=True, kw_only=True):
    """One generator as ``worker describe`` tells it. ``error`` is set when it fails to import."""

    name: str  # "vae/conv"
    family: str = ""
    caption: str = ""
    modality: Modality = "image"  # of the samples
    learns: DataKind = "image"
    knobs: list[Knob] = field(default_factory=list)
    train_knobs: list[Knob] = field(default_factory=list)
    asks: list[str] = field(default_factory=list)  # fields of a request besides count and seed
    request: list[Knob] = field(default_factory=list)  # the same with their bounds, as a form
    conditional: bool = False
    default_dataset: str = ""
    error: str = ""


class DatasetInfo(Struct, frozen=True, kw_only=True):
    """One data set or kind of folder as ``worker describe`` tells it."""

    name: str
    caption: str = ""
    modality: DataKind = "image"
    embedded: bool = False
    needs_path: bool = False
    knobs: list[Knob] = field(default_factory=list)
    error: str = ""


class Device(Struct, frozen=True, kw_only=True):
    name: str  # "cpu", "cuda:0"
    caption: str = ""


class Catalogue(Struct, frozen=True, kw_only=True):
    """Everything that can be picked on this machine."""

    models: list[ModelInfo] = field(default_factory=list)
    datasets: list[DatasetInfo] = field(default_factory=list)
    devices: list[Device] = field(default_factory=list)
    torch: str = ""


class LeftOut(Struct, frozen=True, kw_only=True):
    """Something of a file that was not taken, by its dotted name."""

    name: str
    reason: str


class Imported(Struct, frozen=True, kw_only=True):
    """What became of a file of somebody else's weights."""

    tensors: int
    parameters: int
    bytes: int  # of the file that was written
    dtypes: dict[str, int] = field(default_factory=dict)  # tensors of each type
    parts: dict[str, int] = field(default_factory=dict)  # tensors of each container, if several
    dropped: str = ""  # what all names began with
    left_out: list[LeftOut] = field(default_factory=list)  # the first of them
    left_out_count: int = 0


Config = dict[str, int | float | bool | str | None]
"""Knobs by name."""


class PlanRequest(Struct, frozen=True, kw_only=True):
    """What somebody would like to train. ``settings`` are knobs of the model, the loop or the data
    set, as typed."""

    model: str
    dataset: str = ""  # empty: the model's default
    settings: dict[str, str] = field(default_factory=dict)
    device: str = "auto"
    seed: int = 0
    weights: str = ""  # file of weights to begin with


class Plan(Struct, frozen=True, kw_only=True):
    """What a request would train, or the one sentence that says why it cannot."""

    error: str = ""
    dataset: str = ""  # an entry's name or an absolute path
    model_config: Config = field(default_factory=dict)
    data_config: Config = field(default_factory=dict)
    train_config: Config = field(default_factory=dict)
    parameters: int = 0
    trained: dict[str, int] = field(default_factory=dict)  # parameters by network
    items: int = 0
    validation_items: int = 0
    classes: int | None = None  # of the data; None where they were not read
    shape: str = ""
    device: str = ""
    notices: list[str] = field(default_factory=list)


class RunSpec(Struct, frozen=True, kw_only=True):
    """``run.json``: what was asked. Written once, when the run is created."""

    id: str
    name: str
    model: str
    dataset: str  # an entry's name or a path
    model_config: Config = field(default_factory=dict)
    data_config: Config = field(default_factory=dict)
    train_config: Config = field(default_factory=dict)
    seed: int = 0
    device: str = "auto"
    created: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)
    parent: str = ""  # id of the run whose weights this one began with
    parent_step: int | None = None
    weights: str = ""  # name of the file whose weights this one began with
    format: int = FORMAT

    @property
    def origin(self) -> str:
        """Whose weights it began with; empty where they were drawn from the seed."""
        if self.parent:
            return f"{self.parent} at step {self.parent_step or 0:,}"
        return self.weights


# --------------------------------------------------------------------------- what is logged


class Start(Struct, tag="start", tag_field="kind", frozen=True, kw_only=True):
    """First record of each attempt of the worker: it trains on from ``step``."""

    step: int
    t: float
    attempt: int
    of: int
    pid: int = 0
    host: str = ""
    device: str = ""
    precision: str = ""
    parameters: int = 0
    steps_per_epoch: float = 0.0  # batches that hold as many items as there are; 0: unknown
    note: str = ""


class Step(Struct, tag="step", tag_field="kind", frozen=True, kw_only=True):
    """All scalars of one logged step. ``rates`` are measured and differ between attempts."""

    step: int
    t: float
    values: dict[str, Scalar] = field(default_factory=dict)
    rates: dict[str, Scalar] = field(default_factory=dict)


class Histogram(Struct, tag="histogram", tag_field="kind", frozen=True, kw_only=True):
    """How numbers were spread at a step: ``name`` says which, as "weights/encoder".

    ``counts`` are of equal bins from ``low`` to ``high``; the first one also counts what lies below
    and the last one what lies above, ``least`` and ``most`` say how far. Where all numbers are one
    there is one bin. What was not finite is in no bin.
    """

    step: int
    t: float
    name: str
    low: float
    high: float
    counts: list[int]
    least: float
    most: float
    not_finite: int = 0


class Sample(Struct, tag="sample", tag_field="kind", frozen=True, kw_only=True):
    """Samples drawn at a step; ``path`` is relative to the run's folder."""

    step: int
    t: float
    path: str
    modality: Modality
    count: int
    seconds: float = 0.0
    request: SampleRequest = SampleRequest()
    command: str = ""  # id of the command that asked, if one did


class Checkpoint(Struct, tag="checkpoint", tag_field="kind", frozen=True, kw_only=True):
    """A checkpoint that is whole on disk; ``path`` is relative to the run's folder."""

    step: int
    t: float
    path: str
    bytes: int = 0
    seconds: float = 0.0


class Phase(Struct, tag="phase", tag_field="kind", frozen=True, kw_only=True):
    """What the worker is doing now: "importing torch", "training", "validating", "saving".

    A long one is told again as it goes on, with how much is ``done`` and ``of`` how much; 0 where
    nobody counts.
    """

    step: int
    t: float
    name: str
    done: int = 0
    of: int = 0


class Mark(Struct, tag="mark", tag_field="kind", frozen=True, kw_only=True):
    """The answer to a command. It is accepted, then done; or refused, with the reason."""

    step: int
    t: float
    id: str
    verb: str
    answer: Literal["accepted", "done", "refused"]
    detail: str = ""


class Notice(Struct, tag="notice", tag_field="kind", frozen=True, kw_only=True):
    """Something the user should know, such as files that were skipped."""

    step: int
    t: float
    text: str
    level: Literal["info", "warning", "error"] = "warning"


class Score(Struct, tag="score", tag_field="kind", frozen=True, kw_only=True):
    """How good the checkpoint of a step is by one ``metric``, as ``scores.jsonl`` keeps it.

    ``features`` names the space in which samples are compared with held-out data; it is empty for
    what the model itself says of that data. ``reference`` is the score that as many items of the
    training data get: no better one is to be hoped for.
    """

    step: int
    t: float
    metric: str
    value: Scalar
    features: str = ""
    spread: Scalar | None = None  # standard deviation, where it is measured several times
    reference: Scalar | None = None
    better: Literal["lower", "higher", ""] = ""
    count: int = 0  # samples that were drawn; 0 where none were
    real: int = 0  # held-out items
    seed: int = 0
    seconds: float = 0.0


class End(Struct, tag="end", tag_field="kind", frozen=True, kw_only=True):
    """Last record of an attempt that could say goodbye."""

    step: int
    t: float
    state: Literal["finished", "stopped", "failed"]
    exit_code: int
    reason: str = ""


Record = Start | Step | Histogram | Sample | Checkpoint | Phase | Mark | Notice | Score | End


# --------------------------------------------------------------------------- the small summary


class Process(Struct, frozen=True, kw_only=True):
    """A process that cannot be mistaken for another: pid plus start time, within one boot."""

    pid: int
    started: int = 0  # clock ticks since boot, field 22 of /proc/PID/stat; 0 where there is none


class Status(Struct, frozen=True, kw_only=True):
    """``status.json``: the summary that a list of runs needs. Replaced atomically."""

    state: State = "starting"
    phase: str = ""
    phase_done: int = 0
    phase_of: int = 0  # 0: nobody counts
    step: int = 0
    of: int = 0
    steps_per_second: float | None = None
    items_per_second: float | None = None
    eta: float | None = None  # seconds
    loss: Scalar | None = None
    curve: list[Scalar] = field(default_factory=list)  # the loss so far, at most 32 points
    sample: str = ""  # newest samples, relative to the run's folder
    checkpoint: int | None = None  # newest step that is safe on disk
    attempt: int = 0
    restarts: int = 0
    host: str = ""
    boot_id: str = ""
    keeper: Process | None = None
    worker: Process | None = None
    heartbeat: float = 0.0
    exit_code: int | None = None
    signal: int | None = None
    reason: str = ""
    waits: str = ""  # of a run that is queued: its place, as in "2nd of 3 for cuda:0"
    format: int = FORMAT


class Command(Struct, frozen=True, kw_only=True):
    """One file of a run's ``control`` folder."""

    id: str
    verb: Verb
    t: float
    by: str = ""  # user who asked
    request: SampleRequest | None = None
    knob: str = ""
    value: int | float | bool | str | None = None


# ------------------------------------------------------------------------ numbers that JSON lacks


def scalar(value: float) -> Scalar:
    """``value`` as JSON can hold it: non-finite numbers become their names."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def number(value: Scalar | None) -> float:
    """The float that a logged scalar means; None is NaN."""
    return math.nan if value is None else float(value)


encode = msgspec.json.Encoder().encode
decode_record = msgspec.json.Decoder(Record).decode
decode_status = msgspec.json.Decoder(Status).decode
decode_spec = msgspec.json.Decoder(RunSpec).decode
decode_command = msgspec.json.Decoder(Command).decode
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises for bytes that nobody can vouch for."""
