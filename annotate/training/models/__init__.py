"""Network architectures and ONNX export."""
