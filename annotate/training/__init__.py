"""Train and evaluate models: from labeled video clips and stills to an ONNX model.

* `dataset`: datasets of labeled blocks, cut from videos or imported from stills.
* `evaluation` and `metrics`: measure a model on a dataset.
* `trainer`: the training loop; `block_training`: its use by `annotate train`; `still_motion`: augmentation.
* `models`: network architectures and ONNX export.
* `recipe`: the scripts that trained the installed model.
* `plots`: images drawn by the commands.

`dataset`, `evaluation` and `metrics` need only the base dependencies; the others need the extra ``training``: torch, onnx,
pillow, matplotlib.
"""
