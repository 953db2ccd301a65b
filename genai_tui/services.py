"""What the New run screen asks of the house, as one thing that a test can stand in for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from backends.records import Catalogue, Plan, PlanRequest
from genai_tui.store import Run, Store


class Planner(Protocol):
    """Answers what a request would train; see :class:`genai_tui.launch.Planner`."""

    def plan(self, request: PlanRequest) -> Plan: ...
    def close(self) -> None: ...


class Create(Protocol):
    """Makes the folder of a run, which is not started; see :func:`genai_tui.launch.create`.

    ``begin`` names the checkpoint it begins with, as in RUN@STEP; empty for none.
    """

    def __call__(
        self,
        store: Store,
        *,
        model: str,
        dataset: str,
        settings: Mapping[str, str],
        name: str,
        seed: int,
        device: str,
        begin: str,
        planner: Planner,
    ) -> Run: ...


class Start(Protocol):
    """Starts a run, or lets it wait for its turn; see :func:`genai_tui.launch.start`."""

    def __call__(self, run: Run, *, queue: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class Services:
    """All but ``planner`` may take seconds: call them in a thread.

    They raise RuntimeError (LaunchError, RunError) with one sentence for the user.
    """

    catalogue: Callable[[], Catalogue]
    planner: Callable[[], Planner]
    create: Create
    start: Start


def real() -> Services:
    """The services of :mod:`genai_tui.launch`, which is imported when the screen opens."""
    from genai_tui import launch, lineage

    def create(store: Store, *, planner: Planner, begin: str, **asked: object) -> Run:
        warm = planner if isinstance(planner, launch.Planner) else None
        origin = lineage.origin(store, begin) if begin else None
        return launch.create(store, planner=warm, begin=origin, **asked)  # pyright: ignore[reportArgumentType]

    def start(run: Run, *, queue: bool) -> None:
        launch.start(run, queue=queue)

    return Services(launch.catalogue, launch.Planner, create, start)
