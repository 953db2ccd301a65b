"""On the path of a worker this gives it PyTorch's own data-loading processes, which live on when
their parent is killed: two children that wait for somebody to take what they have loaded."""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

_kept: list[object] = []


class _Feeder:
    """Finds no module, but starts the loaders when training is imported."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == "backends.training":
            from torch.utils.data import DataLoader

            loader = DataLoader(range(10**9), num_workers=2)  # pyright: ignore[reportArgumentType]
            _kept.append(iter(loader))
        return None


if "genai_tui.worker" in sys.orig_argv:
    sys.meta_path.insert(0, _Feeder())
