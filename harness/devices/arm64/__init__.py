"""An arm64 processor emulated by QEMU."""
