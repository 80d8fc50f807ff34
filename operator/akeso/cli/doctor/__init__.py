"""`akeso doctor`: whether everything that Akeso needs is there, and what to do where it is not.

`checks` has the answer's shape; `cluster`, `rights`, `records` and `samples` judge what was found (pure),
the first two and `metrics` ask for it; `examination` puts them side by side.
"""
