"""An alert: what was seen, why that may be, and one thing to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from backends.records import RunSpec
from genai_tui.history import History
from genai_tui.store import TRAINING, Summary
from genai_tui.telemetry.record import Telemetry

Level = Literal["critical", "warning", "info"]
Kind = Literal[
    "nan",
    "spike",
    "gradients",
    "divergence",
    "plateau",
    "overfitting",
    "mode-collapse",
    "posterior-collapse",
    "codebook",
    "discriminator",
    "data-bound",
    "stall",
    "gpu-idle",
    "memory",
    "disk",
    "interrupted",
    "failed",
    "finished",
]
KINDS: dict[Kind, str] = {
    "nan": "a scalar that is not finite",
    "spike": "a loss that jumped far above its own noise",
    "gradients": "gradients that explode or vanish",
    "divergence": "a loss that has lost what it had gained",
    "plateau": "a loss that no longer falls with much of the run ahead",
    "overfitting": "a loss on held-out data that rises again and again",
    "mode-collapse": "generated pictures that are too much alike",
    "posterior-collapse": "latents of a VAE that carry nothing",
    "codebook": "codes of a VQ model that nobody uses",
    "discriminator": "a GAN whose discriminator has won, or has given up",
    "data-bound": "a training that waits for its data",
    "stall": "no step for much longer than the run's own pace",
    "gpu-idle": "a GPU that does nothing while the run trains on it",
    "memory": "memory that is nearly full",
    "disk": "a disk that will be full soon",
    "interrupted": "a run whose process is gone",
    "failed": "a run that gave up",
    "finished": "a run that has come to its end",
}
ENDS: frozenset[Kind] = frozenset({"interrupted", "failed", "finished"})
"""How a run ended: told as alerts are, and shown as its state."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing that is wrong.

    Attributes:
        about: the scalar, GPU or disk that it is about; empty for the run as a whole.
        level: critical: the run is lost if nothing is done; warning: it may be; info: good to know.
        step: where on the curves it belongs.
        t: when it was seen, in seconds since the epoch; 0 if that is unknown.
        place: what tells it from an earlier one of its kind, and stays the same while it lasts.
    """

    kind: Kind
    level: Level
    step: int
    t: float
    evidence: str
    cause: str
    action: str
    about: str = ""
    place: str = ""

    @property
    def id(self) -> str:
        """The same for the same trouble, in any viewer at any time."""
        return f"{self.kind}:{self.about}:{self.place}"

    @property
    def wrong(self) -> bool:
        """Whether it is about a run that goes on, and no mere information."""
        return self.level != "info" and self.kind not in ENDS

    @property
    def title(self) -> str:
        """A few words: "spike of loss"."""
        joint = " of " if self.kind in ("spike", "plateau", "divergence") else ": "
        name = "not a number" if self.kind == "nan" else self.kind.replace("-", " ")
        return f"{name}{joint}{self.about}" if self.about else name


@dataclass(frozen=True, slots=True)
class Situation:
    """All that is known of a run at one moment. Telemetry is the newest, oldest first."""

    history: History
    summary: Summary
    now: float
    telemetry: Sequence[Telemetry] = ()
    spec: RunSpec = field(default_factory=lambda: RunSpec(id="", name="", model="", dataset=""))

    @property
    def live(self) -> bool:
        return self.summary.state in TRAINING

    @property
    def trains(self) -> bool:
        """Whether steps are being taken now, as far as the run itself says."""
        phase = self.history.phase
        name = self.summary.status.phase if phase is None else phase.name
        return self.summary.state == "running" and name == "training"

    @property
    def of(self) -> int:
        """Steps that the run is to take."""
        starts = self.history.starts
        return starts[-1].of if starts else self.summary.status.of

    @property
    def attempt(self) -> str:
        """Which attempt it is: what ends with it may begin again with the next."""
        return str(len(self.history.starts))
