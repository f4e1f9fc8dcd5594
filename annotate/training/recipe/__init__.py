"""Scripts that train, calibrate and evaluate the installed model."""
