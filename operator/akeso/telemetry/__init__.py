"""What Akeso says of itself: structured logs, decision lines, metrics."""
