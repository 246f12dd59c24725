"""Our form engine beside engines that we did not write: the same forms, the same answers."""
