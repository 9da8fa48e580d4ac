"""Runs in the onnx2tf environment, which knows nothing of ours: FOLDER/model.onnx becomes FOLDER/out/model_float32.tflite.

    python onnx2tf_inside.py FOLDER INPUT...

The inputs named keep their order of axes; four-axis ones become channels last. The ONNX file is overwritten: it is a copy.
"""

from __future__ import annotations

import os
import sys

# What onnx2tf would download at each run: pictures that it compares its steps on. Grey ones do.
PICTURES = "calibration_image_sample_data_20x128x128x3_float32.npy"


def main(folder: str, kept: list[str]) -> None:
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1", TF_ENABLE_ONEDNN_OPTS="0")
    os.chdir(folder)
    import numpy as np
    import onnx2tf

    np.save(PICTURES, np.full((20, 128, 128, 3), 0.5, np.float32))
    onnx2tf.convert(
        input_onnx_file_path="model.onnx",
        output_folder_path="out",
        keep_shape_absolutely_input_names=kept or None,
        not_use_onnxsim=True,
        non_verbose=True,
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
