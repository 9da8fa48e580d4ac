"""The npm package: what another team adds to its own page, bundled by nothing."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import pytest
from playwright.sync_api import Browser

import builder
from builder import process
from builder.bundle import hash_file
from builder.targets.mobile import find_mobile_root
from builder.targets.web import node
from builder.targets.web.module import pack_module
from builder.targets.web.scripts import build_scripts
from tests.web.packages import install_node_modules
from tests.web.site import hosting, wait_for

PAGE = """<!doctype html><title>another page</title><p id="said"></p>
<script type="importmap">{"imports": {"@edgebundle/web": "./node_modules/@edgebundle/web/index.js"}}</script>
<script type="module">
import { BundleError, ImageModel } from "@edgebundle/web";
const said = document.getElementById("said");
const canvas = new OffscreenCanvas(100, 60);
canvas.getContext("2d").fillRect(10, 10, 50, 20);
try {
  const model = await ImageModel.open("bundle/");
  const bitmap = await model.process(await createImageBitmap(canvas), { strength: 0.5 });
  const frame = new VideoFrame(canvas, { timestamp: 0 });
  const video = await model.process(frame, { small: true });
  frame.close();
  const refused = await ImageModel.open("none/").catch((error) => error);
  let asked = 0;
  const remote = { address: "http://example.org", ask: () => (asked++, true) };
  const unsafe = await ImageModel.open("none/", { remote }).catch((error) => error.message);
  said.textContent = JSON.stringify([
    model.facts.variant, bitmap.picture.width > 0, [video.picture.width, video.picture.height], refused instanceof BundleError,
    bitmap.sent, asked, unsafe.includes("use https"),
  ]);
  model.close();
} catch (error) {
  said.textContent = `failed: ${error.stack}`;
}
</script>
"""
USE = """
import {
  BundleError, type Classified, type ClassifyOptions, type Facts, ImageModel, type Label, type OpenOptions, type ProcessOptions, type RemoteOptions,
  type Result, type RunOptions, type Sent,
} from "@edgebundle/web";
import * as built from "./src/index.js";
import type { OpenOptions as BuiltOptions } from "./src/model.js";

// What is built is what the types promise, and the other way round.
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
export const promised: typeof ImageModel = built.ImageModel;
export const same: readonly true[] = [
  true satisfies Same<Classified, built.Classified>,
  true satisfies Same<ClassifyOptions, built.ClassifyOptions>,
  true satisfies Same<Facts, built.Facts>,
  true satisfies Same<Label, built.Label>,
  true satisfies Same<ProcessOptions, built.ProcessOptions>,
  true satisfies Same<RemoteOptions, built.RemoteOptions>,
  true satisfies Same<Result, built.Result>,
  true satisfies Same<RunOptions, built.RunOptions>,
  true satisfies Same<Sent, built.Sent>,
  true satisfies Same<Required<OpenOptions>, Required<BuiltOptions>>,
  true satisfies Same<keyof ImageModel, keyof built.ImageModel>,
];

export async function use(file: Blob, frame: VideoFrame): Promise<number> {
  try {
    const model: ImageModel = await ImageModel.open(new URL("https://example.org/bundle/"), { wish: { accelerator: "wasm" } });
    const { picture } = await model.process(await createImageBitmap(file), { strength: 0.8 });
    await model.process(frame);
    const { labels } = await model.classify(frame, { most: 3 });
    const outputs: Readonly<Record<string, Float32Array>> = await model.run(frame);
    if (labels[0]?.probability === null) return Object.keys(outputs).length;
    return picture.width;
  } catch (error) {
    return error instanceof BundleError ? 0 : -1;
  }
}
"""


@pytest.fixture(scope="module")
def packed(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("npm")
    return builder.package(site / "bundle", target="web", formats=("npm",), out=out / "dist").files[0]


def unpacked(packed: Path, into: Path) -> None:
    """As `npm install` puts it."""
    with tarfile.open(packed) as archive:
        archive.extractall(into, filter="data")
    (into / "node_modules" / "@edgebundle").mkdir(parents=True)
    (into / "package").rename(into / "node_modules" / "@edgebundle" / "web")


def test_another_page_processes_pictures_and_frames(site: Path, packed: Path, browser: Browser, tmp_path: Path) -> None:
    """By an import alone, from a host without headers; a bundle that is not there is an error of its type."""
    unpacked(packed, tmp_path)
    shutil.copytree(site / "bundle", tmp_path / "bundle")
    (tmp_path / "index.html").write_text(PAGE)
    page = browser.new_page()
    with hosting(tmp_path) as host:
        page.goto(host.url)
        wait_for(lambda: page.inner_text("#said") != "", "the other page's result")
        assert page.inner_text("#said") == '["tflite-fp32",true,[64,64],true,null,0,true]'
    page.close()


def test_the_package_is_typed_and_repeatable(packed: Path, tmp_path: Path) -> None:
    """The same bytes again, and TypeScript accepts the use that the documentation shows, strictly."""
    assert packed.name == "edgebundle-web-0.1.0.tgz"
    again = tmp_path / "again"
    again.mkdir()
    pack_module(build_scripts(find_mobile_root() / "web"), find_mobile_root() / "web" / "npm", again)
    assert hash_file(again / packed.name) == hash_file(packed)
    unpacked(packed, tmp_path)
    shutil.copytree(find_mobile_root() / "web" / "src", tmp_path / "src")
    for path in (
        install_node_modules() / "typescript",
        install_node_modules() / "@webgpu",
        install_node_modules() / "@litertjs",
    ):
        (tmp_path / "node_modules" / path.name).symlink_to(path)
    (tmp_path / "use.ts").write_text(USE)
    config = (find_mobile_root() / "web" / "tsconfig.json").read_text()
    (tmp_path / "tsconfig.json").write_text(config.replace('"include": ["src"]', '"include": ["use.ts"]'))
    compiler = tmp_path / "node_modules" / "typescript" / "bin" / "tsc"
    done = process.run([node.find("node") or "node", compiler, "-p", "."], timeout_s=120, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout
