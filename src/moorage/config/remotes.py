"""Settings of the connections to other registries: upstream registries, and destinations of replication."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from moorage.config.first_account import FirstAccountSettings
from moorage.config.kinds import host_names, matching, several
from moorage.config.table import DECLARED, setting
from moorage.domain.pull_through.upstreams import AddedUpstreams

SEVERAL: Final = "Separate several with commas, or repeat the option."


@dataclass(frozen=True, slots=True)
class RemoteSettings(FirstAccountSettings):
    """The settings of other registries, the scanner and the first account, which `Settings` has beside its own."""

    upstream: AddedUpstreams = setting(
        several(AddedUpstreams.parse, "NAME=URL"),
        "",
        "Let pull-through cache rules use this registry, for example harbor.example.com=https://10.0.0.7.",
        "With a URL, it may be in a private network; `NAME` alone stands for `https://NAME`"
        f" ([pull-through.md](pull-through.md#other-registries)). {SEVERAL}",
        commands=DECLARED,
    )
    mirror: tuple[str, ...] = setting(
        several(host_names, "HOST"),
        "",
        "Answer pulls without a prefix as a mirror of this registry, for example docker.io.",
        "For Docker's `registry-mirrors`; it needs a pull-through cache rule for that registry"
        f" ([pull-through.md](pull-through.md#as-a-mirror)). {SEVERAL}",
    )
    registry_proxy: str | None = setting(
        matching(r"http://[^/?#]+/?", "http://HOST:PORT, or not set at all", "URL", is_secret=True),
        None,
        "Reach other registries on public addresses through this HTTP proxy.",
        "The proxy decides which addresses can be reached. The URL can have a user name and a password"
        " ([pull-through.md](pull-through.md#through-a-proxy)).",
        secret=True,
    )
