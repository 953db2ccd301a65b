"""Every fault of docs/faults.md, injected for real, and what must hold."""
