"""kopf, and only for Akeso's own kinds: it tells the records what changed, and decides nothing.

`on.event` alone: every other kind of handler leaves finalizers or annotations on the objects.
"""
