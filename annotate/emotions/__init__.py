"""The emotions, their words, and the ONNX model that tells them apart."""
