"""Errors of changes of users, access keys, roles, policies and identity providers."""

from __future__ import annotations


class AccountError(Exception):
    """A request about identities failed. The text is for the person who ran a command.

    `code` is the error of IAM (API reference, "Errors" of each operation), and `message` the text for its clients: that
    of IAM where it is known.
    """

    code = "InvalidInput"

    def __init__(self, text: str, message: str = "") -> None:
        super().__init__(text)
        self.message = message or text


class NoSuchEntity(AccountError):
    code = "NoSuchEntity"


class EntityAlreadyExists(AccountError):
    code = "EntityAlreadyExists"


class DeleteConflict(AccountError):
    """Something else still belongs to what a request would delete."""

    code = "DeleteConflict"


class QuotaReached(AccountError):
    code = "LimitExceeded"


class MalformedPolicy(AccountError):
    """IAM would reject the policy document."""

    code = "MalformedPolicyDocument"
