"""What a network with stored weights need not keep in memory between two runs.

The kernel counts a mapped page as resident memory of every mapping that has read it, until that
mapping ends. Networks that run by turns need only the pages of one of them at a time; the others
come back from the page cache when they are read, without a disk. And glibc keeps freed tensors of
up to 32 MiB for later ones, which seldom have their sizes.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from onnx2snn.ir.stored_weights import PREFIX

_Made = TypeVar("_Made")
_MAPS = "/proc/self/maps"
_AVAILABLE = sys.platform == "linux"
_making = threading.Lock()
_latest: list[Callable[[], MappedPages | None]] = [lambda: None]
"""Whose turn it was last: resident memory is one for the whole process."""


class MappedPages:
    """What one session has mapped of weight files.

    onnxruntime does not tell; but it alone maps these files privately, so what comes in while a
    session is made, one at a time, is the session's for as long as it lives.

    Args:
        reread: whether each run reads the weights. Then the pages stay until another session with
            pages has its turn, else until the run is over.
    """

    def __init__(self, reread: bool = True) -> None:
        self._reread = reread
        self._ranges: frozenset[tuple[int, int]] = frozenset()

    def made_by(self, make: Callable[[], _Made]) -> _Made:
        """Return what ``make`` returns, and take note of what it mapped."""
        with _making:
            before = frozenset(_private())
            made = make()
            self._ranges = frozenset(_private()) - before
        return made

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Hold while the session runs."""
        if not self._ranges:
            yield
            return
        with _making:
            before = _latest[0]()
            _latest[0] = weakref.ref(self)
        if before is not None and before is not self:
            before.let_go()
        try:
            yield
        finally:
            if not self._reread:
                self.let_go()

    def let_go(self) -> None:
        """Let the pages leave memory, and what is free; whoever reads the pages gets them back."""
        system = ctypes.CDLL(None)
        for start, size in self._ranges:
            system.madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), mmap.MADV_DONTNEED)
        if hasattr(system, "malloc_trim"):  # glibc has it, musl has not
            system.malloc_trim(ctypes.c_size_t(0))


def _private() -> Iterator[tuple[int, int]]:
    """Yield start and size of every private mapping of a weight file."""
    if not _AVAILABLE:
        return
    try:
        with open(_MAPS) as maps:
            lines = [line.split(maxsplit=5) for line in maps if PREFIX in line]
    except OSError:
        return
    for place, access, *_ in lines:
        if access.endswith("p"):
            start, end = (int(number, 16) for number in place.split("-"))
            yield start, end - start
