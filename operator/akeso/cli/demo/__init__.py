"""`akeso demo`: real failures in a real cluster, half of them protected, and what became of them.

`stage` builds and clears the scene, `operator_process` runs Akeso, `watcher` looks, `story` tells what
happens, `director` makes it happen, `evidence` and `checks` prove what the summary claims.
"""
