"""Which phone is this: real phones, and which of them count as the same.

The properties of Android phones are recordings: those without a SoC from the test data of pytorch/cpuinfo (commit d6108819,
test/mock/*.h), those with one from getprop dumps in public test fixtures. Identifiers of iPhones are Apple's.
"""

from __future__ import annotations

from builder.bundle import Phone
from harness.records.phone import NOTHING, is_same_phone, name_model, name_soc
from scripts.vectors.files import Case

ABOUT = (
    "Real phones by what their systems tell (`told`: ro.soc.manufacturer, ro.soc.model, ro.product.board, ro.hardware, ro.product.manufacturer, ro.product.model; an iPhone "
    "tells its model alone), the names by which they are known (`phone`), and the numbers of the other cases that count as the same phone (`same`)."
)
# ro.product.manufacturer, ro.product.model, ro.product.board, ro.hardware
BEFORE_12 = """
AlcatelOneTouch|5049W||mt6755
BLU|R1 HD|R1_HD|mt6735
samsung|SM-A310F|universal7580|samsungexynos7580
samsung|SM-A8000|MSM8939|qcom
samsung|SM-A530F|universal7885|samsungexynos7885
samsung|SM-G531H|SC7730SE|sc8830
samsung|SM-J120H|SC7727SE|sc8830
samsung|SM-J500M|MSM8916|qcom
samsung|SM-J700F|universal7580|samsungexynos7580
samsung|SM-G930F|universal8890|samsungexynos8890
samsung|SAMSUNG-SM-G930A|msm8996|qcom
samsung|SM-G950F|universal8895|samsungexynos8895
samsung|SM-G950U|msm8998|qcom
samsung|SM-G960F|universal9810|samsungexynos9810
samsung|SM-G960U|sdm845|qcom
HUAWEI|ALP-L29|ALP|kirin970
HUAWEI|HMA-L29|HMA|kirin980
HUAWEI|MHA-L29|MHA|hi3660
HUAWEI|CLT-L29|CLT|kirin970
HUAWEI|HUAWEI VNS-L23|VNS-L23|hi6250
LEAGOO|T5c|k500_lgt_511_vmm|k500_lgt_511
LGE|LG-K420|msm8916|m216
Meizu|PRO 6|PRO6|mt6797
Meizu|PRO 6s|PRO6|mt6797
Meizu|PRO 7 Plus|PRO7Plus|mt6799
motorola|MotoG3|msm8916|qcom
motorola|Moto G (4)|msm8952|qcom
motorola|Moto G (5)|msm8937|qcom
LGE|Nexus 5X|bullhead|bullhead
Huawei|Nexus 6P|angler|angler
OnePlus|ONEPLUS A3000|msm8996|qcom
OnePlus|ONEPLUS A5000|msm8998|qcom
OnePlus|ONEPLUS A5010|msm8998|qcom
OPPO|A37fw|msm8916|qcom
OPPO|PACM00|oppo6771_17197|mt6771
OPPO|X9009|full_oppo6755_15311|mt6755
Google|Pixel 2 XL|taimen|taimen
Google|Pixel|sailfish|sailfish
Xiaomi|MI 5C||song
Xiaomi|Redmi Note 3|msm8952|qcom
Xiaomi|Redmi Note 4|msm8953|qcom
Sony|E5333||mt6752
"""
# ro.soc.manufacturer, ro.soc.model, then as above
SINCE_12 = """
Google|Tensor G3|Google|Pixel 8|shiba|shiba
Google|Tensor G3|Google|Pixel 8 Pro||ripcurrent
|MT6893|Xiaomi|M2101K9C|ares|
|T612|realme|RMX3834||ums9230_hulk
"""
# The same phones as their apps or an older system see them, to try the fall-backs.
SEEN_OTHERWISE = """
unknown|unknown|Google|Pixel 8|shiba|shiba
Mediatek|MT6893Z/CZA|Xiaomi|M2101K9C|ares|mt6893
||samsung|SM-G935F|universal8890|samsungexynos8890
"""
IPHONES = ("iPhone12,1", "iPhone14,2", "iPhone14,5", "iPhone15,2", "iPhone17,1", "iPhone14,2")

Told = tuple[str | None, str | None, str | None, str | None, str | None, str | None]


def list_told() -> list[Told]:
    """SoC manufacturer and model, board, hardware, manufacturer, model of every case."""
    made: list[Told] = []
    for line in BEFORE_12.strip().splitlines():
        maker, model, board, hardware = line.split("|")
        made.append((None, None, board, hardware, maker, model))
    for line in (SINCE_12.strip() + SEEN_OTHERWISE.rstrip()).splitlines():
        soc_maker, soc, maker, model, board, hardware = line.split("|")
        made.append((soc_maker, soc, board, hardware, maker, model))
    return [*made, *((None, None, None, None, None, model) for model in IPHONES)]


def make_phone(names: Told) -> Phone:
    soc_maker, soc, board, hardware, maker, model = names

    def known(name: str | None) -> str | None:
        return None if (name or "").lower() in NOTHING else name

    return Phone(
        soc=name_soc(soc_maker, soc), board=known(board), hardware=known(hardware), model=name_model(maker, model)
    )


def make_cases() -> list[Case]:
    every = list_told()
    phones = [make_phone(names) for names in every]
    return [
        {
            "told": list(names),
            "phone": own.model_dump(mode="json"),
            "same": [at for at, other in enumerate(phones) if at != number and is_same_phone(own, other)],
        }
        for number, (names, own) in enumerate(zip(every, phones, strict=True))
    ]
