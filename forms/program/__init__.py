"""One form version as a program: where its answers lie, in which order its logic runs, what it checks."""
