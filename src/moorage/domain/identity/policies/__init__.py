"""IAM's policy language: parsing and evaluation. Pure functions, so the same request always gets the same decision.

    document     text ──> Policy: parsed once, checked, ready for evaluation
    evaluation   PolicyRequest + policies ──> Decision, with the deciding statements
    statements   principals, actions and resources of a statement; `conditions`, `operators` and `keys` its conditions
    patterns     wildcards and policy variables

What is unknown, such as an unsupported operator or condition key, counts against the caller: an Allow with it does not
apply, a Deny with it does. So statements return True, False, or None for "unknown".
"""
