"""Opening a bundle: from its directory, its `.zip`, or a package that carries it. Everything is checked against the manifest."""

from __future__ import annotations

import hashlib
import json
import re
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from builder.bundle.files import hash_file, hash_tree, list_tree
from builder.bundle.manifest import Manifest, parse_manifest
from builder.bundle.variant import Variant, inside_path
from builder.errors import BundleError

MANIFEST = "manifest.json"
BUNDLE_FOLDER = (
    "edgebundle"  # of all bundles inside a package: assets/edgebundle/NAME/ in an APK, edgebundle/NAME/ in an .app
)
SITE_FOLDER = "bundle"  # its folder inside a page for browsers
OWNER_FILE = ".edgebundle.json"  # beside outputs: names and hashes of what the builder wrote there, so that it never overwrites others
# A bundle that unpacks to more than this is refused (zip bomb).
MAX_ZIP_BYTES = 8 << 30


class Bundle:
    """An opened bundle directory whose manifest was read and whose files were checked against it."""

    def __init__(self, root: Path, manifest: Manifest) -> None:
        """Take what `Bundle.open` has read and checked."""
        self.root = root
        self.manifest = manifest

    def _repr_html_(self) -> str:
        """For notebooks: variants and golden pictures."""
        from builder.bundle.show import render_bundle

        return render_bundle(self)

    @property
    def sha256(self) -> str:
        """Identity of the bundle: the hash of its manifest, which holds the hash of every other file."""
        return hash_file(self.root / MANIFEST)

    def path(self, inside: str) -> Path:
        """Where a file that the manifest names lies."""
        return self.root / inside

    def variant(self, variant_id: str) -> Variant:
        """The variant with this id. Raises BundleError that names those there are."""
        for variant in self.manifest.variants:
            if variant.id == variant_id:
                return variant
        known = ", ".join(v.id for v in self.manifest.variants)
        raise BundleError(f"the bundle has no variant {variant_id!r}; it has {known}.")

    @classmethod
    def open(cls, root: Path) -> Bundle:
        """Open a bundle directory. Raises BundleError when a file is missing, changed or extra."""
        manifest_path = root / MANIFEST
        if not manifest_path.is_file():
            inner = _inner(root)
            cure = f"name the one inside, {inner.parent}" if inner else f"make one with 'builder convert -o {root}'"
            if (root / "builder.toml").is_file():
                cure = f"it is a project, so make one with 'builder convert {root} -o BUNDLE' and name that"
            raise BundleError(f"{root} is not a bundle: it has no {MANIFEST}; {cure}.")
        manifest = parse_manifest(_text(manifest_path), where=str(manifest_path))
        expected = {entry.file: entry.sha256 for entry in manifest.files}
        present = {p.relative_to(root).as_posix() for p in list_tree(root)} - {MANIFEST, OWNER_FILE}
        for name in sorted(set(expected) ^ present):
            problem = "is missing" if name in expected else "is not listed in the manifest"
            raise BundleError(f"{root} is damaged: {name} {problem}; rebuild it with 'builder convert'.")
        for name, digest in expected.items():
            if hash_file(root / name) != digest:
                raise BundleError(
                    f"{root} is damaged: {name} does not have the hash in the manifest; rebuild it with 'builder convert'."
                )
        for variant in manifest.variants:
            if hash_tree(root / variant.file) != variant.sha256:
                raise BundleError(
                    f"{root} is damaged: {variant.file} is not the artifact of variant {variant.id}; rebuild it."
                )
        return cls(root, manifest)


def _inner(root: Path) -> Path | None:
    """The manifest of the bundle that a package in the form of a folder carries; only folders that the builder wrote are searched."""
    if not any((folder / OWNER_FILE).is_file() for folder in (root, root.absolute().parent)):
        return None
    return min(root.rglob(MANIFEST), default=None)


def name_bundle_folder(model: str) -> str:
    """Where a package holds the bundle of this model, `edgebundle/NAME`: an app may hold several.

    The name is the model's. One with other signs than letters, digits and `_ . -` is written without them, with a hash that keeps it apart.
    """
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", model).strip("._-")
    told = plain if plain == model else f"{plain or 'model'}-{hashlib.sha256(model.encode()).hexdigest()[:8]}"
    return f"{BUNDLE_FOLDER}/{told}"


def refuse_edited(root: Path) -> None:
    """Raise BundleError for a manifest that is not the one that the builder wrote: no hash inside it covers what it says."""
    try:
        written = json.loads((root / OWNER_FILE).read_text(encoding="utf-8")).get(MANIFEST)
    except (OSError, ValueError, AttributeError):  # of an archive, or copied without it
        return
    if written is not None and written != hash_file(root / MANIFEST):
        raise BundleError(
            f"{root / MANIFEST} was changed since the builder wrote it; rebuild the bundle with 'builder convert'."
        )


@contextmanager
def open_bundle(path: Path) -> Iterator[Bundle]:
    """A bundle from a directory, a page's included, from a bundle `.zip`, or from an `.apk`/`.aab`/`.aar`/`.ipa` that carries one.

    Archives are unpacked into a temporary directory that is removed at the end; names that leave it are refused.
    """
    if path.is_dir():
        inside = path / SITE_FOLDER
        is_page = not (path / MANIFEST).is_file() and (inside / MANIFEST).is_file()
        yield Bundle.open(inside if is_page else path)
        return
    if not path.is_file():  # opening a pipe would wait for whoever writes into it
        why = "is a pipe or a device" if path.exists() else "does not exist"
        raise BundleError(f"{path} {why}; give a bundle directory, a bundle .zip or a package.")
    with tempfile.TemporaryDirectory(prefix="edgebundle-") as folder:
        root = Path(folder)
        _unpack(path, root)
        yield Bundle.open(root)


def _unpack(path: Path, root: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            manifests = _list_manifests(archive)
            if not manifests:
                raise BundleError(f"{path} carries no bundle (no {BUNDLE_FOLDER}/NAME/{MANIFEST} inside).")
            if len(manifests) > 1:
                names = ", ".join(sorted(PurePosixPath(n).parent.name for n in manifests))
                raise BundleError(f"{path} carries several bundles ({names}); give a package of one of them.")
            prefix = manifests[0][: -len(MANIFEST)]
            members = [i for i in archive.infolist() if i.filename.startswith(prefix) and not i.is_dir()]
            if sum(i.file_size for i in members) > MAX_ZIP_BYTES:
                raise BundleError(f"{path} unpacks to more than {MAX_ZIP_BYTES >> 30} GB and is refused.")
            for info in members:
                name = info.filename[len(prefix) :]
                try:
                    inside_path(name)
                except ValueError as error:
                    raise BundleError(f"{path} is refused: entry {info.filename!r} leaves the bundle.") from error
                if stat.S_ISLNK(info.external_attr >> 16):
                    raise BundleError(f"{path} is refused: entry {info.filename!r} is a symbolic link.")
                target = root / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(info))
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise BundleError(f"{path} is not a readable archive ({error}).") from error


def list_bundles(path: Path) -> tuple[str, ...]:
    """The names of the bundles that a package carries. Raises BundleError for what is no archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return tuple(sorted(PurePosixPath(n).parent.name for n in _list_manifests(archive)))
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise BundleError(f"{path} is not a readable archive ({error}).") from error


def _list_manifests(archive: zipfile.ZipFile) -> list[str]:
    """At the top of a bundle's own archive, or in `edgebundle/NAME/` of a package."""
    return [
        n
        for n in archive.namelist()
        if PurePosixPath(n).name == MANIFEST and (n == MANIFEST or PurePosixPath(n).parent.parent.name == BUNDLE_FOLDER)
    ]


def is_bundle(path: Path) -> bool:
    """Whether a path is a bundle (directory or archive) rather than a builder.toml or the directory of one."""
    return (path / MANIFEST).is_file() or (path.is_file() and path.suffix != ".toml")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BundleError(
            f"{path} is not written in UTF-8 ({error.reason}); rebuild the bundle with 'builder convert'."
        ) from error
