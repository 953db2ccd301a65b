"""What is wrong with a run, found by who looks at it: no code of the user's is needed."""
