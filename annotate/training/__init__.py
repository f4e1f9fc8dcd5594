"""From labelled footage and faces to the ONNX file that annotates.

Making sets of blocks and judging models need nothing beyond the usual installation: `labels`, `library`, `dataset`,
`build`, `balance`, `still_sets`, `judge`, `metrics`. Training needs the extra ``training``: torch, onnx, pillow, matplotlib.
"""
