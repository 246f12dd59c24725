"""What a form is: plain Python, no database, no wire."""
