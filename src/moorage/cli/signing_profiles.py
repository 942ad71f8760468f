"""`moorage signing-profile`: the profiles that sign pushed images, their roots, and what verifiers need for them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from moorage.cli.confirmation import confirm, yes_option
from moorage.cli.folders import existing_folder
from moorage.cli.next_commands import failure
from moorage.cli.options import with_registry
from moorage.cli.transactions import account_option, change, change_with_secrets, time_text
from moorage.config.settings import Settings
from moorage.core.clock import system_clock
from moorage.core.signing import profiles, signatures, trust
from moorage.core.signing.keys import SealedKeys
from moorage.core.signing.profiles import NewProfile
from moorage.domain.names import Registry, is_account
from moorage.domain.signing.errors import SigningError
from moorage.domain.signing.profiles import DEFAULT_VALIDITY, ProfileName, Validity, ValidityType
from moorage.metadata.database import Transaction
from moorage.metadata.signing.profiles import ProfileVersion

R = TypeVar("R")

_BY = "operator"
"""Who revokes something with a command. The audit log has the user of the operating system."""

_region_option = click.option(
    "--region", "profile_region", metavar="NAME", help="Region of the profile.  [default: the server's]"
)
_name_argument = click.argument("name", metavar="NAME")


def _with_place(command: Callable[..., R]) -> Callable[..., R]:
    """The options of a command about the profiles of an account in a Region."""
    return account_option(_region_option(with_registry(command)))


@click.group("signing-profile")
def signing_profile() -> None:
    """Signing profiles: keys that sign pushed images, as those of AWS Signer."""


@signing_profile.command("create")
@_name_argument
@click.option(
    "--validity",
    type=(int, click.Choice(get_args(ValidityType), case_sensitive=False)),
    default=(DEFAULT_VALIDITY.value, DEFAULT_VALIDITY.type),
    show_default=True,
    metavar="N UNIT",
    help="How long signatures are valid, for example 24 MONTHS.",
)
@click.option(
    "--aws-plugin/--no-aws-plugin",
    "needs_plugin",
    default=None,
    help="Make signatures that need AWS Signer's plugin, which asks about revocations.  [default: as before, or not]",
)
@_with_place
def create(name: str, validity: tuple[int, ValidityType], needs_plugin: bool | None, **place: Any) -> None:
    """Create a profile, or a new version of it with a new key. Prints its ARN."""
    new = NewProfile(_named(name, **place), Validity(*validity), needs_plugin=needs_plugin)
    made = change_with_secrets(
        place["settings"],
        lambda tx, vault: profiles.put(tx, SealedKeys(vault), new, system_clock()),
        lambda version: {"profileVersionArn": version.arn},
    )
    click.echo(made.profile.arn)


@signing_profile.command("list")
@click.argument("name", metavar="[NAME]", required=False)
@_with_place
def list_profiles(name: str | None, account: str, profile_region: str | None, settings: Settings) -> None:
    """Show the profiles of an account, or the versions of one: when each certificate ends, and its status."""
    registry = _registry(account, profile_region, settings)

    def read(tx: Transaction) -> list[ProfileVersion]:
        if name is not None:
            return profiles.versions(tx, _parsed(registry, name))
        return profiles.page(tx, registry, "", profiles.PROFILE_LIMIT, profiles.STATUSES)

    for version in change(settings, read):
        plugin = ("AWS plugin",) if version.needs_plugin else ()
        click.echo("\t".join((version.arn, version.status, f"until {time_text(version.ends_at)}", *plugin)))


@signing_profile.command("cancel")
@_name_argument
@_with_place
def cancel(name: str, account: str, profile_region: str | None, settings: Settings) -> None:
    """Stop signing with a profile. Its signatures stay valid."""
    change(settings, lambda tx: profiles.cancel(tx, _named(name, account, profile_region, settings)))
    click.echo(f"Profile {name} canceled.")


@signing_profile.command("revoke")
@_name_argument
@click.option("--version", metavar="ID", help="The version to revoke.  [default: the current one]")
@click.option("--reason", required=True, metavar="TEXT", help="Why, for those who verify signatures.")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]),
    metavar="TIME",
    help="Signatures from this time on are not valid (UTC).  [default: all of the version]",
)
@_with_place
def revoke(name: str, version: str | None, reason: str, since: Any, **place: Any) -> None:
    """Declare the signatures of a profile version invalid. It signs nothing any more."""
    settings = place["settings"]
    since_time = 0 if since is None else int(since.timestamp()) * 1_000_000

    def work(tx: Transaction) -> ProfileVersion:
        profile = _named(name, **place)
        chosen = profiles.get_version(tx, profile, version) if version else profiles.get(tx, profile)
        profiles.revoke(tx, chosen, reason, _BY, since_time, system_clock())
        return chosen

    revoked = change(settings, work, lambda chosen: {"profileVersionArn": chosen.arn})
    click.echo(f"Profile version {revoked.arn} revoked.")


@signing_profile.command("revoke-signature")
@click.argument("job_id", metavar="JOB")
@click.option("--reason", required=True, metavar="TEXT", help="Why, for those who verify signatures.")
@_with_place
def revoke_signature(job_id: str, reason: str, account: str, profile_region: str | None, settings: Settings) -> None:
    """Declare one signature invalid. JOB is the id in its attribute com.amazonaws.signer.signingJob."""
    owner = _registry(account, profile_region, settings)
    change(settings, lambda tx: signatures.revoke_signature(tx, owner, job_id, reason, _BY, system_clock()))
    click.echo(f"Signature {job_id} revoked.")


@signing_profile.command("share")
@_name_argument
@click.option("--with", "accounts", multiple=True, metavar="ID", help="Account that may sign; may be repeated.")
@_with_place
def share(name: str, accounts: tuple[str, ...], account: str, profile_region: str | None, settings: Settings) -> None:
    """Let other accounts sign with a profile: those that are named, and no others."""
    wrong = [one for one in accounts if not is_account(one)]
    if wrong:
        raise failure(f"{wrong[0]!r} is not an account ID.")
    change(settings, lambda tx: profiles.share(tx, _named(name, account, profile_region, settings), accounts))
    click.echo(f"Profile {name} is shared with {', '.join(accounts) or 'no account'}.")


@signing_profile.command("trust")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--scope", "scopes", multiple=True, metavar="HOST/REPOSITORY", help="Repository to trust them for.")
@click.option(
    "--write",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Write the files there, for example to ~/.config/notation.",
)
@_with_place
def trust_profiles(names: tuple[str, ...], scopes: tuple[str, ...], folder: Path | None, **place: Any) -> None:
    """Print the trust policy and the certificates with which `notation` trusts these profiles, or all."""
    settings = place["settings"]
    found = change(settings, lambda tx: trust.trust_in(tx, _registry(**place), names, scopes))
    if folder is None:
        click.echo(found.policy_text() + b"".join(found.certificates.values()).decode(), nl=False)
        return
    policy = folder / trust.POLICY_FILE
    if policy.exists() and policy.read_text("utf-8") != found.policy_text():
        raise failure(
            f"{policy} exists. Add the policy that `moorage signing-profile trust` prints, or remove the file."
        )
    for name, certificate in found.certificates.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(certificate)
    policy.write_text(found.policy_text(), "utf-8")
    click.echo(f"Wrote {policy} and the certificates of {len(found.certificates)} roots.")


@signing_profile.command("export-root")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@account_option
@with_registry
def export_root(file: Path, account: str, settings: Settings) -> None:
    """Write the root certificate of an account and its private key to FILE, which must not exist.

    Anyone with the key can sign as any profile of the account.
    """
    text = change_with_secrets(settings, lambda tx, vault: profiles.export_root(tx, SealedKeys(vault), account))
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise failure(error) from None
    with os.fdopen(descriptor, "wb") as out:
        out.write(text)
    click.echo(f"Wrote the root certificate and its private key to {file}. Keep it secret.")


@signing_profile.command("import-root")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@yes_option
@account_option
@with_registry
def import_root(file: Path, account: str, yes: bool, settings: Settings) -> None:
    """Use the root certificate and the private key in FILE (PEM, P-384) for an account."""
    text = file.read_bytes()
    _confirm_new_root(settings, account, yes=yes)
    root, number = change_with_secrets(
        settings,
        lambda tx, vault: profiles.import_root(tx, SealedKeys(vault), account, text, system_clock()),
        lambda made: {"rootId": made[0].id},
    )
    click.echo(f"Account {account} has the root {root.id}; {number} profiles have new versions under it.")


@signing_profile.command("rotate-root")
@yes_option
@account_option
@with_registry
def rotate_root(account: str, yes: bool, settings: Settings) -> None:
    """Replace the root of an account. Verifiers need the new certificate before they see new signatures.

    Each active profile gets a new version. Signatures under the old root stay valid while verifiers trust it.
    """
    _confirm_new_root(settings, account, yes=yes)
    root, number = change_with_secrets(
        settings,
        lambda tx, vault: profiles.rotate_root(tx, SealedKeys(vault), account, system_clock()),
        lambda made: {"rootId": made[0].id},
    )
    click.echo(f"Account {account} has the root {root.id}; {number} profiles have new versions under it.")


def _confirm_new_root(settings: Settings, account: str, *, yes: bool) -> None:
    """Ask before the key of an account's root is forgotten."""
    existing_folder(settings)
    confirm(
        f"Replace the root of account {account}? Its key is forgotten, and verifiers need the new certificate.", yes=yes
    )


def _registry(account: str, profile_region: str | None, settings: Settings) -> Registry:
    return Registry(account, profile_region or settings.region)


def _named(name: str, account: str, profile_region: str | None, settings: Settings) -> ProfileName:
    return _parsed(_registry(account, profile_region, settings), name)


def _parsed(registry: Registry, name: str) -> ProfileName:
    """A profile by its name."""
    try:
        return ProfileName.parse(registry, name)
    except SigningError as error:
        raise failure(error) from None
