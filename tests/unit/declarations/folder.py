"""A data folder without a server, and a declaration beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from click.testing import CliRunner, Result

from moorage.cli.main import main
from moorage.domain.identity.root_keys import FIRST_ACCOUNT
from moorage.metadata.database import Transaction
from moorage.metadata.engines.sqlite.schema import migrate
from moorage.metadata.engines.sqlite.writer import open_writer
from moorage.metadata.identity import accounts as identities

T = TypeVar("T")


class Folder:
    def __init__(self, path: Path) -> None:
        path.mkdir(exist_ok=True)
        self.path = path
        self.file = path / "registry.yaml"
        migrate(path / "moorage.db")
        self.transact(lambda tx: identities.insert_account(tx, FIRST_ACCOUNT, 0))

    def transact(self, work: Callable[[Transaction], T]) -> T:
        with open_writer(self.path / "moorage.db") as writer:
            return writer.transact(work)

    def moorage(self, *words: str) -> Result:
        return CliRunner().invoke(main, [*words, "--data", str(self.path)])

    def apply(self, text: str, *options: str) -> Result:
        self.file.write_text(text)
        return self.moorage("apply", str(self.file), "--yes", *options)

    def plan(self, text: str, *options: str) -> list[str]:
        """The lines of the plan, without the details of documents."""
        result = self.apply(text, "--plan", *options)
        assert result.exit_code == 0, result.output
        return [line for line in result.stdout.splitlines() if not line.startswith("    ")]
