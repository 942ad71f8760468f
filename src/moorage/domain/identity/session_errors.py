"""Refusals of the Security Token Service (STS API reference, "Errors" of AssumeRole and AssumeRoleWithWebIdentity)."""

from __future__ import annotations

from moorage.domain.errors import Refusal


class TokenServiceRefusal(Refusal):
    """A refusal that only STS can answer; ECR and docker clients never meet one."""


class InvalidIdentityToken(TokenServiceRefusal):
    """A token of an identity provider that proves nothing."""

    template = "{reason}"


class ExpiredIdentityToken(TokenServiceRefusal):
    """A token of an identity provider that was good once; STS calls it ExpiredTokenException."""

    template = "Token expired: current date/time must be before the expiration date/time"


class WebIdentityDenied(TokenServiceRefusal):
    """Nothing lets the bearer of a good token assume the role, or there is no such role: STS does not say which."""

    template = "Not authorized to perform sts:AssumeRoleWithWebIdentity"


class RootCannotAssume(TokenServiceRefusal):
    """The root user has no identity that a role could be given to."""

    template = "Roles may not be assumed by root accounts."


class MalformedPolicyDocument(TokenServiceRefusal):
    """A session policy that IAM would not take."""

    template = "{reason}"


class SessionTooLong(TokenServiceRefusal):
    """A duration beyond what the role, or the chain of roles, allows; STS answers ValidationError."""

    template = "The requested DurationSeconds exceeds the {limit}."
