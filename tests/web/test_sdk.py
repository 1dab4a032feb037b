"""The client library in TypeScript: its own tests, the vectors of the rules, its size and its version."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import node
import pytest

from api import VERSION
from shared.codec import content_hash
from tests.patience import PATIENCE_SECONDS
from tests.web import vectors

PACKAGE = json.loads((node.SDK / "package.json").read_text())
LOCK = json.loads((node.SDK / "package-lock.json").read_text())


def run_tests(sdk: node.Node, build: Path, folder: Path, runs: int, seconds: float) -> None:
    """Node's test runner on everything that is compiled."""
    environment = {**sdk.environ(), "HYPERTASK_VECTORS": str(folder), "HYPERTASK_RUNS": str(runs)}
    files = sorted(map(str, (build / "test").glob("*.test.js")))
    assert files
    done = subprocess.run(
        [sdk.node, "--test", *files], env=environment, capture_output=True, text=True, timeout=seconds
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert re.search(r"^(?:# |ℹ )skipped 0$", done.stdout, re.MULTILINE), done.stdout[-2000:]


def test_its_own_tests_and_the_vectors_of_the_rules(sdk: node.Node, build: Path, tmp_path: Path) -> None:
    """Other vectors in each run."""
    seed = int.from_bytes(os.urandom(4), "big")
    print(f"vectors of the seed {seed}")
    written = vectors.write(tmp_path, count=150, seed=seed)
    assert min(written.values()) >= 150
    run_tests(sdk, build, tmp_path, runs=30, seconds=PATIENCE_SECONDS)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2, 12))
def test_many_more_vectors(sdk: node.Node, build: Path, tmp_path: Path, seed: int) -> None:
    written = vectors.write(tmp_path, count=20_000, seed=seed)
    run_tests(sdk, build, tmp_path, runs=3_000, seconds=1_200)
    print(f"seed {seed}: {sum(written.values())} vectors of {len(written)} kinds decided alike")


def test_its_core_is_small_enough(sdk: node.Node) -> None:
    done = subprocess.run(
        [*sdk.npm, "run", "--silent", "size"], cwd=node.SDK, env=sdk.environ(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "core: " in done.stdout


APPLICATION = """
import { Client, contentHash, MemoryStore, type Document } from "@hypertask/sdk";
import { merge } from "@hypertask/sdk/rules";

const client = new Client({ url: "http://localhost", token: "t", store: new MemoryStore() });
const doc: Document = await client.put({ id: "a", n: 1 });
// @ts-expect-error a document has an id
await client.put({ n: 1 }).catch(() => console.log("refused"));
console.log(contentHash(doc), JSON.stringify(merge({ a: 1 }, { a: 2 }, { a: 1, b: 1 }).value));
"""


def test_an_application_can_use_what_is_packed(sdk: node.Node, tmp_path: Path) -> None:
    """With its types, and nothing installed beside it."""

    def run(*command: str, folder: Path = tmp_path) -> str:
        done = subprocess.run(command, cwd=folder, env=sdk.environ(), capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run(*sdk.npm, "pack", "--silent", "--ignore-scripts", "--pack-destination", str(tmp_path), folder=node.SDK)
    [archive] = tmp_path.glob("*.tgz")
    run("tar", "xzf", archive.name)
    home = tmp_path / "node_modules" / "@hypertask"
    home.mkdir(parents=True)
    (tmp_path / "package").rename(home / "sdk")
    assert not list((home / "sdk").rglob("*.test.*"))
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "app.ts").write_text(APPLICATION)
    compiler = str(node.SDK / "node_modules" / ".bin" / "tsc")
    options = ["--strict", "--module", "nodenext", "--target", "es2022", "--lib", "es2023,dom", "--types", ""]
    run(compiler, *options, "app.ts")
    assert run(sdk.node, "app.js") == f'refused\n{content_hash({"id": "a", "n": 1})} {{"a":2,"b":1}}\n'


def test_its_version_is_that_of_the_programs() -> None:
    assert PACKAGE["version"] == VERSION == LOCK["version"] == LOCK["packages"][""]["version"]


def test_it_needs_no_package() -> None:
    """What it can work with is the application's choice, and named as such."""
    assert "dependencies" not in PACKAGE
    optional = PACKAGE.get("peerDependenciesMeta", {})
    assert PACKAGE.get("peerDependencies", {}).keys() == optional.keys()
    assert all(meta == {"optional": True} for meta in optional.values())


def test_its_lock_file_has_no_addresses_to_download_from() -> None:
    assert all("resolved" not in package for package in LOCK["packages"].values())
    assert all("integrity" in package for name, package in LOCK["packages"].items() if name)


def test_nothing_of_other_packages_is_committed() -> None:
    listed = subprocess.run(["git", "ls-files", "web"], cwd=node.SDK.parent.parent, capture_output=True, text=True)
    if listed.returncode != 0 or os.environ.get("GIT_DIR"):
        pytest.skip("this is no checkout of git")
    assert not [name for name in listed.stdout.split() if "node_modules" in name or "/build/" in name]
