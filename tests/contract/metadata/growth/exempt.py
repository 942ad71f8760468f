"""Functions that may do more in a larger registry, each with the reason."""

from __future__ import annotations

from typing import Final

_COMMANDS: Final = "only commands and the start run it"
_JOBS: Final = "only jobs run it, in slices or for all that waits"

EXEMPT: Final[dict[str, str]] = {
    # --- Of requests
    "garbage.deleted_repositories.add": "DeleteRepository ends the uploads of the repository, which are limited",
    "identity.entities.count": "GetAccountSummary counts what an account has; administrators call it",
    "registry.repositories.remove": "only the last slice of a deleted repository runs it, when few rows are left",
    "gauges.gauges": "GET /metrics counts what waits; its values are kept for a while",
    "events.targets.page": "an operator makes few event targets, and they are sorted for a page of them",
    "jobs.page": "the operating API reads some thousand jobs for a page, and commands read all",
    "registry.usage.page": "each repository of the page has its number of layers; the operating API limits their sum",
    "registry.usage.page_of_registry": "the same, for one registry",
    # --- Of commands
    **dict.fromkeys(
        (
            "events.deliveries.count",
            "events.deliveries.failed",
            "events.deliveries.waiting_streams",
            "events.targets.delete",
            "garbage.deleted_repositories.named",
            "garbage.deleted_repositories.page",
            "garbage.references.deleted_images_with_digest",
            "garbage.references.deleted_images_with_layer",
            "garbage.references.images_with_digest",
            "garbage.references.images_with_layer",
            "garbage.references.pending_removals",
            "garbage.references.repositories_with_blob",
            "garbage.verification.blob",
            "garbage.verification.blobs_of_keys",
            "garbage.verification.bytes_after",
            "garbage.verification.ended_uploads",
            "garbage.verification.mark_damaged",
            "garbage.verification.mark_intact",
            "garbage.verification.orphaned_states",
            "garbage.verification.replace_key",
            "garbage.verification.unknown_keys",
            "garbage.verification_results.add",
            "garbage.verification_results.begin",
            "identity.accounts.insert_master_key_stamp",
            "identity.accounts.list_accounts",
            "identity.accounts.list_users",
            "identity.accounts.replace_master_key_stamp",
            "identity.policies.list_policies",
            "identity.principals.policies_naming",
            "identity.principals.replace_text",
            "identity.roles.list_roles",
            "identity.sealed.replace_all",
            "jobs.dead_keys",
            "registry.own_store.insert",
            "registry.regions.of_account",
            "registry.repositories.all_with_policies",
            "replication.destinations.delete",
            "replication.destinations.list_all",
            "replication.entries.wait_again",
            "replication.entries.waiting_streams",
            "replication.progress.failed",
            "replication.progress.of_destinations",
        ),
        _COMMANDS,
    ),
    # --- Of jobs
    **dict.fromkeys(
        (
            "garbage.deleted_images.expired",
            "garbage.deleted_repositories.ids",
            "garbage.future_times.limit",
            "garbage.unreferenced.due_removals",
            "garbage.unreferenced.expired_uploads",
            "garbage.unreferenced.finish_removals",
            "garbage.unreferenced.remove_blob",
            "garbage.unreferenced.remove_upload",
            "garbage.unreferenced.unlink",
            "garbage.unreferenced.unreferenced_blobs",
            "garbage.unreferenced.unreferenced_layers",
            "jobs.limit_waiting",
            "replication.backfills.add_results",
            "replication.backfills.next_repositories",
            "replication.comparisons.configured_sources",
            "replication.comparisons.tags_to_compare",
            "replication.entries.drop_waiting",
            "replication.entries.fail_stream",
            "replication.entries.wait_again_if_passed",
            "scanning.scans.add_findings",
        ),
        _JOBS,
    ),
}
