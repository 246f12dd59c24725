"""XPath 1.0 with the ODK functions, compiled to Python (see the tables of calls and the rules of reading)."""
