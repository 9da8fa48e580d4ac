"""Style transfer: feed-forward generators of one style, of many, and of any."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, relu


class PaddedConv(nn.Sequential):
    """Reflection padding and a convolution."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(nn.ReflectionPad2d(kernel // 2), nn.Conv2d(inputs, outputs, kernel, stride, groups=groups))


class JohnsonResidual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = PaddedConv(width, width, 3), nn.InstanceNorm2d(width, affine=True)
        self.conv2, self.norm2 = PaddedConv(width, width, 3), nn.InstanceNorm2d(width, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.norm2(self.conv2(relu(self.norm1(self.conv1(x)))))


class Johnson(nn.Module):
    """Johnson, Alahi & Fei-Fei 2016, with Ulyanov's instance norm and nearest upsampling before each convolution."""

    def __init__(self, width: int = 8, blocks: int = 2) -> None:
        super().__init__()
        self.encoder = nn.ModuleList(
            [PaddedConv(3, width, 9), PaddedConv(width, 2 * width, 3, 2), PaddedConv(2 * width, 4 * width, 3, 2)]
        )
        self.encoder_norms = nn.ModuleList(nn.InstanceNorm2d(width << i, affine=True) for i in range(3))
        self.blocks = nn.Sequential(*(JohnsonResidual(4 * width) for _ in range(blocks)))
        self.decoder = nn.ModuleList([PaddedConv(4 * width, 2 * width, 3), PaddedConv(2 * width, width, 3)])
        self.decoder_norms = nn.ModuleList(nn.InstanceNorm2d(width << i, affine=True) for i in (1, 0))
        self.last = PaddedConv(width, 3, 9)

    def forward(self, image: Tensor) -> Tensor:
        x = image
        for conv, norm in zip(self.encoder, self.encoder_norms, strict=True):
            x = relu(norm(conv(x)))
        x = self.blocks(x)
        for conv, norm in zip(self.decoder, self.decoder_norms, strict=True):
            x = relu(norm(conv(interpolate(x, scale_factor=2.0, mode="nearest"))))
        return self.last(x)


class CycleBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3), nn.InstanceNorm2d(width), nn.ReLU(),
            nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3), nn.InstanceNorm2d(width),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def cyclegan(width: int = 8, blocks: int = 2) -> nn.Module:
    """The ResNet generator of CycleGAN (Zhu et al. 2017): instance norms without weights, transposed convolutions up."""
    return nn.Sequential(
        nn.ReflectionPad2d(3), nn.Conv2d(3, width, 7), nn.InstanceNorm2d(width), nn.ReLU(),
        nn.Conv2d(width, 2 * width, 3, 2, 1), nn.InstanceNorm2d(2 * width), nn.ReLU(),
        nn.Conv2d(2 * width, 4 * width, 3, 2, 1), nn.InstanceNorm2d(4 * width), nn.ReLU(),
        *(CycleBlock(4 * width) for _ in range(blocks)),
        nn.ConvTranspose2d(4 * width, 2 * width, 3, 2, 1, 1), nn.InstanceNorm2d(2 * width), nn.ReLU(),
        nn.ConvTranspose2d(2 * width, width, 3, 2, 1, 1), nn.InstanceNorm2d(width), nn.ReLU(),
        nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh(),
    )  # fmt: skip


def vgg_encoder(width: int) -> nn.Sequential:
    """VGG-19 up to relu3_1 (Simonyan & Zisserman 2015) with reflection padding, as style transfer trains it."""
    return nn.Sequential(
        nn.Conv2d(3, 3, 1), PaddedConv(3, width, 3), nn.ReLU(), PaddedConv(width, width, 3), nn.ReLU(),
        nn.MaxPool2d(2, 2, ceil_mode=True), PaddedConv(width, 2 * width, 3), nn.ReLU(), PaddedConv(2 * width, 2 * width, 3), nn.ReLU(),
        nn.MaxPool2d(2, 2, ceil_mode=True), PaddedConv(2 * width, 4 * width, 3), nn.ReLU(),
    )  # fmt: skip


def vgg_decoder(width: int) -> nn.Sequential:
    """The encoder mirrored: nearest upsampling where it pools."""
    return nn.Sequential(
        PaddedConv(4 * width, 2 * width, 3), nn.ReLU(), nn.Upsample(scale_factor=2, mode="nearest"),
        PaddedConv(2 * width, 2 * width, 3), nn.ReLU(), PaddedConv(2 * width, width, 3), nn.ReLU(),
        nn.Upsample(scale_factor=2, mode="nearest"), PaddedConv(width, width, 3), nn.ReLU(), PaddedConv(width, 3, 3),
    )  # fmt: skip


class VggAutoencoder(nn.Module):
    """A decoder of VGG-19 features (Li et al. 2017, universal style transfer): reconstruction without a transform."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.encoder, self.decoder = vgg_encoder(width), vgg_decoder(width)

    def forward(self, image: Tensor) -> Tensor:
        return self.decoder(self.encoder(image))


class AdaIn(nn.Module):
    """Huang & Belongie 2017: the content's features get the mean and deviation of the style's."""

    def __init__(self, width: int = 8, alpha: float = 0.8) -> None:
        super().__init__()
        self.encoder, self.decoder, self.alpha = vgg_encoder(width), vgg_decoder(width), alpha

    @staticmethod
    def statistics(x: Tensor, eps: float = 1e-5) -> tuple[Tensor, Tensor]:
        n, c = x.shape[:2]
        flat = x.view(n, c, -1)
        deviation = (flat.var(dim=2) + eps).sqrt().view(n, c, 1, 1)
        return flat.mean(dim=2).view(n, c, 1, 1), deviation

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        features, wanted = self.encoder(content), self.encoder(style)
        mean, deviation = self.statistics(features)
        style_mean, style_deviation = self.statistics(wanted)
        moved = (features - mean) / deviation * style_deviation + style_mean
        return self.decoder(self.alpha * moved + (1 - self.alpha) * features)


class Inspiration(nn.Module):
    """The CoMatch layer of MSG-Net: features are matched to a Gram matrix by a learnt matrix."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, width, width) * width**-0.5)

    def forward(self, x: Tensor, gram: Tensor) -> Tensor:
        matched = torch.bmm(self.weight.expand_as(gram), gram)
        flat = x.view(x.size(0), x.size(1), -1)
        return torch.bmm(matched.transpose(1, 2), flat).view_as(x)


class Bottleneck(nn.Module):
    """Pre-activation bottleneck, with a convolution of stride 2 or upsampling on the way beside it."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, up: int = 1) -> None:
        super().__init__()
        middle = max(outputs // 2, 2)
        self.norm1, self.conv1 = nn.InstanceNorm2d(inputs), nn.Conv2d(inputs, middle, 1)
        self.norm2, self.conv2 = nn.InstanceNorm2d(middle), PaddedConv(middle, middle, 3, stride)
        self.norm3, self.conv3 = nn.InstanceNorm2d(middle), nn.Conv2d(middle, outputs, 1)
        self.beside = nn.Conv2d(inputs, outputs, 1, stride)
        self.up = up

    def enlarge(self, x: Tensor) -> Tensor:
        return interpolate(x, scale_factor=float(self.up), mode="nearest") if self.up > 1 else x

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(relu(self.norm1(x)))
        y = self.conv2(self.enlarge(relu(self.norm2(y))))
        return self.beside(self.enlarge(x)) + self.conv3(relu(self.norm3(y)))


class MsgNet(nn.Module):
    """Zhang & Dana 2017: a siamese network, the style enters as the Gram matrix of its features."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.siamese = nn.Sequential(
            PaddedConv(3, width, 7), nn.InstanceNorm2d(width), nn.ReLU(),
            Bottleneck(width, 2 * width, stride=2), Bottleneck(2 * width, 2 * width, stride=2),
        )  # fmt: skip
        self.inspiration = Inspiration(2 * width)
        self.rest = nn.Sequential(
            Bottleneck(2 * width, 2 * width), Bottleneck(2 * width, width, up=2), Bottleneck(width, width, up=2),
            nn.InstanceNorm2d(width), nn.ReLU(), PaddedConv(width, 3, 7),
        )  # fmt: skip

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        features = self.siamese(style)
        n, c, h, w = features.shape
        flat = features.view(n, c, h * w)
        gram = flat.bmm(flat.transpose(1, 2)) / (h * w)
        return self.rest(self.inspiration(self.siamese(content), gram))


class AnimeConv(nn.Sequential):
    def __init__(self, inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1, groups: int = 1) -> None:
        layers: list[nn.Module] = [nn.ReflectionPad2d(kernel // 2)] if kernel > 1 else []
        layers += [
            nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False),
            nn.GroupNorm(1, outputs),
            nn.LeakyReLU(0.2),
        ]
        super().__init__(*layers)


class AnimeResidual(nn.Module):
    def __init__(self, inputs: int, outputs: int, expansion: int = 2) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.layers = nn.Sequential(
            AnimeConv(inputs, hidden, kernel=1), AnimeConv(hidden, hidden, groups=hidden),
            nn.Conv2d(hidden, outputs, 1, bias=False), nn.GroupNorm(1, outputs),
        )  # fmt: skip
        self.same = inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.same else self.layers(x)


class AnimeGan(nn.Module):
    """AnimeGANv2 (Chen et al. 2019, version 2): inverted residuals, norms over all channels, bilinear upsampling."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        w = width
        self.down = nn.Sequential(
            AnimeConv(3, w, kernel=7), AnimeConv(w, 2 * w, stride=2), AnimeConv(2 * w, 4 * w, stride=2)
        )
        self.middle = nn.Sequential(AnimeConv(4 * w, 4 * w), AnimeResidual(4 * w, 8 * w), AnimeResidual(8 * w, 8 * w))
        self.up1 = AnimeConv(8 * w, 4 * w)
        self.up2 = AnimeConv(4 * w, w)
        self.last = nn.Sequential(nn.Conv2d(w, 3, 1, bias=False), nn.Tanh())

    def forward(self, image: Tensor) -> Tensor:
        x = self.middle(self.down(image))
        x = self.up1(interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False))
        x = self.up2(interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False))
        return self.last(x)


class StyleBank(nn.Module):
    """Chen et al. 2017: between an encoder and a decoder stands a bank of filters, one set a style, chosen by an index."""

    def __init__(self, width: int = 16, styles: int = 4) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            PaddedConv(3, width, 9), nn.InstanceNorm2d(width, affine=True), nn.ReLU(),
            nn.Conv2d(width, width, 3, 2, 1), nn.InstanceNorm2d(width, affine=True), nn.ReLU(),
        )  # fmt: skip
        self.bank = nn.Parameter(torch.randn(styles, width, width, 3, 3) / (3 * width**0.5))
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(width, width, 3, 2, 1, 1), nn.InstanceNorm2d(width, affine=True), nn.ReLU(),
            PaddedConv(width, 3, 9),
        )  # fmt: skip

    def forward(self, image: Tensor, style: Tensor) -> Tensor:
        filters = torch.index_select(self.bank, 0, style)[0]
        return self.decoder(relu(conv2d(self.encoder(image), filters, padding=1)))


class ConditionalNorm(nn.Module):
    """Dumoulin et al. 2017: instance norm whose scale and shift are mixed from those of many styles."""

    def __init__(self, width: int, styles: int) -> None:
        super().__init__()
        self.norm = nn.InstanceNorm2d(width)
        self.scale, self.shift = nn.Linear(styles, width, bias=False), nn.Linear(styles, width, bias=False)

    def forward(self, x: Tensor, mix: Tensor) -> Tensor:
        return self.norm(x) * self.scale(mix)[:, :, None, None] + self.shift(mix)[:, :, None, None]


class ManyStyles(nn.Module):
    """A learned representation for artistic style: one network, a vector that mixes its styles."""

    def __init__(self, width: int = 8, styles: int = 5) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            [PaddedConv(3, width, 9), PaddedConv(width, 2 * width, 3, 2), PaddedConv(2 * width, 2 * width, 3), PaddedConv(2 * width, width, 3)]
        )  # fmt: skip
        self.norms = nn.ModuleList(ConditionalNorm(w, styles) for w in (width, 2 * width, 2 * width, width))
        self.last = PaddedConv(width, 3, 9)

    def forward(self, image: Tensor, mix: Tensor) -> Tensor:
        x = image
        for number, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            x = interpolate(x, scale_factor=2.0, mode="nearest") if number == 3 else x
            x = relu(norm(conv(x), mix))
        return torch.sigmoid(self.last(x))
