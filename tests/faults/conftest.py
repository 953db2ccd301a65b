"""What every row stands on; the hooks that print the scorecard are in ``report``."""

from faults.disks import disk
from faults.plugin import faults
from faults.report import scorecard

__all__ = ["disk", "faults", "scorecard"]
