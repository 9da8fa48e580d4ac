"""Networks that users bring, written from their papers: small by their arguments, real in every structural idea.

`CORPUS` is the list: name -> factory, inputs and outputs. Weights are random and seeded, scaled so that nothing saturates.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from builder.bundle import TensorSpec
from tests.corpus import encoders, restore, style, superres
from tests.corpus.network import Network, picture, tensor


def _network(
    factory: Callable[[], nn.Module], inputs: tuple[TensorSpec, ...] | None = None, *outputs: TensorSpec
) -> Network:
    """By default a picture of 64 x 64 in, one of the same size out."""
    return Network(factory=factory, inputs=inputs or (picture("image"),), outputs=outputs or (picture("result"),))


_SMALL, _LARGE = (picture("image", 32),), picture("result", 64)
_SMALL_LUMA, _LARGE_LUMA = (picture("image", 32, 1),), picture("result", 64, 1)
_PAIR = (picture("content"), picture("style"))

CORPUS: dict[str, Network] = {
    "johnson": _network(style.Johnson),
    "cyclegan": _network(style.cyclegan),
    "adain": _network(style.AdaIn, _PAIR),
    "msgnet": _network(style.MsgNet, _PAIR),
    "animegan": _network(style.AnimeGan),
    "stylebank": _network(style.StyleBank, (picture("image"), tensor("style", 1, integers=True))),
    "many_styles": _network(style.ManyStyles, (picture("image"), tensor("mix", 1, 5))),
    "vgg_decoder": _network(style.VggAutoencoder),
    "unet": _network(encoders.UNet),
    "mobilenetv2_unet": _network(lambda: encoders.MobileUNet(2)),
    "mobilenetv3_unet": _network(lambda: encoders.MobileUNet(3)),
    "dexined": _network(
        encoders.DexiNed, None, *(tensor(name, 1, 1, 64, 64) for name in ("fine", "middle", "coarse", "fused"))
    ),
    "vit": _network(encoders.Vit, None, tensor("scores", 1, 10)),
    "mobileone": _network(encoders.MobileOne, None, tensor("scores", 1, 10)),
    "fsrcnn": _network(superres.fsrcnn, _SMALL_LUMA, _LARGE_LUMA),
    "espcn": _network(superres.espcn, _SMALL_LUMA, _LARGE_LUMA),
    "edsr": _network(superres.Edsr, _SMALL, _LARGE),
    "rcan": _network(superres.Rcan, _SMALL, _LARGE),
    "srresnet": _network(superres.SrResNet, _SMALL, _LARGE),
    "rfdn": _network(superres.Rfdn, _SMALL, _LARGE),
    "imdn": _network(superres.Imdn, _SMALL, _LARGE),
    "pan": _network(superres.Pan, _SMALL, _LARGE),
    "dncnn": _network(restore.DnCnn),
    "nafnet": _network(restore.NafNet),
    "restormer": _network(restore.Restormer, (picture("image", 32),), picture("result", 32)),
    "swinir": _network(restore.SwinIr, _SMALL, _LARGE),
    "zero_dce": _network(restore.ZeroDce),
    "video": _network(
        restore.Video, (picture("frame"), picture("previous")), picture("result"), tensor("mask", 1, 1, 64, 64)
    ),
}

STYLE = ("johnson", "cyclegan", "adain", "msgnet", "animegan", "stylebank", "many_styles", "vgg_decoder")
"""The style networks, for which the figures of delegation hold."""
