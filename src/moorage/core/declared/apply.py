"""Apply a declaration: change what differs, all in one transaction, and report each change.

What the file names is afterwards exactly as the file describes it. What it does not name stays, unless `prune` is set.
Prune removes in the account, and in the registries of the Regions that the file names.
"""

from __future__ import annotations

from collections.abc import Iterator

from moorage.core.declared import registries
from moorage.core.declared.changes import Change, Conditions
from moorage.core.declared.document import Declaration
from moorage.core.identity import apply as identities
from moorage.domain.names import Registry
from moorage.metadata.database import Transaction


def apply(tx: Transaction, account: str, declaration: Declaration, conditions: Conditions) -> Iterator[Change]:
    """Make this account and its registries match. Raises DeclarationRefused, AccountError, Unavailable.

    Identities come first, because policies of repositories name them.
    """
    for line in identities.apply_state(tx, account, declaration, conditions.now, prune=conditions.prune):
        yield Change(line)
    for region, desired in declaration.registries.items():
        yield from registries.apply(tx, Registry(account, region), desired, conditions)
