"""The version of a build, and the build hook: it brings the console's pages, which npm builds from `console/`.

A wheel without them fails, so nobody installs a server whose console is missing. An editable installation, as `make`
has it, takes the pages from where `make console` puts them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent
SOURCE = ROOT / "src" / "moorage" / "__init__.py"
GIVEN = "WHEEL_VERSION"
"""The variable that sets the version where git is missing, as in the build of the image."""
_IN_SOURCE = re.compile(r'^__version__ = "(.+)"$', re.MULTILINE)


def version() -> str:
    """The version of this build: that of the tag, and for any other commit a development version with its hash.

    Without git it is that of WHEEL_VERSION, or of the source distribution, or of the source. Raises RuntimeError for a
    tag with another version than the source.
    """
    if given := os.environ.get(GIVEN):  # noqa: TID251 - no setting of a server
        return given.removeprefix("v")
    if (ROOT / ".git").exists() and shutil.which("git"):
        return _of_commit(_in_source())
    if (ROOT / "PKG-INFO").exists():
        found = re.search(r"^Version: (.+)$", (ROOT / "PKG-INFO").read_text("utf-8"), re.MULTILINE)
        return found[1] if found else _in_source()
    return _in_source()


def _of_commit(source: str) -> str:
    number = _git("rev-list", "--count", "HEAD")
    if number is None:  # There is no commit yet, or git refuses a folder of another user.
        return source
    described = _git("describe", "--tags", "--match", "v[0-9]*", "--long", "--abbrev=12")
    if described is None:
        return f"{source}.dev{number}+g{_git('rev-parse', '--short=12', 'HEAD')}"
    tag, distance, commit = described.removeprefix("v").rsplit("-", 2)
    if distance == "0":
        if tag != source:
            raise RuntimeError(f"The tag v{tag} is not the version of {SOURCE.name}, {source}: change __version__.")
        return tag
    return f"{source}.dev{distance}+{commit}" if tag != source else f"{tag}.post1.dev{distance}+{commit}"


def _git(*words: str) -> str | None:
    """What git prints; None if it fails."""
    ended = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return ended.stdout.strip() if ended.returncode == 0 else None


def _in_source() -> str:
    found = _IN_SOURCE.search(SOURCE.read_text("utf-8"))
    if found is None:
        raise RuntimeError(f"{SOURCE} has no __version__.")
    return found[1]


class ConsoleBuildHook(BuildHookInterface[Any]):
    """Builds the pages if they are missing and npm is there, and writes the version of the build into the package."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Raises RuntimeError if there are no pages."""
        if version == "editable":
            return
        _require_pages()
        if self.target_name == "wheel":
            self._folder = tempfile.mkdtemp()
            stamped = Path(self._folder) / SOURCE.name
            line = f'__version__ = "{self.metadata.version}"'
            stamped.write_text(_IN_SOURCE.sub(line, SOURCE.read_text("utf-8")), "utf-8")
            build_data["force_include"][str(stamped)] = "moorage/__init__.py"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        if version != "editable" and self.target_name == "wheel":
            shutil.rmtree(self._folder)


def _require_pages() -> None:
    if (ROOT / "src/moorage/console/static/index.html").exists():
        return
    sources, npm = ROOT / "console", shutil.which("npm")
    if not sources.is_dir() or npm is None:
        raise RuntimeError("The wheel needs the console's pages: run `make console` first, which needs Node.js.")
    for words in (["ci"], ["run", "build"]):
        subprocess.run([npm, *words], cwd=sources, check=True)
