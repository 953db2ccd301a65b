"""The studio in the terminal: command line, screens, the store of runs, and the worker that trains."""
