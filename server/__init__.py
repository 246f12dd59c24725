"""How people and machines reach it: the only package that knows Flask."""
