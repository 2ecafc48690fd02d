"""Small trained weights, each with its card."""
