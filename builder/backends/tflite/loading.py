"""Whether a float file loads and runs, found out before anything is calibrated on it or said of its quality."""

from __future__ import annotations

from builder.errors import ConversionError, find_reason


def require_running(content: bytes, route: str) -> None:
    """The file in LiteRT, once, on noise of 0..1. Raises ConversionError with the runtime's reason, which names its operator.

    Inputs that nobody sets hold what lay in memory before: a NaN there ends a right network at the first read by a computed index.
    """
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    generator = np.random.default_rng(0)

    try:
        interpreter = Interpreter(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
        for tensor in interpreter.get_input_details():
            noise = generator.random(tensor["shape"], dtype=np.float32)
            interpreter.set_tensor(tensor["index"], noise.astype(tensor["dtype"]))
        interpreter.invoke()
    except (RuntimeError, ValueError) as error:
        raise ConversionError(f"{route} made a file that does not run in LiteRT ({find_reason(error)}).") from error
