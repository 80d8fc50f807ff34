"""A history judged, for people: what Akeso would have said of it, and what predict_linear would.

`regular` puts recorded samples on a grid, `judge` replays them, `model` is what comes out (the
command's JSON: its fields are stable), `suggest` ends it with a HealingPolicy. `page` draws, and is
imported only by who draws.
"""
