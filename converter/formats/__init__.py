"""Source formats: whatever a file is written in becomes float32 standard operators.

Half and double precision, int8 (QDQ and QOperator), fused operators of ONNX Runtime,
ai.onnx.ml and recurrent operators are settled here, before the passes look at the graph.
"""
