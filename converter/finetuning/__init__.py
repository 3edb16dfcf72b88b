"""Fine-tuning with PyTorch (extra ``train``): activations become those of spiking neurons.

    from onnx2snn.converter.finetuning import FinetuneSettings, finetune

    tuned, report = finetune("net.onnx", samples, labels, settings=FinetuneSettings(levels=8))

Importing this package imports torch; nothing else of onnx2snn does.
"""

from onnx2snn.converter.finetuning.finetune import finetune
from onnx2snn.converter.finetuning.settings import Epoch, FinetuneReport, FinetuneSettings

__all__ = ["Epoch", "FinetuneReport", "FinetuneSettings", "finetune"]
