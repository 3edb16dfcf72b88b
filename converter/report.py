"""The conversion report: what the tool did, how long it took, and what it has to say."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from onnx2snn.ir.findings import Finding
from onnx2snn.ir.manifest import Manifest


class SearchPoint(BaseModel):
    """Loss on the calibration data after T timesteps, from the search for the smallest T."""

    model_config = ConfigDict(frozen=True)

    timesteps: int
    loss: float


class LayerError(BaseModel):
    """Relative L2 errors of one layer against the ANN's activation, on calibration data, at rest.

    Attributes:
        layer: its name.
        own: of the layer alone, given the ANN's input.
        accumulated: behind the layers before it.
    """

    model_config = ConfigDict(frozen=True)

    layer: str
    own: float
    accumulated: float


class ConversionReport(BaseModel):
    """The account of one conversion.

    Attributes:
        manifest: what the spiking model says about itself.
        neurons: neurons per sample, encoders included.
        neuron_layers: layers of neurons.
        seconds: wall-clock seconds by stage.
        search: the curve on calibration data, if a loss was asked for.
        layer_errors: error of every layer, if asked for.
    """

    model_config = ConfigDict(frozen=True)

    manifest: Manifest
    neurons: int
    neuron_layers: int
    seconds: dict[str, float]
    search: tuple[SearchPoint, ...] = ()
    layer_errors: tuple[LayerError, ...] = ()

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Return the findings that touch accuracy or honesty."""
        return tuple(f for f in self.manifest.findings if f.severity == "warning")
