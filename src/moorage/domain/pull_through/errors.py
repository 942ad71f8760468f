"""Refusals of pull-through cache rules.

The texts are those of the API reference, unless a class says that ECR's response was captured.
"""

from __future__ import annotations

from moorage.domain.errors import Refusal


class PullThroughCacheRuleAlreadyExists(Refusal):
    template = "A pull through cache rule with these settings already exists for the private registry."


class PullThroughCacheRuleNotFound(Refusal):
    template = "The pull through cache rule was not found. Specify a valid pull through cache rule and try again."


class UnsupportedUpstreamRegistry(Refusal):
    """Two captured texts: aws-controllers-k8s/community#2589, and cdk-preflight (September 2026)."""

    template = "{reason}"

    @classmethod
    def of_url(cls, url: str) -> UnsupportedUpstreamRegistry:
        text = f"The upstream registry URL {url} is invalid. Specify a valid upstream registry URL and try again"
        return cls(reason=text)

    @classmethod
    def without_secret(cls) -> UnsupportedUpstreamRegistry:
        text = (
            "The specified upstream registry requires authentication. Specify a valid Secrets Manager ARN containing "
            "the upstream registry credentials and try again."
        )
        return cls(reason=text)

    @classmethod
    def with_secret(cls) -> UnsupportedUpstreamRegistry:
        """Only the beginning of the text was captured."""
        return cls(reason="The specified upstream registry doesn't require authentication.")


class SecretNotFound(Refusal):
    """Captured by entigolabs/entigo-infralib#1645."""

    template = (
        "The ARN of the secret specified in the pull through cache rule was not found. Update the pull through cache "
        "rule with a valid secret ARN and try again."
    )


class UnableToAccessSecret(Refusal):
    """The second sentence is ours, except that of another Region or account, which was captured."""

    template = "The secret is unable to be accessed. {reason}"


class UnableToDecryptSecretValue(Refusal):
    template = "The secret is accessible but is unable to be decrypted. {reason}"
