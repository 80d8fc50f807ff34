"""One adapter per outside system: the ports of `akeso.protocols` made of real services.

Foreign errors (HTTP status, sockets, broken JSON) become `akeso.errors` here and nowhere else.
"""
