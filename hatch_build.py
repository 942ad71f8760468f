"""The build hook of the wheel: it brings the console's pages, which npm builds from `console/`.

A wheel without them fails, so nobody installs a server whose console is missing. An editable installation, as `make`
has it, takes the pages from where `make console` puts them.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ConsoleBuildHook(BuildHookInterface[Any]):
    """Builds the pages if they are missing and npm is there."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Raises RuntimeError if there are no pages."""
        root = Path(self.root)
        if version == "editable" or (root / "src/moorage/console/static/index.html").exists():
            return
        sources, npm = root / "console", shutil.which("npm")
        if not sources.is_dir() or npm is None:
            raise RuntimeError("The wheel needs the console's pages: run `make console` first, which needs Node.js.")
        for words in (["ci"], ["run", "build"]):
            subprocess.run([npm, *words], cwd=sources, check=True)
