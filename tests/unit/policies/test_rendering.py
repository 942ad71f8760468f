"""The text that ECR returns for a policy."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from moorage.domain.identity.policies.document import GRAMMARS, PolicyKind, parse_policy
from moorage.domain.identity.policies.rendering import render

SENT = """{
  "Version" : "2008-10-17",
  "Statement" : [ {
    "Sid" : "allow public pull",
    "Effect" : "Allow",
    "Action" : [ "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer" ],
    "Principal" : "*"
  } ]
}
"""
RETURNED = """{
  "Version" : "2008-10-17",
  "Statement" : [ {
    "Sid" : "allow public pull",
    "Effect" : "Allow",
    "Principal" : "*",
    "Action" : [ "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer" ]
  } ]
}"""


def test_the_sample_of_the_api_reference_is_returned_in_ecr_s_order() -> None:
    """API reference, SetRepositoryPolicy: the sample sends Action before Principal, and a newline at the end."""
    assert render(SENT) == RETURNED


def test_every_element_has_its_place_and_form() -> None:
    sent = {
        "Statement": {
            "Condition": {"StringEquals": {"aws:sourceArn": 'x"ü'}, "Bool": {"aws:SecureTransport": True}},
            "Action": "ecr:*",
            "NotPrincipal": {"AWS": ["111111111111", "arn:aws:iam::222222222222:user/bob"]},
            "Effect": "Deny",
        },
        "Id": "mine",
        "Version": "2012-10-17",
    }

    assert (
        render(json.dumps(sent))
        == """{
  "Version" : "2012-10-17",
  "Id" : "mine",
  "Statement" : [ {
    "Effect" : "Deny",
    "NotPrincipal" : {
      "AWS" : [ "arn:aws:iam::111111111111:root", "arn:aws:iam::222222222222:user/bob" ]
    },
    "Action" : "ecr:*",
    "Condition" : {
      "StringEquals" : {
        "aws:sourceArn" : "x\\"ü"
      },
      "Bool" : {
        "aws:SecureTransport" : true
      }
    }
  } ]
}"""
    )


def test_a_policy_without_a_version_has_the_old_one() -> None:
    sent = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "ecr:*", "Condition": {}}]}

    assert render(json.dumps(sent)).splitlines()[1] == '  "Version" : "2008-10-17",'
    assert '"Condition" : { }' in render(json.dumps(sent))


def test_a_policy_that_is_longer_in_ecr_s_form_can_be_read() -> None:
    """Its length is checked as it was sent. Spaces and the ARNs of accounts are added later."""
    accounts = [f"{number:012}" for number in range(600)]
    statement = {"Effect": "Allow", "Principal": {"AWS": accounts}, "Action": "ecr:*"}
    sent = json.dumps({"Statement": [statement]}, separators=(",", ":"))

    returned = render(sent)

    assert len(sent) <= GRAMMARS[PolicyKind.REPOSITORY].length < len(returned)
    assert len(parse_policy(returned, PolicyKind.REPOSITORY).principals) == 600


TEXTS = st.text(max_size=20)
STATEMENTS = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Deny"]),
        "Principal": st.sampled_from(["*", {"AWS": "*"}, {"AWS": ["333333333333"]}]),
        "Action": st.sampled_from(["ecr:*", ["ecr:PutImage", "ecr:Batch?etImage"]]),
    },
    optional={
        "Sid": TEXTS,
        "Condition": st.dictionaries(
            st.sampled_from(["StringEquals", "StringNotLike"]),
            st.dictionaries(TEXTS.filter(bool), st.lists(TEXTS.filter(lambda text: "${" not in text), min_size=1)),
        ),
    },
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(STATEMENTS, min_size=1, max_size=4), st.booleans())
def test_the_returned_policy_is_equivalent_and_stable(statements: list[dict[str, object]], once: bool) -> None:
    text = json.dumps({"Version": "2012-10-17", "Statement": statements[0] if once else statements}, ensure_ascii=once)
    parse_policy(text, PolicyKind.REPOSITORY)

    returned = render(text)

    parse_policy(returned, PolicyKind.REPOSITORY)
    assert render(returned) == returned
    expected = json.loads(text.replace("333333333333", "arn:aws:iam::333333333333:root"))
    expected["Statement"] = [expected["Statement"]] if once else expected["Statement"]
    assert json.loads(returned) == expected
