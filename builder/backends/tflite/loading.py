"""Whether a float file loads and runs, found out before anything is calibrated on it or said of its quality."""

from __future__ import annotations

from builder.errors import ConversionError, find_reason


def require_running(content: bytes, route: str) -> None:
    """The file in LiteRT, once, on zeros. Raises ConversionError with the runtime's reason, which names its operator."""
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
        interpreter.invoke()
    except (RuntimeError, ValueError) as error:
        raise ConversionError(f"{route} made a file that does not run in LiteRT ({find_reason(error)}).") from error
