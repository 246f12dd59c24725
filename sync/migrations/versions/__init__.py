"""One dated step a change, each with a way back."""
