"""Network architectures, and their export to ONNX."""
