from __future__ import annotations

import threading
from collections.abc import Callable

from onnx2snn.server.slots import Slots


def in_thread(action: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=action, daemon=True)
    thread.start()
    return thread


def test_no_more_than_there_are_and_single_jobs_first() -> None:
    slots = Slots(1)
    order: list[str] = []
    waiting = [threading.Event() for _ in range(3)]

    def run(name: str, of_batch: bool, begun: threading.Event) -> None:
        begun.set()
        with slots.one(of_batch=of_batch) as held:
            assert held
            order.append(name)

    with slots.one(of_batch=True):
        threads = []
        for (name, of_batch), begun in zip(
            (("batch 1", True), ("batch 2", True), ("single", False)), waiting, strict=True
        ):
            threads.append(in_thread(lambda a=name, b=of_batch, c=begun: run(a, b, c)))
            begun.wait()
        while slots._single == 0:  # until the single job waits, too
            waiting[2].wait(0.01)
        assert order == []
    for thread in threads:
        thread.join(timeout=10)
    assert order[0] == "single"
    assert sorted(order[1:]) == ["batch 1", "batch 2"]


def test_closed_slots_send_all_away() -> None:
    slots = Slots(1)
    told: list[bool] = []

    def run() -> None:
        with slots.one(of_batch=True) as held:
            told.append(held)

    with slots.one(of_batch=False):
        thread = in_thread(run)
        slots.close()
        thread.join(timeout=10)
    run()
    assert told == [False, False]
