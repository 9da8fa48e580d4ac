"""Which variants an app tries, in which order."""

from __future__ import annotations

from builder.bundle import Phone
from harness.records.phone import is_same_phone
from scripts.vectors.files import Case

ABOUT = (
    "The order in which an app tries the variants of a manifest: those that one of its `engines` executes; by the first of the `rankings` that fits the `phone`, what it does "
    "not name last; then what needs more memory than is `free` (bytes, or null), the smallest first."
)
# id, backend, delegate, memory in MB
VARIANTS = (
    ("gpu", "tflite", "gpu", 30),
    ("cpu", "tflite", "xnnpack", 20),
    ("small", "tflite", "xnnpack", 5),
    ("et", "executorch", "xnnpack", 10),
)
ENGINES = ["tflite-gpu", "tflite-xnnpack"]
PIXEL = Phone(soc="Google Tensor G3", board="shiba", hardware="shiba", model="Google Pixel 8")
OLDER = Phone(board="shiba", hardware="shiba", model="Google Pixel 8")
S8 = Phone(board="universal8895", hardware="samsungexynos8895", model="samsung SM-G950F")
QUALCOMM = Phone(board="msm8998", hardware="qcom", model="OnePlus ONEPLUS A5000")
ON_SOC = {"soc": "Google Tensor G3", "model": None, "variants": ["small", "gpu"], "phones": [PIXEL.model_dump()]}
ON_MODEL = {"soc": None, "model": "samsung SM-G950F", "variants": ["cpu", "small", "gpu"], "phones": [S8.model_dump()]}
OLD = {"soc": "Google Tensor G3", "model": None, "variants": ["cpu", "gpu"], "phones": []}
NOBODY = {"soc": None, "model": None, "variants": ["small"], "phones": []}
CHOICES: tuple[tuple[list[str], list[Case], Phone, int | None], ...] = (
    (ENGINES, [], Phone(), None),
    (["tflite-xnnpack"], [], PIXEL, None),
    ([], [], PIXEL, None),
    ([*ENGINES, "executorch-xnnpack"], [], PIXEL, 10_000_000),
    (ENGINES, [NOBODY, ON_MODEL, ON_SOC], PIXEL, None),
    (ENGINES, [NOBODY, ON_MODEL, ON_SOC], OLDER, None),
    (ENGINES, [NOBODY, ON_MODEL, ON_SOC], S8.model_copy(update={"model": "samsung SM-N950F"}), None),
    (ENGINES, [NOBODY, ON_MODEL, ON_SOC], QUALCOMM, None),
    (ENGINES, [OLD], PIXEL, 25_000_000),
    (ENGINES, [OLD], OLDER, None),
    (ENGINES, [ON_SOC], PIXEL.model_copy(update={"soc": "Google Tensor G2"}), 4_000_000),
)


def make_cases() -> list[Case]:
    return [
        {
            "variants": [
                {
                    "id": name,
                    "backend": backend,
                    "delegate": delegate,
                    "predicted_peak_memory_bytes": memory * 1_000_000,
                }
                for name, backend, delegate, memory in VARIANTS
            ],
            "engines": engines,
            "rankings": rankings,
            "phone": phone.model_dump(mode="json"),
            "free": free,
            "order": order(engines, rankings, phone, free),
        }
        for engines, rankings, phone, free in CHOICES
    ]


def order(engines: list[str], rankings: list[Case], phone: Phone, free: int | None) -> list[str]:
    """The rule in Python: no Python program opens bundles as an app does."""
    names = [name for name, backend, delegate, _ in VARIANTS if f"{backend}-{delegate}" in engines]
    memory = {name: size * 1_000_000 for name, _, _, size in VARIANTS}
    fitting = (r["variants"] for r in rankings if fits(r, phone))
    measured: list[str] = next(fitting, [])
    names.sort(key=lambda name: measured.index(name) if name in measured else len(measured))
    large = [name for name in names if free is not None and memory[name] > free]
    return [name for name in names if name not in large] + sorted(large, key=lambda name: memory[name])


def fits(ranking: Case, phone: Phone) -> bool:
    measured = [Phone(soc=ranking["soc"], model=ranking["model"]), *(Phone(**one) for one in ranking["phones"])]
    return any(is_same_phone(one, phone) for one in measured)
