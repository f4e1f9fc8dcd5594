"""Scripts that train, calibrate and measure the shipped model."""
