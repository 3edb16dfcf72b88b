"""Everything a table of speeds compares, as functions that make one run each."""

from __future__ import annotations

import multiprocessing
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
from peers import installed, peer_run, settings

from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.session import Session
from onnx2snn.runtime.backends.event import EventBackend
from onnx2snn.runtime.native.library import custom_ops_path

Run = Callable[[], np.ndarray]
"""Makes one run and returns the network's first output."""


class Task(NamedTuple):
    """One cell of the table.

    Attributes:
        ann: path of the ANN.
        snn: path of its spiking form.
        x: samples [N, *F].
        steps: T.
        threads: threads of every contender.
    """

    ann: Path
    snn: Path
    x: np.ndarray
    steps: int
    threads: int


OURS = ("A", "fold", "bodies", "compiled", "event", "event int8")
"""Contenders that need no other framework, limit A first."""


def names(peers: bool, x: np.ndarray) -> list[str]:
    """Return all contenders.

    Args:
        peers: other frameworks too, as far as they are installed.
        x: samples [N, *F].
    """
    others = [peer + setting for peer in installed() for setting in settings(x)]
    return [*OURS, *(others if peers else ())]


def load(name: str, task: Task) -> Run:
    """Load a contender.

    * ``A``: T runs of the plain ANN, the limit that a dense simulation cannot beat;
    * ``fold``: one run of the plain ANN on a batch T times as large;
    * ``bodies``: the spiking file in stock onnxruntime;
    * ``compiled``: the same with compiled neurons;
    * ``event``, ``event int8``: the event engine;
    * names of ``peers.FRAMEWORKS`` with one of ``peers.settings``.
    """
    model, x = SpikingModel.load(task.snn), task.x
    image, steps, threads = model.inputs[0], task.steps, task.threads
    if name in ("A", "fold"):
        plain = Session(onnx.load(task.ann), threads=threads)
        first = plain.outputs[:1]
        if name == "A":
            runs = range(steps)
            return lambda: np.asarray([plain.run({image: x}, first)[first[0]] for _ in runs][-1])
        many = np.concatenate([x] * steps)
        return lambda: np.asarray(plain.run({image: many}, first)[first[0]])
    if name in ("bodies", "compiled", "event", "event int8"):
        if name.startswith("event"):
            kind = EventBackend(weights="int8" if name.endswith("int8") else "float32")
            session = kind.load(model.plain, threads=threads)
        else:
            library = custom_ops_path() if name == "compiled" else None
            session = Session(model.plain, threads=threads, library=library)
        feeds = {image: x, model.timesteps_input: np.array(steps, np.int64)}
        output = model.outputs[0]
        return lambda: np.asarray(session.run(feeds, [output])[output])
    return peer_run(name, onnx.load(task.ann), model, x, steps, threads)


def peak_memory(name: str, task: Task) -> float:
    """Return by how much one run in a process of its own raises the peak memory, in MiB."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_raise_of_peak, (name, task))


def _raise_of_peak(name: str, task: Task) -> float:
    before = peak_mib()
    load(name, task)()
    return peak_mib() - before


def peak_mib() -> float:
    """Return the peak resident memory of this process, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss of a new process starts at the peak of its parent
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 2**10
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
