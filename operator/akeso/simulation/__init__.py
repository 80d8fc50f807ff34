"""Recorded incidents: what the engine met at its ports, written to a file and played back."""
