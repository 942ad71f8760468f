"""IAM's policy language: read, and evaluated. Pure, so that the same request always gets the same decision.

    document     text ──> Policy: parsed once, checked, ready to be evaluated
    evaluation   Request + Policies ──> Decision, with the statements that decided
    statements   whom, what and where a statement means; `conditions`, `operators` and `keys` its conditions
    patterns     wildcards and policy variables

What cannot be decided, as an operator or a condition key that this program does not know, is decided against the
caller: an Allow with it does not apply, a Deny with it does. So statements answer True, False, or None for "unknown".
"""
