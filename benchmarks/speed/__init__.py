"""Ours and the peers' side by side: CPU time in turns, one thread, each row in its own process."""
