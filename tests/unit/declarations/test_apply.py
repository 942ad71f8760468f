"""`moorage apply` for registries: planned, applied as a whole, exported, and refused with the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from moorage.domain.identity.root_keys import FIRST_ACCOUNT
from moorage.domain.names import Registry
from moorage.metadata.database import Transaction
from moorage.metadata.registry import repositories
from tests.unit.declarations.folder import Folder

REGISTRY = Registry(FIRST_ACCOUNT, "us-east-1")
KEY = f"arn:aws:kms:us-east-1:{FIRST_ACCOUNT}:key/00000000-0000-0000-0000-000000000001"

WHOLE = f"""
users:
  ci:
    path: /build/
    tags: {{team: a}}
registries:
  eu-west-1:
    replication:
      - destinations: [{{region: us-east-1, account: "{FIRST_ACCOUNT}"}}]
        prefixes: [team/]
        deletions: true
  us-east-1:
    account_settings: {{BLOB_MOUNTING: DISABLED}}
    policy:
      Version: "2012-10-17"
      Statement:
        - Sid: replicas
          Effect: Allow
          Principal: {{AWS: "arn:aws:iam::{FIRST_ACCOUNT}:root"}}
          Action: [ecr:ReplicateImage]
          Resource: ["arn:aws:ecr:us-east-1:{FIRST_ACCOUNT}:repository/*"]
    scanning:
      type: ENHANCED
      rules: [{{frequency: CONTINUOUS_SCAN, filters: [team/*]}}]
    signing:
      - profile: arn:aws:signer:us-east-1:{FIRST_ACCOUNT}:/signing-profiles/release
        filters: [team/*]
    pull_time_exclusions: ["arn:aws:iam::{FIRST_ACCOUNT}:user/build/ci"]
    pull_through_rules:
      quay: {{upstream: quay.io, refresh: 3600}}
      mirror/k8s: {{upstream: registry.k8s.io}}
    templates:
      team:
        applied_for: [CREATE_ON_PUSH]
        description: for teams
        tag_mutability: IMMUTABLE
        policy:
          Version: "2012-10-17"
          Statement: [{{Sid: pull, Effect: Allow, Principal: "*", Action: ["ecr:BatchGetImage"]}}]
        tags: {{made: by-push}}
    repositories:
      team/app:
        tag_mutability: IMMUTABLE_WITH_EXCLUSION
        tag_mutability_exclusions: ["latest*"]
        scan_on_push: true
        encryption: {{type: KMS, kms_key: alias/team}}
        policy:
          Version: "2012-10-17"
          Statement:
            - Sid: ci
              Effect: Allow
              Principal: {{AWS: "arn:aws:iam::{FIRST_ACCOUNT}:user/build/ci"}}
              Action: ["ecr:*"]
        lifecycle_policy:
          rules:
            - rulePriority: 1
              description: keep ten
              selection: {{tagStatus: any, countType: imageCountMoreThan, countNumber: 10}}
              action: {{type: expire}}
        tags: {{team: a, stage: prod}}
      team/plain: {{}}
"""

PLAN = """\
+ user ci
~ registry eu-west-1: replication
~ registry us-east-1: account setting BLOB_MOUNTING ENABLED -> DISABLED
+ registry us-east-1: scanning
+ registry us-east-1: signing
+ registry us-east-1: pull time exclusion arn:aws:iam::000000000000:user/build/ci
+ registry us-east-1: policy
+ pull-through cache rule quay in us-east-1
+ pull-through cache rule mirror/k8s in us-east-1
+ creation template team in us-east-1
+ repository team/app in us-east-1
+ repository team/plain in us-east-1
""".replace("~ registry eu", "+ registry eu")

KEYS = ("--kms-key", f"alias/team={KEY}")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "data")


def test_a_plan_changes_nothing_and_is_then_applied_as_shown(folder: Folder) -> None:
    assert folder.plan(WHOLE, *KEYS) == PLAN.splitlines()

    done = folder.apply(WHOLE, *KEYS)

    assert done.stdout.endswith("Applied 12 changes.\n"), done.output
    assert folder.apply(WHOLE, *KEYS).stdout == "No changes: everything matches the file.\n"


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
def test_an_export_applies_without_changes_here_and_makes_another_registry_the_same(
    folder: Folder, tmp_path: Path, suffix: str
) -> None:
    folder.apply(WHOLE, *KEYS)
    file, again = tmp_path / f"export{suffix}", tmp_path / f"again{suffix}"

    assert folder.moorage("export", "settings", str(file)).exit_code == 0

    options = ("--yes", "--prune", *KEYS)
    assert folder.moorage("apply", str(file), *options).stdout == "No changes: everything matches the file.\n"
    other = Folder(tmp_path / "other")
    made = other.moorage("apply", str(file), *options)
    assert made.stdout.endswith("Applied 12 changes.\n"), made.output
    assert other.moorage("export", "settings", str(again)).exit_code == 0
    assert again.read_text() == file.read_text()


def test_without_a_file_an_export_is_printed_as_yaml(folder: Folder) -> None:
    folder.apply(WHOLE, *KEYS)
    printed = folder.moorage("export", "settings").stdout

    assert folder.plan(printed, *KEYS) == ["No changes: everything matches the file."]


@pytest.mark.parametrize(
    ("old", "new", "plan"),
    [
        ("IMMUTABLE_WITH_EXCLUSION", "MUTABLE_WITH_EXCLUSION", [
            "~ repository team/app in us-east-1: tag mutability IMMUTABLE_WITH_EXCLUSION -> MUTABLE_WITH_EXCLUSION"
        ]),
        ('["latest*"]', '["edge*"]', [
            "~ repository team/app in us-east-1: tag mutability exclusions latest* -> edge*"
        ]),
        ("scan_on_push: true", "scan_on_push: false", ["~ repository team/app in us-east-1: scan on push on -> off"]),
        ("stage: prod", "stage: test", ["~ repository team/app in us-east-1: tags"]),
        ("countNumber: 10", "countNumber: 11", ["~ repository team/app in us-east-1: lifecycle policy"]),
        ('Action: ["ecr:*"]', 'Action: ["ecr:PutImage"]', ["~ repository team/app in us-east-1: policy"]),
        ("for teams", "for all", ["~ creation template team in us-east-1"]),
        ("refresh: 3600", "refresh: 7200", ["~ pull-through cache rule quay in us-east-1: refresh 3600 -> 7200"]),
        ("registry.k8s.io", "public.ecr.aws", ["~ pull-through cache rule mirror/k8s in us-east-1"]),
        ("deletions: true", "deletions: false", ["~ registry eu-west-1: replication"]),
        ("CONTINUOUS_SCAN", "SCAN_ON_PUSH", ["~ registry us-east-1: scanning"]),
        ("/signing-profiles/release", "/signing-profiles/other", ["~ registry us-east-1: signing"]),
        ("Sid: replicas", "Sid: copies", ["~ registry us-east-1: policy"]),
        ("{team: a}\nregistries", "{team: b}\nregistries", ["~ user ci: tags"]),
    ],
)  # fmt: skip
def test_drift_is_shown_and_repaired(folder: Folder, old: str, new: str, plan: list[str]) -> None:
    folder.apply(WHOLE, *KEYS)
    changed = WHOLE.replace(old, new)
    assert changed != WHOLE

    assert folder.plan(changed, *KEYS) == plan

    assert folder.apply(changed, *KEYS).exit_code == 0
    assert folder.plan(changed, *KEYS) == ["No changes: everything matches the file."]


def test_the_plan_shows_the_lines_of_a_document_that_differ(folder: Folder) -> None:
    folder.apply(WHOLE, *KEYS)

    shown = folder.apply(WHOLE.replace("countNumber: 10", "countNumber: 11"), "--plan", *KEYS).stdout

    assert '    -        "countNumber": 10,\n    +        "countNumber": 11,\n' in shown


def test_what_the_file_does_not_name_stays_unless_it_is_pruned(folder: Folder) -> None:
    folder.apply(WHOLE, *KEYS)
    little = "registries: {us-east-1: {repositories: {team/plain: {}}}}"
    assert folder.plan(little) == ["No changes: everything matches the file."]

    pruned = folder.plan(little, "--prune")

    assert pruned == [
        "- user ci",
        "~ registry us-east-1: account setting BLOB_MOUNTING DISABLED -> ENABLED",
        "- registry us-east-1: scanning",
        "- registry us-east-1: signing",
        "- registry us-east-1: pull time exclusion arn:aws:iam::000000000000:user/build/ci",
        "- registry us-east-1: policy",
        "- pull-through cache rule mirror/k8s in us-east-1",
        "- pull-through cache rule quay in us-east-1",
        "- creation template team in us-east-1",
        "- repository team/app in us-east-1",
    ]
    assert folder.apply(little, "--prune").exit_code == 0
    assert folder.plan(little, "--prune") == ["No changes: everything matches the file."]
    assert "eu-west-1" in folder.moorage("export", "settings").stdout


def test_a_repository_with_images_is_pruned_only_by_force(folder: Folder) -> None:
    folder.apply("registries: {us-east-1: {repositories: {team/app: {}}}}")
    folder.transact(_add_image)
    none = "registries: {us-east-1: {}}"

    refused = folder.apply(none, "--prune")

    assert refused.exit_code == 1
    assert "contains images" in refused.output
    assert folder.apply(none, "--force").exit_code == 2
    assert folder.plan(none, "--prune", "--force") == ["- repository team/app in us-east-1"]
    assert folder.apply(none, "--prune", "--force").exit_code == 0


def _add_image(tx: Transaction) -> None:
    repository = repositories.find(tx, REGISTRY, "team/app")
    assert repository is not None
    tx.run(
        "INSERT INTO image (repository_id, digest, media_type, manifest_size, size, annotations, pushed_at)"
        " VALUES (:id, :digest, :type, 1, 1, '{}', 1)",
        id=repository.id,
        digest="sha256:" + "0" * 64,
        type="application/vnd.oci.image.manifest.v1+json",
    )


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("users:\n  ci: {}\n  x:\n    polices: []", 4, "unknown field `polices`"),
        ("registries:\n  us-east-1:\n    repositories:\n      team/app: {scan_on_pull: true}", 4, "`scan_on_pull`"),
        ("registries:\n  us-east-1:\n    repositories:\n      team/app:\n        tags: {a: 1}", 5, "Expected `str`"),
        ("registries:\n  us-east-1:\n    templates:\n      a:\n        role: x", 4, "missing required field"),
        ("registries:\n  us-east-1:\n    repositories:\n      Team: {}", 4, "regular expression"),
        (
            "registries:\n  us-east-1:\n    repositories:\n      team/app:\n        tag_mutability: FROZEN",
            5,
            "tag_mutability: Member must satisfy enum value set",
        ),
        (
            "registries:\n  us-east-1:\n    repositories:\n      team/app:\n        policy: {Version: x}",
            4,
            "Invalid repository policy provided",
        ),
        ("registries:\n  us-east-1:\n    account_settings:\n      COLOUR: RED", 3, "enum value set"),
        ("registries:\n  us-east-1: {}\n  here: {}", 3, "add --extra-region here"),
        (
            "registries:\n  us-east-1:\n    pull_through_rules:\n      a/b:\n        upstream: example.org",
            4,
            "upstream",
        ),
        ("oidc_providers:\n  https://a.example.org:\n    audiences: [a]\n    keys_file: none.json", 4, "No such file"),
    ],
)
def test_what_is_wrong_is_refused_with_its_line_before_anything_changes(
    folder: Folder, text: str, line: int, reason: str
) -> None:
    refused = folder.apply(f"{text}\n")

    assert refused.exit_code == 1, refused.output
    assert f"registry.yaml: line {line}: " in refused.output
    assert reason in refused.output
    assert "us-east-1" not in folder.moorage("export", "settings").stdout


def test_the_encryption_of_a_repository_cannot_be_changed(folder: Folder) -> None:
    folder.apply(WHOLE, *KEYS)

    refused = folder.apply(WHOLE.replace("{type: KMS, kms_key: alias/team}", "{type: AES256}"), *KEYS)

    assert refused.exit_code == 1
    assert "The encryption of a repository cannot be changed" in refused.output
    without = WHOLE.replace("encryption: {type: KMS, kms_key: alias/team}\n", "\n")
    assert folder.plan(without, *KEYS) == ["No changes: everything matches the file."]
