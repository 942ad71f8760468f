"""`moorage signing`: which repositories require signatures for pulls, and signatures that failed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from moorage.cli.next_commands import failure
from moorage.cli.options import with_registry
from moorage.cli.transactions import account_option, change
from moorage.config.settings import Settings
from moorage.core.clock import system_clock
from moorage.core.signing import guard, on_push
from moorage.core.signing.guard import NewRequirement
from moorage.domain.names import Registry
from moorage.metadata.signing import configurations
from moorage.metadata.signing.configurations import Requirement

_region_option = click.option(
    "--region", "profile_region", metavar="NAME", help="Region of the registry.  [default: the server's]"
)


_KINDS: Final = {
    "profile": guard.NOTATION_PROFILE,
    "notation_certificate": guard.NOTATION_CERTIFICATE,
    "notation_authority": guard.NOTATION_AUTHORITY,
    "cosign_key": guard.COSIGN_KEY,
}
"""The kind of requirement of each option."""


def _file_option(name: str, text: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """An option with a file."""
    kind = click.Path(path_type=Path, exists=True, dir_okay=False)
    return click.option(name, type=kind, metavar="FILE", help=text)


@click.group()
def signing() -> None:
    """Signatures of images: those that pulls need, and those that failed."""


@signing.command("require")
@click.argument("pattern", metavar="REPOSITORY")
@click.option("--notation-profile", "profile", metavar="ARN", help="Accept signatures by this signing profile.")
@_file_option("--notation-certificate", "Accept signatures whose certificates lead to one in this file (PEM).")
@_file_option("--notation-authority", "The same for a signing authority, whose time of the signature is trusted.")
@_file_option("--cosign-key", "Accept signatures by this public key (cosign.pub).")
@account_option
@_region_option
@with_registry
def require(
    pattern: str, account: str, profile_region: str | None, settings: Settings, **trusted: str | Path | None
) -> None:
    """Refuse pulls of unsigned images from REPOSITORY, in which `*` stands for any characters.

    Give one of the options. Run the command again to accept further signatures: one of them is enough.
    """
    given = [(name, value) for name, value in trusted.items() if value is not None]
    if len(given) != 1:
        raise click.UsageError(
            "Give one of --notation-profile, --notation-certificate, --notation-authority and --cosign-key."
        )
    ((name, value),) = given
    new = NewRequirement(pattern, _KINDS[name], _text(value) if isinstance(value, Path) else value)
    registry = Registry(account, profile_region or settings.region)
    made = change(
        settings,
        lambda tx: guard.require(tx, registry, new, system_clock()),
        lambda requirement: {"requirementId": requirement.id},
    )
    click.echo(_line(made))


@signing.command("requirements")
@account_option
@_region_option
@with_registry
def requirements(account: str, profile_region: str | None, settings: Settings) -> None:
    """Show which repositories require signatures, and by whom."""
    registry = Registry(account, profile_region or settings.region)
    for requirement in change(settings, lambda tx: configurations.requirements_of(tx, registry)):
        click.echo(_line(requirement))


@signing.command("unrequire")
@click.argument("requirement_id", metavar="ID")
@account_option
@_region_option
@with_registry
def unrequire(requirement_id: str, account: str, profile_region: str | None, settings: Settings) -> None:
    """Remove a requirement."""
    registry = Registry(account, profile_region or settings.region)
    change(settings, lambda tx: guard.stop_requiring(tx, registry, requirement_id))
    click.echo(f"Requirement {requirement_id} removed.")


@signing.command("retry")
@click.argument("pattern", metavar="[REPOSITORY]", default="*")
@account_option
@_region_option
@with_registry
def retry(pattern: str, account: str, profile_region: str | None, settings: Settings) -> None:
    """Try failed signatures again, in all repositories or those that match REPOSITORY.

    Each is made on behalf of the caller who pushed the image, and with the permissions of that caller now.
    """
    registry, now = Registry(account, profile_region or settings.region), system_clock()
    count, after = 0, 0
    while retried := change(
        settings,
        lambda tx: on_push.retry(tx, registry, pattern, after, now),  # noqa: B023 - called at once
        lambda made: {"signatures": made.signatures} if made else {},
    ):
        count, after = count + retried.signatures, retried.last_image
    click.echo(f"Failed signatures that are tried again: {count}.")


def _line(requirement: Requirement) -> str:
    trusted = requirement.trusted
    if requirement.kind != guard.NOTATION_PROFILE:
        trusted = f"sha256:{hashlib.sha256(trusted.encode()).hexdigest()[:12]}"  # as `sha256sum` prints it of the file
    return f"{requirement.id}\t{requirement.filter}\t{requirement.kind}\t{trusted}"


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise failure(error) from None
