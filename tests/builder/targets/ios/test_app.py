"""An app that was built before with a bundle put into it: what is refused, what is taken, what the audit says."""

from __future__ import annotations

import plistlib
import zipfile
from pathlib import Path

import pytest

from builder.bundle import Bundle, name_bundle_folder
from builder.errors import ConfigError, VerificationError
from builder.pipeline.inspect import inspect_path
from builder.steps.listener import Silent
from builder.targets import ios
from builder.targets.base import PackageOptions
from builder.targets.ios.audit import audit_app, audit_ipa, check_machine_code
from tests.builder.targets.ios.making import ODD, make_app, request, zipped


def test_injects_a_bundle_into_an_app(odd_bundle: Bundle, tmp_path: Path) -> None:
    """From an .app and from an .ipa: bundle, identifier and version are the request's, the old seals are gone, and it says so."""
    app = make_app(tmp_path / ODD)
    sources = [app, zipped(app, tmp_path / "built before.ipa")]
    for number, source in enumerate(sources):
        result = ios.package(request(odd_bundle, tmp_path / f"out {number}", "app", "ipa", app=source))
        made, archive = result.files
        info = plistlib.loads((made / "Info.plist").read_bytes())
        assert (info["CFBundleIdentifier"], info["CFBundleVersion"]) == ("org.example.small", "3")
        assert info["CFBundleDisplayName"] == ODD
        assert Bundle.open(made / name_bundle_folder(ODD)).manifest.model.name == ODD
        assert not (made / "_CodeSignature").exists()
        assert not (made / "embedded.mobileprovision").exists()
        assert made.joinpath("Edgebundle").stat().st_mode & 0o111
        assert [f.code for f in result.findings].count("unsigned") == 2
        assert "codesign" in next(f.message for f in result.findings if f.code == "unsigned")
        with zipfile.ZipFile(archive) as opened:
            names = opened.namelist()
            assert names == sorted(names)
            assert all(name.startswith("Payload/Edgebundle.app/") for name in names)
            mode = opened.getinfo("Payload/Edgebundle.app/Edgebundle").external_attr >> 16
            assert mode & 0o777 == 0o755
        inspected = inspect_path(archive, Silent())
        assert inspected.manifest is not None
        assert inspected.manifest.model.name == ODD
        assert "unsigned" in {f.code for f in inspected.findings}
    assert (app / "_CodeSignature").is_dir()  # the given app itself is not touched


@pytest.mark.parametrize("name", ["../evil", "Payload/../../evil", "/evil", "Payload\\..\\evil"])
def test_refuses_entries_that_leave_an_ipa(bundle: Bundle, tmp_path: Path, name: str) -> None:
    """An .ipa with an entry outside of itself is refused, and nothing is written there."""
    ipa = zipped(make_app(tmp_path / "in"), tmp_path / "evil.ipa", {name: b"x"})
    with pytest.raises(ConfigError, match="leaves the app"):
        ios.package(request(bundle, tmp_path / "out", "ipa", app=ipa))
    assert not list(tmp_path.rglob("evil"))


def test_refuses_links_in_an_ipa(bundle: Bundle, tmp_path: Path) -> None:
    """A symbolic link in an .ipa is refused: it could lead anywhere."""
    ipa = zipped(make_app(tmp_path / "in"), tmp_path / "link.ipa")
    with zipfile.ZipFile(ipa, "a") as archive:
        info = zipfile.ZipInfo("Payload/Edgebundle.app/link")
        info.create_system, info.external_attr = 3, 0o120777 << 16
        archive.writestr(info, "/etc")
    with pytest.raises(ConfigError, match="symbolic link"):
        ios.package(request(bundle, tmp_path / "out", "ipa", app=ipa))


def test_refuses_what_is_no_app(bundle: Bundle, tmp_path: Path) -> None:
    """A missing app, a text file, an empty archive and a damaged Info.plist are each one sentence."""
    (tmp_path / "text.ipa").write_text("no archive")
    with zipfile.ZipFile(tmp_path / "empty.ipa", "w"):
        pass
    broken = make_app(tmp_path / "broken")
    (broken / "Info.plist").write_text("no plist")
    nameless = make_app(tmp_path / "nameless")
    (nameless / "Edgebundle").unlink()
    for app, said in (
        (tmp_path / "absent.app", "does not exist"),
        (tmp_path / "text.ipa", "not a readable .ipa"),
        (tmp_path / "empty.ipa", "holds 0 apps"),
        (broken, "no readable Info.plist"),
        (nameless, "is no iOS app"),
    ):
        with pytest.raises(ConfigError, match=said):
            ios.package(request(bundle, tmp_path / "out", "ipa", app=app))


def test_audit_finds_what_is_wrong(bundle: Bundle, tmp_path: Path) -> None:
    """Another identifier, an app for a simulator, another processor, a damaged bundle and an old system are found."""
    app = ios.package(request(bundle, tmp_path / "good", "app", app=make_app(tmp_path / "in", minimum="15.0"))).files[0]
    assert "deployment-target" in {f.code for f in audit_app(app)}
    assert ("error", "identifier") in {(f.level, f.code) for f in audit_app(app, identifier="org.other")}
    next((app / name_bundle_folder(bundle.manifest.model.name) / "golden").iterdir()).write_text("damaged")
    assert ("error", "bundle") in {(f.level, f.code) for f in audit_app(app)}
    simulator = make_app(tmp_path / "simulator", platform=7).joinpath("Edgebundle").read_bytes()
    intel = make_app(tmp_path / "intel", processor=0x01000007).joinpath("Edgebundle").read_bytes()
    assert "the iOS simulator" in check_machine_code(simulator)[0][1]
    assert "built for a simulator" in check_machine_code(intel)[0][1]
    assert check_machine_code(b"")[0][0] == check_machine_code(b"\x7fELF" * 20)[0][0] == "error"
    assert audit_ipa(zipped(app, tmp_path / "x.ipa", {"../x": b""}))[0].level == "error"


def test_an_accepted_finding_is_recorded_as_an_exception(bundle: Bundle, tmp_path: Path) -> None:
    """As for Android: an app for a simulator is refused; --allow takes it, and the result says that it was an exception."""
    app = make_app(tmp_path / "built", platform=7)
    with pytest.raises(VerificationError, match="was built for the iOS simulator"):
        ios.package(request(bundle, tmp_path / "refused", "app", app=app))
    options = PackageOptions(allow=("machine-code",))
    result = ios.package(request(bundle, tmp_path / "taken", "app", app=app, options=options))
    assert [f.level for f in result.findings if f.code == "machine-code"] == ["info"]
    (said,) = (f.message for f in result.findings if f.code == "machine-code")
    assert said.startswith("(allowed by --allow machine-code) was built for the iOS simulator")
