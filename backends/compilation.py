"""torch.compile where it works: tried out before the first step, with a way back."""

from collections.abc import Callable, Sequence

import torch

from backends.counting import counted
from backends.model import Batch, Losses
from backends.precision import Numerics
from backends.state import TrainState

Loss = Callable[[Batch], Losses]


def compiled(
    state: TrainState, batches: Sequence[Batch], numerics: Numerics
) -> tuple[list[Loss], str]:
    """The losses of the phases, compiled; or as they are, and one sentence that says why.

    Compilers fail as late as in the first backward pass, and compile anew once a number such as
    ``batch.progress`` is seen to change. So each turn is tried on each of ``batches``, always the
    same ones, so that a resumed training runs the same code. The state is left as it was.
    """
    losses: list[Loss] = [torch.compile(phase.loss) for phase in state.phases]
    buffers = [buffer.clone() for buffer in state.model.buffers()]
    try:
        for batch in counted(batches, len(batches)):
            _try(state, losses, batch, numerics)
    except (RuntimeError, OSError, ImportError) as error:
        reason = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:200]}"
        sentence = f"torch.compile does not work for this model here, it trains without ({reason})"
        return [phase.loss for phase in state.phases], sentence
    finally:
        state.model.zero_grad(set_to_none=True)
        with torch.no_grad():
            for buffer, before in zip(state.model.buffers(), buffers, strict=True):
                buffer.copy_(before)
    return losses, ""


def _try(state: TrainState, losses: list[Loss], batch: Batch, numerics: Numerics) -> None:
    state.model.train()
    for phase, loss in zip(state.phases, losses, strict=True):
        state.focus(phase)
        with numerics.autocast(batch.x.device):
            terms = loss(batch)
        terms["loss"].backward()
