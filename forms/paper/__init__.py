"""A form on paper: what an interviewer without a tablet fills in with a pen."""
