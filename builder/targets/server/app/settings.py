"""What may be set from outside, by environment variables, with limits that hold without any."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, fields, replace
from pathlib import Path

PREFIX = "SERVER_"
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Each is `SERVER_` with its name in capitals: `SERVER_QUEUE=32`.

    `workers` pictures are processed at once, each on `threads` threads; `queue` more may wait. `body_bytes` and `pixels` are the largest
    picture, `held_bytes` how large all those together may be that arrive or wait, `body_s` and `request_s` the longest that sending it (its
    head before it, too) and all of a request may take. After SIGTERM new requests are refused for `drain_s` while those that are here are finished. Pages of
    `origins` (`https://example.org,https://other.example`) may ask from a browser; without any no page of another host can.
    """

    bundle: Path = Path("bundle")
    host: str = "0.0.0.0"
    port: int = 8080
    workers: int = os.cpu_count() or 1
    threads: int = 1
    queue: int = 32
    body_bytes: int = 16 << 20
    held_bytes: int = 256 << 20
    pixels: int = 32 << 20
    body_s: float = 10.0
    request_s: float = 30.0
    drain_s: float = 5.0
    origins: str = ""

    @property
    def pages(self) -> list[str]:
        """The origins, one by one."""
        return [name.strip() for name in self.origins.split(",") if name.strip()]


def read_settings() -> Settings:
    """Raises ValueError with the name of a variable that is no number, or too small."""
    given: dict[str, object] = {}
    defaults = Settings()
    for field in fields(Settings):
        name = PREFIX + field.name.upper()
        if (text := os.environ.get(name)) is not None:
            kind = Path if field.name == "bundle" else type(getattr(defaults, field.name))
            try:
                given[field.name] = kind(text)
            except ValueError as error:
                raise ValueError(f"${name} is {text!r}, which is no {kind.__name__}") from error
    settings = replace(defaults, **given)  # type: ignore[arg-type]
    for name in ("workers", "threads", "body_bytes", "held_bytes", "pixels", "body_s", "request_s"):
        if not getattr(settings, name) > 0:
            raise ValueError(f"${PREFIX}{name.upper()} must be more than 0")
    if not (settings.queue >= 0 and settings.drain_s >= 0):
        raise ValueError(f"${PREFIX}QUEUE and ${PREFIX}DRAIN_S must not be less than 0")
    if wrong := [name for name in settings.pages if not _ORIGIN.fullmatch(name)]:
        raise ValueError(f"${PREFIX}ORIGINS has {wrong[0]!r}, which is no origin such as https://example.org")
    return settings
