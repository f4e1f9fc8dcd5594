"""Train and evaluate models: from labeled footage and faces to the ONNX file that annotates.

* `dataset`: sets of labeled blocks, cut from footage or made from stills.
* `evaluation` and `metrics`: how well a model predicts a set.
* `trainer`: the training loop; `block_training`: what `annotate train` does with it; `still_motion`: the augmentation.
* `models`: network architectures, and their export to ONNX.
* `recipe`: the scripts that trained the shipped model.
* `plots`: the images that the commands draw.

`dataset`, `evaluation` and `metrics` need nothing beyond the usual installation; the others need the extra ``training``:
torch, onnx, pillow, matplotlib.
"""
