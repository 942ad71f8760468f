"""A second evaluator of policies, as slow and plain as IAM's documentation, that shares no code with the first.

It evaluates the JSON documents themselves, with regular expressions, for the random policies of
`test_against_reference.py`. A request is a mapping of facts: principal, account, action, resource, owner, context.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

Facts = dict[str, Any]
MAYBE = "maybe"


def decision(facts: Facts, identity: list[Any], resource: list[Any], session: list[Any] | None) -> bool:
    """IAM user guide, "Policy evaluation logic", step by step."""
    everything = identity + resource + (session or [])
    if any(applies(row, facts) for policy in everything for row in policy["Statement"] if row["Effect"] == "Deny"):
        return False
    if session is not None and not any(allows(policy, facts) for policy in session):
        return False
    by_identity = any(allows(policy, facts) for policy in identity)
    if facts["account"] != facts["owner"]:
        return by_identity and any(allows(policy, facts) for policy in resource)
    directly = any(
        row["Effect"] == "Allow" and applies(row, facts) and names_more_than_the_account(row, facts)
        for policy in resource
        for row in policy["Statement"]
    )
    return by_identity or directly


def allows(policy: Any, facts: Facts) -> bool:
    return any(row["Effect"] == "Allow" and applies(row, facts) for row in policy["Statement"])


def names_more_than_the_account(statement: Any, facts: Facts) -> bool:
    return bool(names_in(statement["Principal"]) & {"*", facts["principal"]})


def applies(statement: Any, facts: Facts) -> bool:
    """An undecidable condition makes a Deny apply and an Allow not."""
    answers = [principal(statement, facts), action(statement, facts), resource(statement, facts)]
    for operator, keys in statement.get("Condition", {}).items():
        answers += [condition(operator, key, values, facts) for key, values in keys.items()]
    if False in answers:
        return False
    return MAYBE not in answers or statement["Effect"] == "Deny"


def principal(statement: Any, facts: Facts) -> bool:
    own_names = {facts["principal"], f"arn:aws:iam::{facts['account']}:root"}
    if "Principal" in statement:
        return bool(names_in(statement["Principal"]) & (own_names | {"*"}))
    if "NotPrincipal" in statement:
        return not own_names <= names_in(statement["NotPrincipal"])
    return True


def names_in(element: Any) -> set[str]:
    if element == "*":
        return {"*"}
    return {f"arn:aws:iam::{name}:root" if name.isdigit() else name for name in listed(element["AWS"])}


def action(statement: Any, facts: Facts) -> bool:
    def found(element: str) -> bool:
        return any(glob(text, facts["action"], re.IGNORECASE) for text in listed(statement[element]))

    return found("Action") if "Action" in statement else not found("NotAction")


def resource(statement: Any, facts: Facts) -> bool | str:
    if "Resource" not in statement and "NotResource" not in statement:
        return True
    negated = "NotResource" in statement
    filled = [fill(text, facts) for text in listed(statement["NotResource" if negated else "Resource"])]
    if any(text not in (None, MAYBE) and glob(text, facts["resource"]) for text in filled):
        return not negated
    if MAYBE in filled or (negated and None in filled):
        return MAYBE
    return negated


def condition(written: str, key: str, values: Any, facts: Facts) -> bool | str:
    quantifier, _, operator = written.rpartition(":")
    known = facts["context"]
    if key.lower() not in known:
        return MAYBE
    given = known[key.lower()]
    if operator == "Null":
        return any((text == "true") == (given == []) for text in listed(values))
    optional = operator.endswith("IfExists")
    operator = operator.removesuffix("IfExists")
    negated = "Not" in operator
    if given == []:
        return optional or (quantifier != "ForAnyValue" and (negated or quantifier == "ForAllValues"))
    filled = [fill(text, facts) for text in listed(values)]
    if MAYBE in filled or (negated and None in filled):
        return MAYBE
    compare = COMPARISONS[operator.replace("Not", "")]
    hits = [any(compare(text, each) for text in filled if text is not None) != negated for each in given]
    if quantifier:
        return all(hits) if quantifier == "ForAllValues" else any(hits)
    return all(hits) if negated else any(hits)


# --- Texts ------------------------------------------------------------------------------------------------------

# Placeholders for "*", "?" and "$" where they are neither wildcards nor variables.
MARKS = {"*": "\ue000", "?": "\ue001", "$": "\ue002"}


def fill(text: str, facts: Facts) -> str | None:
    """The text with its variables replaced. None if one has no value, MAYBE if one is unknown."""
    answers = []

    def replaced(found: re.Match[str]) -> str:
        key, _, default = (part.strip() for part in found[1].partition(","))
        if key in MARKS:
            return MARKS[key]
        values = facts["context"].get(key.lower(), MAYBE)
        if values in ([], MAYBE) or len(values) > 1:
            if default and values != MAYBE:
                return mark(default.strip("'"))
            answers.append(MAYBE if values == MAYBE else None)
            return ""
        return mark(values[0])

    written = re.sub(r"\$\{([^}]*)\}", replaced, text)
    return MAYBE if MAYBE in answers else None if answers else written


def mark(text: str) -> str:
    return "".join(MARKS.get(character, character) for character in text)


def unmark(text: str) -> str:
    return "".join({sign: character for character, sign in MARKS.items()}.get(each, each) for each in text)


def glob(pattern: str, text: str, flags: int = 0) -> bool:
    pieces = [{"*": ".*", "?": "."}.get(character) or re.escape(unmark(character)) for character in pattern]
    return re.fullmatch("".join(pieces), text, flags | re.DOTALL) is not None


def arn(pattern: str, text: str) -> bool:
    pattern_parts, text_parts = pattern.split(":", 5), text.split(":", 5)
    return len(pattern_parts) == len(text_parts) == 6 and all(map(glob, pattern_parts, text_parts))


def number(text: str) -> float:
    return float(text) if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text) else float("nan")


def instant(text: str) -> float:
    if text.isdigit():
        return float(text)
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return float("nan")


def in_network(text: str, value: str) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda text, value: unmark(text) == value,
    "StringEqualsIgnoreCase": lambda text, value: unmark(text).lower() == value.lower(),
    "StringLike": glob,
    "ArnEquals": arn,
    "ArnLike": arn,
    "NumericEquals": lambda text, value: number(text) == number(value),
    "NumericLessThan": lambda text, value: number(value) < number(text),
    "NumericGreaterThanEquals": lambda text, value: number(value) >= number(text),
    "DateEquals": lambda text, value: instant(text) == instant(value),
    "DateLessThanEquals": lambda text, value: instant(value) <= instant(text),
    "DateGreaterThan": lambda text, value: instant(value) > instant(text),
    "Bool": lambda text, value: text.lower() == value.lower() and value.lower() in {"true", "false"},
    "IpAddress": in_network,
}
