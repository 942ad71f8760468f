"""`moorage apply`: identities in a file, planned, applied in one transaction, and unchanged when applied again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from moorage.cli.main import main
from moorage.domain.identity.root_keys import FIRST_ACCOUNT
from moorage.metadata.engines.sqlite.schema import migrate
from moorage.metadata.engines.sqlite.writer import open_writer
from moorage.metadata.identity import accounts as identities
from tests.support.issuer import Issuer

YAML = """
policies:
  push-team:
    Version: 2012-10-17
    Statement:
      - Effect: Allow
        Action: [ecr:PutImage, ecr:InitiateLayerUpload]
        Resource: arn:aws:ecr:*:*:repository/team/*
users:
  ci:
    policies: [AmazonEC2ContainerRegistryReadOnly, push-team]
    inline:
      own: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "ecr:DeleteRepository", Resource: "*"}]}
roles:
  deploy:
    path: /ci/
    max_session: 7200
    policies: [push-team]
    trust:
      Version: "2012-10-17"
      Statement:
        - Effect: Allow
          Principal: {Federated: "arn:aws:iam::000000000000:oidc-provider/ci.example.org"}
          Action: sts:AssumeRoleWithWebIdentity
          Condition: {StringEquals: {"ci.example.org:aud": sts.amazonaws.com}}
oidc_providers:
  https://ci.example.org:
    audiences: [sts.amazonaws.com]
    keys_file: ci.jwks.json
"""

PLAN = """\
+ policy push-team
+ oidc provider https://ci.example.org
+ user ci
+ user ci: policy push-team
+ user ci: policy AmazonEC2ContainerRegistryReadOnly
+ user ci: inline policy own
+ role deploy
+ role deploy: policy push-team
"""


class Folder:
    """A data folder without a server, and an identities file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path / "identities.yaml"
        (path / "ci.jwks.json").write_text(Issuer("https://ci.example.org").key_set())
        migrate(path / "moorage.db")
        with open_writer(path / "moorage.db") as writer:
            writer.transact(lambda tx: identities.insert_account(tx, FIRST_ACCOUNT, 0))

    def moorage(self, *words: str, stdin: str = "") -> Result:
        return CliRunner().invoke(main, [*words, "--data", str(self.path)], input=stdin)

    def apply(self, text: str, *options: str, stdin: str = "") -> Result:
        self.file.write_text(text)
        return self.moorage("apply", str(self.file), *options, stdin=stdin)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_a_plan_changes_nothing_and_is_then_applied_as_shown(folder: Folder) -> None:
    assert folder.apply(YAML, "--plan").stdout == PLAN
    assert folder.apply(YAML, "--plan").stdout == PLAN

    done = folder.apply(YAML, "--yes")

    assert (done.exit_code, done.stdout) == (0, f"{PLAN}Applied 8 changes.\n")
    assert folder.apply(YAML, "--yes").stdout == "No changes: everything matches the file.\n"
    assert "ci\tpush-team, AmazonEC2ContainerRegistryReadOnly, own (inline)\n" in folder.moorage("user", "list").stdout
    assert folder.moorage("role", "list").stdout == "deploy\t7200\tpush-team\n"
    assert folder.moorage("role", "show", "deploy").stderr == f"arn:aws:iam::{FIRST_ACCOUNT}:role/ci/deploy\n"
    assert folder.moorage("oidc", "list").stdout == "https://ci.example.org\tsts.amazonaws.com\n"
    assert json.loads(folder.moorage("policy", "show", "push-team").stdout)["Version"] == "2012-10-17"


def test_nothing_is_applied_without_confirmation(folder: Folder) -> None:
    for answer in ("n\n", ""):
        prompted = folder.apply(YAML, stdin=answer)
        assert prompted.exit_code == 1
        assert "Apply these changes? [y/N]" in prompted.stdout
    assert folder.apply(YAML, "--plan").stdout == PLAN
    assert folder.apply(YAML, stdin="y\n").exit_code == 0
    assert folder.apply(YAML, "--plan").stdout == "No changes: everything matches the file.\n"


@pytest.mark.parametrize(
    ("old", "new", "plan"),
    [
        ("team/*", "teams/*", "~ policy push-team\n"),
        ("max_session: 7200", "max_session: 3600", "~ role deploy: maximum session duration 3600 s\n"),
        ("ci.example.org:aud", "ci.example.org:sub", "~ role deploy: trust policy\n"),
        ("audiences: [sts.amazonaws.com]", "audiences: [other]", "~ oidc provider https://ci.example.org\n"),
        ("ecr:DeleteRepository", "ecr:ListImages", "~ user ci: inline policy own\n"),
        (
            "[AmazonEC2ContainerRegistryReadOnly, push-team]",
            "[AmazonEC2ContainerRegistryPullOnly]",
            """\
- user ci: policy push-team
- user ci: policy AmazonEC2ContainerRegistryReadOnly
+ user ci: policy AmazonEC2ContainerRegistryPullOnly
""",
        ),
        ("      own:", "      renamed:", "- user ci: inline policy own\n+ user ci: inline policy renamed\n"),
    ],
)
def test_each_difference_is_one_line_and_the_next_plan_is_empty(folder: Folder, old: str, new: str, plan: str) -> None:
    folder.apply(YAML, "--yes")
    changed = YAML.replace(old, new)
    assert changed != YAML

    assert folder.apply(changed, "--plan").stdout == plan
    assert folder.apply(changed, "--yes").exit_code == 0
    assert folder.apply(changed, "--plan").stdout == "No changes: everything matches the file.\n"


def test_identities_that_the_file_does_not_name_stay_or_are_pruned(folder: Folder) -> None:
    folder.apply(YAML, "--yes")
    assert folder.moorage("user", "create", "root").exit_code == 0
    assert folder.moorage("user", "create", "extra", "--policy", "push-team").exit_code == 0

    assert folder.apply("users: {}", "--plan").stdout == "No changes: everything matches the file.\n"
    pruned = folder.apply("users: {}", "--prune", "--yes")

    assert pruned.stdout == (
        "- user ci\n- user extra\n- role deploy\n- oidc provider https://ci.example.org\n- policy push-team\n"
        "Applied 5 changes.\n"
    )
    assert folder.moorage("user", "list").stdout == "root\teverything\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (YAML.replace("[push-team]", "[not-there]"), "there is no policy 'not-there'"),
        (
            YAML.replace("Effect: Allow\n        Action", "Effect: Maybe\n        Action"),
            "Effect must be Allow or Deny",
        ),
        (YAML.replace("sts:AssumeRoleWithWebIdentity", "ecr:PutImage"), "this policy cannot name the action"),
        (YAML.replace("max_session: 7200", "max_session: 60"), "maximum session duration"),
        (YAML.replace("https://ci.example.org:", "http://ci.example.org:"), "https URL"),
        (YAML + "account: '123456789012'\n", "there is no account '123456789012'"),
    ],
)
def test_one_error_prevents_all_changes(folder: Folder, text: str, message: str) -> None:
    ended = folder.apply(text, "--yes")

    assert (ended.exit_code, ended.stdout) == (1, "")
    assert message in ended.stderr
    assert folder.apply(YAML, "--plan").stdout == PLAN


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("users: {ci: {secret: x}}", "unknown field `secret`"),
        ("usrs: {}", "unknown field `usrs`"),
        ("roles: {x: {}}", "missing required field `trust`"),
        ("users: [", "identities.yaml"),
        ("{{}: {}}", "unhashable key"),
        ("[" * 2000, "identities.yaml"),
        ("users: {}\n---\nusers: {}\n", "another document"),
        ("users: !!python/object:os.system {}", "identities.yaml"),
        ("", "identities.yaml"),
        ("oidc_providers: {'https://a.example': {audiences: [a], keys_file: none.json}}", "none.json"),
    ],
)
def test_an_invalid_file_is_rejected_with_the_place(folder: Folder, text: str, message: str) -> None:
    ended = folder.apply(text, "--plan")

    assert (ended.exit_code, ended.stdout) == (1, "")
    assert message in ended.stderr


TWICE = {
    "identities.yaml": (
        """\
policies:
  reader:
    Version: "2012-10-17"
    Statement:
      - Effect: Allow
        Action: "ecr:*"
        Resource: "*"
        Condition: {Bool: {"aws:SecureTransport": "true"}}
        "Condition": {}
""",
        "line 9: the key 'Condition' occurs twice, first in line 8",
    ),
    "one.yml": ("users: {ci: {}, ann: {}, ci: {policies: []}}", "line 1: the key 'ci' occurs twice, first in line 1"),
    "numbers.yml": ("users:\n  1: {}\n  0x1: {}\n", "line 3: the key '0x1' occurs twice, first in line 2"),
    "merged.yaml": (
        "users:\n  a: &a {policies: []}\n  b: {<<: *a, <<: *a}\n",
        "line 3: the key '<<' occurs twice, first in line 3",
    ),
    "identities.toml": ("[users.ci]\npolicies = []\npolicies = []\n", "Cannot overwrite a value (at line 3"),
    "tables.toml": ("[users.ci]\n[users.ci]\n", "Cannot declare ('users', 'ci') twice (at line 2"),
    "identities.json": ('{"users": {"ci": {}, "ci": {}}}', "the member 'ci' occurs twice"),
}
"""Files with a key twice, and what the command says about it."""


@pytest.mark.parametrize("name", TWICE)
def test_a_key_that_occurs_twice_is_rejected_with_the_place(folder: Folder, name: str) -> None:
    text, message = TWICE[name]
    (folder.path / name).write_text(text)

    ended = folder.moorage("apply", str(folder.path / name), "--plan")

    assert (ended.exit_code, ended.stdout) == (1, "")
    assert message in ended.stderr
    assert name in ended.stderr


def test_anchors_merges_and_unquoted_dates_of_yaml_are_read(folder: Folder) -> None:
    text = """
users:
  ann: &ann {policies: [AmazonEC2ContainerRegistryReadOnly]}
  bob: *ann
  eve: {<<: *ann, policies: [AmazonEC2ContainerRegistryPowerUser]}
policies:
  own: {Version: 2012-10-17, Statement: {Effect: Allow, Action: "ecr:*", Resource: "*"}}
"""

    assert folder.apply(text, "--yes").stdout.splitlines()[:-1] == [
        "+ policy own",
        "+ user ann",
        "+ user ann: policy AmazonEC2ContainerRegistryReadOnly",
        "+ user bob",
        "+ user bob: policy AmazonEC2ContainerRegistryReadOnly",
        "+ user eve",
        "+ user eve: policy AmazonEC2ContainerRegistryPowerUser",
    ]
    assert "No changes" in folder.apply(text, "--plan").stdout


def test_toml_and_json_files_are_equivalent(folder: Folder) -> None:
    files = {
        "identities.toml": '[users.ann]\npolicies = ["AmazonEC2ContainerRegistryReadOnly"]\n',
        "identities.json": '{"users": {"ann": {"policies": ["AmazonEC2ContainerRegistryReadOnly"]}}}',
        "identities.txt": "",
    }
    ended = {}
    for name, text in files.items():
        (folder.path / name).write_text(text)
        ended[name] = folder.moorage("apply", str(folder.path / name), "--plan")

    assert ended["identities.toml"].stdout == "+ user ann\n+ user ann: policy AmazonEC2ContainerRegistryReadOnly\n"
    assert ended["identities.json"].stdout == ended["identities.toml"].stdout
    assert "must have a name that ends in .yaml, .yml, .toml or .json." in ended["identities.txt"].stderr


TRUSTING = """
users: {ci: {}}
roles:
  first: {trust: &trust {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "sts:AssumeRole", Principal: {AWS: [
    "arn:aws:iam::000000000000:role/second", "arn:aws:iam::000000000000:role/first", "arn:aws:iam::000000000000:user/ci"
  ]}}]}}
  second: {trust: *trust}
"""


def test_roles_of_a_file_can_trust_each_other(folder: Folder) -> None:
    assert folder.apply(TRUSTING, "--yes").stdout == "+ user ci\n+ role first\n+ role second\nApplied 3 changes.\n"
    assert folder.apply(TRUSTING, "--plan").stdout == "No changes: everything matches the file.\n"
    assert "role/second" in folder.moorage("role", "show", "first").stdout


def test_a_trust_policy_is_set_again_when_its_principal_was_made_anew(folder: Folder) -> None:
    folder.apply(TRUSTING, "--yes")
    folder.moorage("user", "delete", "ci")
    assert "AIDA" in folder.moorage("role", "show", "first").stdout

    changes = "+ user ci\n~ role first: trust policy\n~ role second: trust policy\n"
    assert folder.apply(TRUSTING, "--yes").stdout == f"{changes}Applied 3 changes.\n"
    assert "AIDA" not in folder.moorage("role", "show", "first").stdout


def test_a_trust_policy_names_only_principals_that_exist_or_are_in_the_file(folder: Folder) -> None:
    failed = folder.apply(TRUSTING.replace("users: {ci: {}}", ""), "--yes")

    assert failed.exit_code == 1
    assert "trust policy 'first': there is no principal arn:aws:iam::000000000000:user/ci" in failed.stderr
    assert folder.moorage("role", "list").stdout == ""
