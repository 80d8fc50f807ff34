"""Numbers as people read them (`akeso.domain.words`), under the name the engine knows."""

from akeso.domain.words import bytes_of, seconds_of

__all__ = ["bytes_of", "seconds_of"]
