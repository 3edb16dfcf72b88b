"""Diagnose: run the network with one error switched off after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray

from onnx2snn.ir.errors import SimulationError
from onnx2snn.ir.model import SpikingModel
from onnx2snn.ir.session import Tensors
from onnx2snn.ir.types import Array
from onnx2snn.runtime.backends import find_backend
from onnx2snn.runtime.diagnose.corrected import SWITCHES, CorrectedNetwork, Part, correct
from onnx2snn.runtime.diagnose.kinds import KINDS
from onnx2snn.runtime.diagnose.references import (
    Bounds,
    ann_tensors,
    bounds_of,
    everywhere,
    layout_of,
    with_outputs,
)
from onnx2snn.runtime.diagnose.results import Diagnosis, ErrorRow, LayerDiagnosis
from onnx2snn.runtime.outcomes.scores import Score, compare
from onnx2snn.runtime.runs.ann_run import AnnRun
from onnx2snn.runtime.runs.chunks import Samples, check_samples, chunk, fixed_batch
from onnx2snn.runtime.runs.spiking_run import Progress, RunOptions, plan_chunks

SMALLEST_OWN = 1e-6
"""An error smaller than this share of the layer's values is rounding, not an error."""
COPIES = 3
"""Streams a correction holds beside each stream of the network."""


def diagnose(
    model: SpikingModel,
    ann: onnx.ModelProto,
    data: Samples,
    labels: NDArray[np.generic] | None = None,
    *,
    timesteps: int | None = None,
    each_layer: bool = True,
    memory: str | int = "2GiB",
    threads: int = 0,
    progress: Progress | None = None,
) -> Diagnosis:
    """Measure which error of a spiking network comes from where.

    Args:
        model: the spiking network.
        ann: the network it was made from.
        data: one array [N, *F] per input by name; an array for a lone input. The network runs once
            for every kind of error and every layer: some dozens of samples are enough.
        labels: class numbers [N], if known.
        timesteps: T; the model's default if not given.
        each_layer: also switch off all errors of one layer after the other.
        memory: budget for one call.
        threads: 0 lets the backend decide.
        progress: called with the runs done and their number.

    Raises:
        SimulationError: the network has the scan layout, or the run cannot be done as asked.
        DataError: the samples do not fit the model.
    """
    if model.manifest.layout == "scan":
        raise SimulationError(
            "a network in the scan layout cannot be diagnosed: its batch axis does not fold",
            remedy="diagnose a network whose batch axis is free, or use 'onnx2snn evaluate'",
        )
    samples = check_samples(model, data)
    T = model.manifest.timesteps if timesteps is None else timesteps
    bench = _Bench(model, ann, samples, labels, T, memory, threads)
    settings = bench.settings(each_layer=each_layer)
    told = _Progress(progress, len(settings) + 2)
    bench.find_bounds()
    told.step()
    base, layers = bench.measure_layers()
    told.step()
    scores = {}
    for name, switches in settings.items():
        if name in ("all", "base") or bench.matters(switches, layers):
            scores[name] = bench.score(switches)
        told.step()
    return _diagnosis(model, bench, base, layers, scores)


@dataclass
class _Progress:
    """Counts runs."""

    told: Progress | None
    total: int
    done: int = 0

    def step(self) -> None:
        self.done += 1
        if self.told is not None:
            self.told(self.done, self.total)


@dataclass
class _LayerSums:
    """Sums over samples of one layer's decoded values x, reference values r, and errors."""

    parts: NDArray[np.float64]
    error: float = 0.0
    norm: float = 0.0
    moments: NDArray[np.float64] = field(default_factory=lambda: np.zeros(6))

    def add(self, values: Array, reference: Array, parts: NDArray[np.float64]) -> None:
        x, r = (a.reshape(-1).astype(np.float64) for a in (values, reference))
        self.error += float(np.square(x - r).sum())
        self.norm += float(np.square(r).sum())
        self.moments += [x.size, x.sum(), r.sum(), x @ x, r @ r, x @ r]
        self.parts += parts

    @property
    def correlation(self) -> float | None:
        n, x, r, xx, rr, xr = self.moments
        spread = (xx - x * x / n) * (rr - r * r / n)
        scale = max(xx * rr, 1e-300)
        return float((xr - x * r / n) / np.sqrt(spread)) if spread > 1e-12 * scale else None

    def share(self, square: float) -> float:
        """Return the root of a sum of squares, relative to the reference."""
        return float(np.sqrt(square / self.norm) if self.norm > 0 else np.sqrt(square))


class _Bench:
    """The ANN and the network with switches, loaded once."""

    def __init__(
        self,
        model: SpikingModel,
        ann: onnx.ModelProto,
        samples: Tensors,
        labels: NDArray[np.generic] | None,
        timesteps: int,
        memory: str | int,
        threads: int,
    ) -> None:
        self._fixed = fixed_batch(model.light.graph)
        self.timesteps, self.labels, self._model = timesteps, labels, model
        self._samples = _whole_batches(samples, self._fixed)
        self.network: CorrectedNetwork = correct(model, timesteps)
        self.gain = model.stimulus_steps(timesteps)
        self._session = find_backend("onnxruntime").load(self.network.proto, threads=threads)
        self.tensors = ann_tensors(model, ann)
        self._axes: dict[str, tuple[int, ...]] = {}
        named = list(dict.fromkeys(self.tensors.values()))
        self._ann = AnnRun(with_outputs(ann, named), threads=threads)
        self._ann_outputs = [*model.outputs, *(n for n in named if n not in model.outputs)]
        plan = plan_chunks(model, samples, timesteps, RunOptions(memory=memory, threads=threads))
        self._size = self._fixed or max(1, plan.samples // COPIES)
        self._bounds: dict[int, Bounds] = {
            part.row: everywhere(part, free=part.name not in self.tensors) for part in self.layers
        }

    @property
    def layers(self) -> tuple[Part, ...]:
        """Return the layers of neurons among the parts."""
        return tuple(part for part in self.network.parts if part.quantum is not None)

    def settings(self, *, each_layer: bool) -> dict[str, Array]:
        """Return the switches of every run, by name: all on, one kind, one layer."""
        shape = (len(self.network.parts), len(KINDS))
        everything = np.ones(shape, np.float32)
        settings = {"all": everything}
        for column, kind in enumerate(KINDS):
            one = np.zeros(shape, np.float32)
            one[:, column] = 1
            settings[f"kind/{kind.name}"] = one
        for part in self.network.parts if each_layer else ():
            one = np.zeros(shape, np.float32)
            one[part.row] = 1
            settings[f"layer/{part.row}"] = one
        return settings

    def matters(self, switches: Array, layers: Mapping[int, _LayerSums]) -> bool:
        """Whether any error that is switched off occurs at all."""
        return any(
            switches[part.row, kind] > 0 and layers[part.row].parts[place] > 0
            for part in self.network.parts
            for place, kind in enumerate(part.kinds)
        )

    def find_bounds(self) -> None:
        """Learn where the ANN goes beyond the bounds, and whose steps are the ANN's own.

        Layers that have no tensor in the ANN are compared with their continuous values.
        """
        if not self.layers:
            return
        self._find_layouts()
        seen: dict[int, Bounds] = {}
        switches = self.settings(each_layer=False)["all"]
        for _, expected in self._chunks():
            for part in self.layers:
                values = self._ann_values(part, expected)
                if values is not None:
                    _join(seen, part, bounds_of(part, values, self.gain))
        self._bounds |= seen
        unknown = [part for part in self.layers if part.row not in seen]
        for part in unknown:
            self._bounds[part.row] = everywhere(part, free=True)
        found: dict[int, Bounds] = {}
        for feeds, _ in self._chunks() if unknown else ():
            results = self._run(feeds, switches, [part.final for part in unknown])
            for part in unknown:
                values = _value(results, part, self.gain)
                _join(found, part, bounds_of(part, values, self.gain))
        self._bounds |= found

    def _find_layouts(self) -> None:
        """Drop the ANN's tensors that are not what a layer computes; learn the others' axes."""
        feeds, expected = next(self._chunks())
        switches = self.settings(each_layer=False)["all"]
        results = self._run(feeds, switches, [part.final for part in self.layers])
        for part in self.layers:
            name = self.tensors.get(part.name)
            if name is None:
                continue
            axes = layout_of(_value(results, part, self.gain), np.asarray(expected[name]))
            if axes is None:
                del self.tensors[part.name]
            else:
                self._axes[part.name] = axes

    def measure_layers(self) -> tuple[tuple[Score, Score], dict[int, _LayerSums]]:
        """Run the spiking network as it is.

        Returns:
            The scores of the spiking network and of the ANN, and the sums of every part by row.
        """
        every = self.network.parts
        sums = {part.row: _LayerSums(np.zeros(len(part.kinds))) for part in every}
        wanted = [name for part in every for name in (part.final, part.parts)]
        switches = self.settings(each_layer=False)["all"]
        score: tuple[Score, Score] | None = None
        for place, (feeds, expected) in self._numbered():
            results = self._run(feeds, np.zeros_like(switches), [*self._model.outputs, *wanted])
            ideal = self._run(feeds, switches, [part.final for part in every])
            for part in every:
                reference = self._ann_values(part, expected)
                if reference is None:
                    reference = _value(ideal, part, self.gain)
                values = _value(results, part, self.gain)
                squares = np.asarray(results[part.parts], np.float64) / self.gain**2
                sums[part.row].add(values, reference, squares)
            labels = None if self.labels is None else self.labels[place]
            seen = self._score(results, expected, labels)
            score = seen if score is None else (score[0] + seen[0], score[1] + seen[1])
        if score is None:
            raise SimulationError("there are no samples", remedy="hand in at least one sample")
        return score, sums

    def score(self, switches: Array) -> Score:
        """Return how the outputs compare with the ANN's under some switches."""
        total: Score | None = None
        for feeds, expected in self._chunks():
            results = self._run(feeds, switches, list(self._model.outputs))
            seen = self._score(results, expected, None)[0]
            total = seen if total is None else total + seen
        if total is None:
            raise SimulationError("there are no samples", remedy="hand in at least one sample")
        return total

    def reference(self, part: Part) -> str:
        """Return what a part was compared with."""
        return "ann" if part.name in self.tensors else "continuous"

    def _ann_values(self, part: Part, expected: Tensors) -> Array | None:
        name = self.tensors.get(part.name)
        if name is None:
            return None
        return np.asarray(expected[name], np.float32).transpose(self._axes[part.name])

    def _score(
        self, results: Tensors, expected: Tensors, labels: NDArray[np.generic] | None
    ) -> tuple[Score, Score]:
        outputs = {name: np.asarray(results[name]) for name in self._model.outputs}
        wanted = {name: expected[name] for name in self._model.outputs}
        return compare(outputs, wanted, labels), compare(wanted, wanted, labels)

    def _run(self, feeds: Tensors, switches: Array, outputs: Sequence[str]) -> Tensors:
        inputs: Tensors = {
            **feeds,
            self._model.timesteps_input: np.asarray(self.timesteps, np.int64),
            SWITCHES: switches,
        }
        for part in self.layers:
            bounds = self._bounds[part.row]
            inputs[part.free] = bounds.free
            inputs[part.steps_own] = np.asarray(bounds.on_grid, np.float32)
        return self._session.run(inputs, outputs)

    def _chunks(self) -> Iterator[tuple[Tensors, Tensors]]:
        for _, item in self._numbered():
            yield item

    def _numbered(self) -> Iterator[tuple[slice, tuple[Tensors, Tensors]]]:
        """Yield place, samples, and the ANN's outputs and activations."""
        for place, feeds in chunk(self._samples, self._size):
            yield place, (feeds, self._ann.run(feeds, self._ann_outputs))


def _whole_batches(samples: Tensors, batch: int | None) -> Tensors:
    """Return the samples; of a network with a fixed batch, as many as fill whole batches."""
    total = len(next(iter(samples.values())))
    if batch is None:
        return samples
    if total < batch:
        raise SimulationError(
            f"the network takes {batch} samples at a time, {total} were given",
            remedy=f"hand in at least {batch} samples",
        )
    return {name: values[: total // batch * batch] for name, values in samples.items()}


def _value(results: Tensors, part: Part, gain: int) -> Array:
    """Return the value that a layer's summed stream stands for, [N, *F]."""
    return np.asarray(results[part.final], np.float32) / np.float32(gain)


def _join(seen: dict[int, Bounds], part: Part, bounds: Bounds) -> None:
    seen[part.row] = seen[part.row] | bounds if part.row in seen else bounds


def _diagnosis(
    model: SpikingModel,
    bench: _Bench,
    base: tuple[Score, Score],
    sums: Mapping[int, _LayerSums],
    scores: Mapping[str, Score],
) -> Diagnosis:
    snn, ann = base
    errors = sorted(
        (
            ErrorRow(
                kind=kind.name,
                words=kind.words,
                relative_error=scores[f"kind/{kind.name}"].relative_error,
                agreement=scores[f"kind/{kind.name}"].agreement,
                removed=snn.relative_error - scores[f"kind/{kind.name}"].relative_error,
                advice=kind.advice,
            )
            for kind in KINDS
            if f"kind/{kind.name}" in scores
        ),
        key=lambda row: -row.removed,
    )
    layers = tuple(
        _layer(bench, part, sums[part.row], snn, scores.get(f"layer/{part.row}"))
        for part in bench.network.parts
    )
    worst = errors[0] if errors and errors[0].removed > 0 else None
    blamed = max(layers, key=lambda layer: layer.removed or 0.0, default=None)
    if blamed is not None and not (blamed.removed or 0.0) > 0:
        blamed = None
    return Diagnosis(
        model=model.manifest.source.name,
        preset=model.manifest.preset,
        alphabet=model.manifest.alphabet,
        timesteps=bench.timesteps,
        stimulus_steps=bench.gain,
        samples=snn.samples,
        accuracy=snn.accuracy,
        ann_accuracy=ann.accuracy,
        agreement=snn.agreement,
        relative_error=snn.relative_error,
        rest_error=scores["all"].relative_error,
        rest_agreement=scores["all"].agreement,
        errors=tuple(errors),
        layers=layers,
        worst_kind=None if worst is None else worst.kind,
        worst_layer=None if blamed is None else blamed.name,
        advice="nothing: no single error costs anything" if worst is None else worst.advice,
    )


def _layer(
    bench: _Bench, part: Part, sums: _LayerSums, base: Score, score: Score | None
) -> LayerDiagnosis:
    own = {
        KINDS[kind].name: share
        for kind, square in zip(part.kinds, sums.parts, strict=True)
        if (share := sums.share(float(square))) > SMALLEST_OWN
    }
    return LayerDiagnosis(
        name=part.name,
        op=part.op.name,
        reference=bench.reference(part),
        relative_error=sums.share(sums.error),
        correlation=sums.correlation,
        own=own,
        worst=max(own, key=lambda name: own[name], default=None),
        output_error=None if score is None else score.relative_error,
        output_agreement=None if score is None else score.agreement,
        removed=None if score is None else base.relative_error - score.relative_error,
    )
