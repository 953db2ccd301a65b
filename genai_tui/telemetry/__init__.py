"""What the box, its GPUs and the worker are doing: samples, a poller of its own, and readers of what it wrote."""
