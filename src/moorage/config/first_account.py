"""Settings of the first account: its id, and a root access key that the operator chooses."""

from __future__ import annotations

from dataclasses import dataclass

from moorage.config.kinds import matching
from moorage.config.lab import LabSettings
from moorage.config.table import setting
from moorage.domain.identity.root_keys import FIRST_ACCOUNT


@dataclass(frozen=True, slots=True)
class FirstAccountSettings(LabSettings):
    """The settings of the first account, lab mode and the scanner, which `Settings` has beside its own."""

    account: str = setting(
        matching(r"[0-9]{12}", "an account id of 12 digits", "ID"),
        FIRST_ACCOUNT,
        "Account that the first start creates, and that commands use without --account.",
        "Callers of this account can operate the whole server.",
        commands=("serve", "run"),
    )
    root_access_key_id: str = setting(
        matching(
            r"((?!ASIA)[A-Za-z0-9_]{1,128})?", "1 to 128 letters, digits or underscores, without ASIA in front", "ID"
        ),
        "",
        "Id of the root access key, instead of one that the first start creates.",
        "See [users-and-keys.md](users-and-keys.md#choose-the-root-access-key).",
        commands=(),
    )
    root_secret_access_key: str = setting(
        matching(r"[!-~]{0,256}", "at most 256 characters of ASCII without spaces", "SECRET", is_secret=True),
        "",
        "Secret of the root access key. It must be strong if other machines can reach the server.",
        "See [users-and-keys.md](users-and-keys.md#choose-the-root-access-key).",
        commands=(),
        secret=True,
    )

    @property
    def root_key(self) -> tuple[str, str] | None:
        """The id and the secret of the chosen root access key; None if there is none."""
        return (self.root_access_key_id, self.root_secret_access_key) if self.root_access_key_id else None
