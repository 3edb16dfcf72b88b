"""Places of one process in which jobs run; jobs of their own go before those of batches."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Slots:
    """So many jobs at once.

    Args:
        count: how many.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._single = 0
        self._changed = threading.Condition()
        self._closed = False

    @contextmanager
    def one(self, *, of_batch: bool) -> Iterator[bool]:
        """Hold a slot during the block; gives False, and no slot, once ``close`` was called.

        Args:
            of_batch: wait until nobody else does.
        """
        with self._changed:
            self._single += not of_batch
            self._changed.wait_for(
                lambda: self._closed or (self._free > 0 and not (of_batch and self._single))
            )
            self._single -= not of_batch
            closed = self._closed
            self._free -= not closed
            self._changed.notify_all()
        if closed:
            yield False
            return
        try:
            yield True
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify_all()

    def close(self) -> None:
        """Give out no more slots."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
