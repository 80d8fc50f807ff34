"""A report of one Healing: what was measured, expected, decided, done and found, to look at.

`model` is what a report says (values), `tell` puts a Healing into words and `measure` asks for the
series that belong to it; none of them draws. `figure` (matplotlib) and `page` (Jinja2) draw, and are
imported only by who draws: they take a second and 100 MB to load.
"""
