"""What `lapangan` can do on the command line, one module per family of commands."""
