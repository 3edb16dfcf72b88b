"""Which error of a spiking network comes from where, measured by switching errors off.

``kinds`` names the errors, ``corrected`` builds the network in which each can be switched off,
``references`` finds what each layer should have been, ``measure`` runs, ``advice`` says what to
try, ``report`` writes the page.
"""

from onnx2snn.runtime.diagnose.measure import diagnose
from onnx2snn.runtime.diagnose.report import write_diagnosis
from onnx2snn.runtime.diagnose.results import Diagnosis, ErrorRow, LayerDiagnosis

__all__ = ["Diagnosis", "ErrorRow", "LayerDiagnosis", "diagnose", "write_diagnosis"]
