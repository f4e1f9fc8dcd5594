"""Emotions: their names, colors and the ONNX model that classifies them."""
