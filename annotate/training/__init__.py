"""From labelled faces to the ONNX file that annotates (needs the extra ``training``: torch, onnx, pillow)."""
