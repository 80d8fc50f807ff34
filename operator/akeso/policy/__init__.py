"""Reasons not to act: pure functions of a `Case`, in an ordered chain. Fail closed."""
