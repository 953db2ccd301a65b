"""Speed as a number: every figure beside its floor or peer, measured in the same run."""
