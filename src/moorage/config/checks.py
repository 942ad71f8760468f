"""Rules that concern more than one setting. Each raises InvalidSetting with a message that names the settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from moorage.config.settings import Settings
from moorage.config.table import InvalidSetting
from moorage.domain.hosts import names_loopback
from moorage.domain.identity.root_keys import weakness_of


def metrics_have_their_own_address(settings: Settings) -> None:
    if settings.metrics == settings.listen:
        raise InvalidSetting(f"--metrics must not use the same address as --listen ({settings.listen}).")


def a_certificate_has_its_key(settings: Settings) -> None:
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise InvalidSetting("--tls-cert and --tls-key must be set together.")


def a_certificate_is_given_or_created(settings: Settings) -> None:
    if settings.tls_cert is not None and (settings.tls or settings.tls_name):
        raise InvalidSetting(
            "--tls and --tls-name create a certificate, --tls-cert and --tls-key use an existing one:"
            " set only one of the pairs."
        )
    if settings.tls_name and not settings.tls:
        raise InvalidSetting("--tls-name adds names to the certificate that --tls creates: set --tls, too.")


def one_master_key(settings: Settings) -> None:
    if settings.master_key is not None and settings.master_key_file is not None:
        raise InvalidSetting("MOORAGE_MASTER_KEY and MOORAGE_MASTER_KEY_FILE are both set: set only one of them.")
    settings.given_master_key()


def a_chosen_root_key_is_whole(settings: Settings) -> None:
    if bool(settings.root_access_key_id) != bool(settings.root_secret_access_key):
        raise InvalidSetting("MOORAGE_ROOT_ACCESS_KEY_ID and MOORAGE_ROOT_SECRET_ACCESS_KEY must be set together.")


def a_chosen_root_key_is_strong(settings: Settings) -> None:
    weakness = weakness_of(settings.root_secret_access_key)
    if settings.root_access_key_id and _is_reachable(settings) and weakness is not None:
        raise InvalidSetting(
            f"Other machines can reach {settings.listen}, and MOORAGE_ROOT_SECRET_ACCESS_KEY is too weak for that:"
            f" {weakness}. Use what `openssl rand -base64 30` prints, or listen on 127.0.0.1."
        )


def a_bucket_has_an_access_key(settings: Settings) -> None:
    if settings.bucket is not None and not (settings.s3_access_key_id and settings.s3_secret_access_key):
        raise InvalidSetting(
            "--blobs names a bucket: set MOORAGE_S3_ACCESS_KEY_ID and MOORAGE_S3_SECRET_ACCESS_KEY to an access key"
            " for it."
        )


def rotated_audit_files_fit_into_their_limit(settings: Settings) -> None:
    limit, size = settings.audit_limit, settings.audit_file_size
    if limit is not None and not 0 < 2 * size <= limit:
        raise InvalidSetting(
            "--audit-limit removes rotated files: set --audit-file-size to a size that is at most half of it."
        )


def nginx_is_a_trusted_proxy(settings: Settings) -> None:
    if settings.accel_redirect and not settings.trusted_proxy:
        raise InvalidSetting("--accel-redirect is for nginx in front: set --trusted-proxy to its address, too.")


def grype_is_pinned(settings: Settings) -> None:
    if settings.grype is not None and not settings.scanner_sha256:
        raise InvalidSetting(
            f"--scanner names a program: set --scanner-sha256 to what `sha256sum {settings.grype}` prints."
        )
    if settings.grype is None and (settings.scanner_sha256 or settings.scanner_database):
        raise InvalidSetting(
            "--scanner-sha256 and --scanner-database are for Grype: set --scanner to grype:/PATH, too."
        )


def a_lab_is_alone(settings: Settings) -> None:
    if not settings.lab:
        used = [name for name in _OF_LABS if getattr(settings, name)]
        if used:
            raise InvalidSetting(f"--{used[0].replace('_', '-')} works in lab mode only: set --lab, too.")
    elif settings.database is not None or settings.blobs:
        raise InvalidSetting("--lab needs a registry in its data folder: leave out --database and --blobs.")
    elif settings.workers > 1:
        raise InvalidSetting("--lab runs one worker process: leave out --workers.")


_OF_LABS: Final = ("lab_anywhere", "any_key", "rates", "ecr_quirks", "time", "seed")


def a_lab_is_out_of_reach(settings: Settings) -> None:
    if not settings.lab or not _is_reachable(settings):
        return
    if settings.any_key:
        raise InvalidSetting(
            f"--any-key lets everybody in, and other machines can reach {settings.listen}: listen on 127.0.0.1."
        )
    if not settings.lab_anywhere:
        raise InvalidSetting(
            f"--lab lets tests erase the registry, and other machines can reach {settings.listen}: listen on 127.0.0.1,"
            " or set --lab-anywhere."
        )


def _is_reachable(settings: Settings) -> bool:
    """Whether other machines can send requests."""
    return bool(settings.trusted_proxy) or not names_loopback(settings.host)


CHECKS: Final[tuple[Callable[[Settings], None], ...]] = (
    metrics_have_their_own_address,
    a_certificate_has_its_key,
    a_certificate_is_given_or_created,
    one_master_key,
    a_chosen_root_key_is_whole,
    a_chosen_root_key_is_strong,
    a_bucket_has_an_access_key,
    rotated_audit_files_fit_into_their_limit,
    nginx_is_a_trusted_proxy,
    grype_is_pinned,
    a_lab_is_alone,
    a_lab_is_out_of_reach,
)
