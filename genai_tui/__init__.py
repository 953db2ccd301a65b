"""The studio in the terminal: command line, screens, store of runs, worker."""
