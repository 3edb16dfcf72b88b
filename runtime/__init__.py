"""Spiking network and data in, results out.

    evaluation = evaluate(model, ann, images, labels)
    simulation = simulate(model, images, timesteps=8)

The submodules are the parts; these names are what other code is meant to use.
"""

from onnx2snn.runtime.backends import BACKENDS
from onnx2snn.runtime.data.dataset import Dataset, load_data
from onnx2snn.runtime.data.image_folder import ImageOptions
from onnx2snn.runtime.data.input_spec import InputSpec, input_specs
from onnx2snn.runtime.diagnose import Diagnosis, diagnose, write_diagnosis
from onnx2snn.runtime.evaluation.evaluate import evaluate
from onnx2snn.runtime.evaluation.results import CurvePoint, Evaluation
from onnx2snn.runtime.native.library import custom_ops_path
from onnx2snn.runtime.reports.report import write_report
from onnx2snn.runtime.runs.early_exit import EarlyExit
from onnx2snn.runtime.runs.simulate import LayerRecord, Simulation, simulate
from onnx2snn.runtime.runs.simulator import Simulator
from onnx2snn.runtime.runs.tune_early_exit import tune_early_exit

__all__ = [
    "BACKENDS",
    "CurvePoint",
    "Dataset",
    "Diagnosis",
    "EarlyExit",
    "Evaluation",
    "ImageOptions",
    "InputSpec",
    "LayerRecord",
    "Simulation",
    "Simulator",
    "custom_ops_path",
    "diagnose",
    "evaluate",
    "input_specs",
    "load_data",
    "simulate",
    "tune_early_exit",
    "write_diagnosis",
    "write_report",
]
