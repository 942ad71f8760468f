"""Refusals of the Security Token Service (STS API reference, "Errors" of AssumeRole and AssumeRoleWithWebIdentity)."""

from __future__ import annotations

from moorage.domain.errors import Refusal


class TokenServiceRefusal(Refusal):
    """A refusal that only STS returns; ECR and Docker clients never get one."""


class InvalidIdentityToken(TokenServiceRefusal):
    """An identity token is invalid."""

    template = "{reason}"


class ExpiredIdentityToken(TokenServiceRefusal):
    """An identity token has expired; STS calls this ExpiredTokenException."""

    template = "Token expired: current date/time must be before the expiration date/time"


class WebIdentityDenied(TokenServiceRefusal):
    """The token does not permit to assume the role, or the role does not exist: STS does not reveal which."""

    template = "Not authorized to perform sts:AssumeRoleWithWebIdentity"


class RootCannotAssume(TokenServiceRefusal):
    """The root user cannot assume roles."""

    template = "Roles may not be assumed by root accounts."


class MalformedPolicyDocument(TokenServiceRefusal):
    """IAM would reject the session policy."""

    template = "{reason}"


class SessionTooLong(TokenServiceRefusal):
    """The duration exceeds the limit of the role or of role chaining; STS returns ValidationError."""

    template = "The requested DurationSeconds exceeds the {limit}."
