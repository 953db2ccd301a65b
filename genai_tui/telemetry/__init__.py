"""What the box, its GPUs and the worker are doing: sampled, kept in a file, read back."""
