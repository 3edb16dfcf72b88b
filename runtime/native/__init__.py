"""The compiled core: operators of the domain ``onnx2snn`` as a library for ONNX Runtime."""
