"""A sheet of pictures before and after: one column a picture, the input above the output."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from training.command import read_picture


def write_gallery(network: nn.Module, pictures: list[Path], sheet: Path, *, value_range: tuple[float, float]) -> None:
    """Run `network` on every picture file and write the sheet; the pictures must have the network's input size."""
    from PIL import Image

    low, high = value_range
    network.eval()
    columns = []
    with torch.no_grad():
        for path in pictures:
            before = read_picture(path)
            after = (network(before * (high - low) + low) - low) / (high - low)
            columns.append(torch.cat([before, after.clamp(0.0, 1.0)], dim=2))
    pixels = (torch.cat(columns, dim=3)[0].permute(1, 2, 0) * 255.0).round().to(torch.uint8).numpy()
    Image.fromarray(pixels).save(sheet, quality=92)
