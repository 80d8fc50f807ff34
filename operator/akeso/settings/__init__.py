"""The one tree of settings: `tree` has the fields, `names` how each is called where, `sources` the
settings file, `reading` what is said where something is wrong, `changes` what may change later.
"""

from akeso.settings.tree import Seconds, Settings

__all__ = ["Seconds", "Settings"]
