"""A bundle is never made of stale parts: all that the factory uses decides, whether builder.toml names it or not."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from builder.errors import SourceError
from builder.project.project import find_own_modules, open_project
from builder.project.used import Used, recall, remember
from builder.sources.recorder import recording
from builder.sources.repeatable import require_repeatable
from builder.steps.listener import Silent
from builder.steps.source import export_source
from builder.storage.cache import locate
from tests.builder.projects import edit, make_project


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEBUNDLE_CACHE", str(tmp_path / "cache"))


def record_used_by(code: str, folder: Path) -> Used:
    """What a script in `folder` uses, as a worker of its own records it."""
    (folder / "factory.py").write_text(textwrap.dedent(code), encoding="utf-8")
    script = """
        import importlib.util, sys
        from pathlib import Path
        from builder.sources.recorder import recording
        folder = Path(sys.argv[1])
        with recording(folder) as recorder:
            sys.path.insert(0, str(folder))
            spec = importlib.util.spec_from_file_location("factory", folder / "factory.py")
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            print(recorder.list_used().model_dump_json())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), folder], capture_output=True, text=True, check=True, timeout=60
    )
    return Used.model_validate_json(done.stdout)


def test_what_a_factory_opens_imports_and_reads_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules found through sys.path, a JSON by a relative name, second weights, variables, and what was looked for in vain."""
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    project.mkdir()
    elsewhere.mkdir()
    (elsewhere / "blocks.py").write_text("WIDTH = 8\n", encoding="utf-8")
    (elsewhere / "path_only.py").write_text("X = 1\n", encoding="utf-8")
    (project / "net.json").write_text(json.dumps({"depth": 2}), encoding="utf-8")
    save_file({"w": torch.zeros(1)}, project / "second.safetensors")
    torch.save({"w": torch.zeros(1)}, project / "third.pt")
    monkeypatch.setenv("NET_WIDTH", "8")
    monkeypatch.setenv("PYTHONPATH", f"{Path.cwd()}:{elsewhere}")
    used = record_used_by(
        f"""
        import json, os, sys
        sys.path.append({str(elsewhere)!r})
        import blocks, path_only, torch
        from safetensors.torch import load_file
        depth = json.load(open("net.json"))["depth"]
        load_file({str(project / "second.safetensors")!r})
        torch.load("third.pt", weights_only=True)
        os.getenv("NET_WIDTH"), os.environ.get("NET_DEPTH"), "NET_X" in os.environ
        try:
            open("override.yaml")
        except FileNotFoundError:
            pass
        with open("scratch.txt", "w") as stream:
            stream.write("x")
        open("scratch.txt").read()
        """,
        project,
    )
    # Of what torch imports where it is installed, such as opt_einsum, the files are recorded too.
    assert {name for name in used.files if "site-packages" not in name} == {
        "factory.py", "net.json", "second.safetensors", "third.pt", "override.yaml", str(elsewhere / "blocks.py"),
        str(elsewhere / "path_only.py"),
    }  # fmt: skip
    assert used.files["override.yaml"] is None
    assert {"NET_WIDTH", "NET_DEPTH", "NET_X"} <= set(used.environment)
    assert used.environment["NET_DEPTH"] is None
    assert used.environment["NET_WIDTH"] != "8"
    assert used.still(project)


@pytest.mark.parametrize(
    "reads",
    [
        "open(file='a.json', mode='rb').read()",
        "Path('a.json').read_text()",
        "os.read(os.open('a.json', os.O_RDONLY), 1)",
        "os.read(os.open(path='a.json', flags=os.O_RDONLY), 1)",
        "io.open_code(os.path.abspath('a.json')).read()",
        "numpy.fromfile('a.json', numpy.uint8)",
        "pkgutil.get_data('factory', 'a.json')",
        "importlib.resources.files('factory_package').joinpath('../a.json').read_text()",
    ],
)
def test_a_file_is_seen_however_python_opens_it(tmp_path: Path, reads: str) -> None:
    """By name, by descriptor, by a library; what it gives is what the file holds."""
    (tmp_path / "a.json").write_text("1")
    (tmp_path / "factory_package").mkdir()
    (tmp_path / "factory_package/__init__.py").touch()
    code = f"""
        import importlib.resources, io, os, pkgutil, sys
        from pathlib import Path
        import numpy
        sys.modules["factory"] = importlib.util.module_from_spec(__spec__)
        found = {reads}
        assert found.tobytes() == b"1" if hasattr(found, "tobytes") else found in ("1", b"1"), found
    """
    assert "a.json" in record_used_by(code, tmp_path).files


def test_threads_under_a_debugger_start_after_a_recording(tmp_path: Path) -> None:
    """No hook stays that makes `sys.settrace` fail in threads that start together: a thread that does not start is a lost answer."""
    script = """
        import sys, threading
        from pathlib import Path
        from builder.sources.recorder import recording
        with recording(Path(sys.argv[1])):
            pass
        sys.setswitchinterval(1e-6)
        failed, started = [], []
        sys.unraisablehook = failed.append
        threading.settrace(lambda *_: sys.settrace(None))
        for _ in range(40):
            threads = [threading.Thread(target=started.append, args=(1,)) for _ in range(20)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        print(len(failed), len(started))
    """
    argv = [sys.executable, "-c", textwrap.dedent(script), tmp_path]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == ["0", "800"]


@pytest.mark.parametrize(
    "change",
    [
        lambda folder, environment: (folder / "a.json").write_text("2"),
        lambda folder, environment: (folder / "a.json").unlink(),
        lambda folder, environment: (folder / "absent.json").write_text("1"),
        lambda folder, environment: environment.setenv("EB_SET", "2"),
        lambda folder, environment: environment.delenv("EB_SET"),
        lambda folder, environment: environment.setenv("EB_UNSET", "1"),
    ],
)
def test_any_change_of_what_was_used_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path, pytest.MonkeyPatch], object]
) -> None:
    """And going back finds the result that was made then."""
    monkeypatch.setenv("EB_SET", "1")
    (tmp_path / "a.json").write_text("1")
    code = "import os; open('a.json').close(); os.environ['EB_SET']; os.getenv('EB_UNSET')\ntry: open('absent.json')\nexcept OSError: pass"
    with recording(tmp_path) as recorder:
        exec(compile(code, tmp_path / "factory.py", "exec"), {})
    used = recorder.list_used()
    remember("base", used, "key")
    assert recall("base", tmp_path) == "key"
    change(tmp_path, monkeypatch)
    assert recall("base", tmp_path) is None


def test_an_edited_file_that_no_line_of_builder_toml_names_makes_another_source(tmp_path: Path) -> None:
    """The whole way: a factory that reads a JSON; unchanged it is kept, changed it is made again, fresh it is always made."""
    folder = make_project(tmp_path / "project")
    edit(folder / "model.py", "def create():\n    return Net()", "def create():\n    import json\n    net = Net()\n    net.gain = json.load(open('gain.json'))\n    return net")  # fmt: skip
    edit(folder / "model.py", "return torch.sigmoid(self.tail(x))", "return torch.sigmoid(self.tail(x) * self.gain)")
    (folder / "gain.json").write_text("1.0")

    def key(*, fresh: bool = False) -> str:
        return export_source(open_project(folder, fresh=fresh), Silent()).key

    first = key()
    made = locate("source", first).stat().st_mtime_ns
    (tmp_path / "cache" / "source" / first / "program.pt2").write_bytes(b"damaged")
    assert key() == first, "a damaged entry is made again, and is the same"
    assert locate("source", first).stat().st_mtime_ns != made
    assert key(fresh=True) == first
    (folder / "gain.json").write_text("2.0")
    assert key() != first


def test_environments_inside_a_project_are_not_its_own(tmp_path: Path) -> None:
    """A .venv, an environment of any name, caches and installed packages are not hashed; the project's packages are."""
    for name in (".venv/lib/x.py", "env/bin/x.py", "node_modules/x.py", "net/__init__.py", "net/blocks.py", "model.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "env" / "pyvenv.cfg").write_text("")
    assert [p.relative_to(tmp_path).as_posix() for p in find_own_modules(tmp_path)] == [
        "model.py",
        "net/__init__.py",
        "net/blocks.py",
    ]


class Noisy(torch.nn.Module):
    """A buffer that its checkpoint does not hold."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        value = torch.rand(4)
        if kind == "buffer":
            self.register_buffer("noise", value, persistent=False)
        elif kind == "attribute":
            self.grid = value
        elif kind == "array":
            self.table = value.numpy()
        elif kind == "number":
            self.scale = float(value[0])


@pytest.mark.parametrize(
    ("kind", "name"), [("buffer", "0.noise"), ("attribute", "0.grid"), ("array", "0.table"), ("number", "0.scale")]
)
def test_a_random_factory_is_refused_by_the_name_of_its_tensor(kind: str, name: str) -> None:
    """Each call builds another network, of which any may be the one that is shipped."""
    with pytest.raises(SourceError, match=f"another network each time it is called: '{name}' differs"):
        require_repeatable(lambda: torch.nn.Sequential(Noisy(kind)), (), own_weights=False)


def test_a_seeded_factory_and_values_that_are_not_numbers_pass() -> None:
    """NaN equals itself here."""

    def build() -> torch.nn.Module:
        torch.manual_seed(3)
        network = torch.nn.Sequential(Noisy("buffer"))
        network.nothing = float("nan")  # type: ignore[assignment]
        return network

    require_repeatable(build, (), own_weights=False)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_weights_that_earlier_norms_compute_anew_are_no_random_numbers() -> None:
    """`weight` lies beside `weight_g` and `weight_v`, which the checkpoint fills."""

    def build() -> torch.nn.Module:
        network = torch.nn.utils.weight_norm(torch.nn.Conv2d(3, 4, 3))
        network.load_state_dict({name: torch.ones_like(value) for name, value in network.state_dict().items()})
        return network

    require_repeatable(build, (), own_weights=False)


def test_a_module_of_the_user_that_draws_at_its_import_is_imported_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python would give the second factory the first one's numbers."""
    (tmp_path / "drawn_at_import.py").write_text("import torch\nNOISE = torch.rand(3)\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    def build() -> torch.nn.Module:
        import importlib

        network = torch.nn.Identity()
        network.noise = importlib.import_module("drawn_at_import").NOISE
        return network

    with recording(tmp_path) as recorder:
        build()
        with pytest.raises(SourceError, match="'noise' differs"):
            require_repeatable(build, recorder.modules(), own_weights=False)
