"""What the last completed verification found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from moorage.api.call import ApiCall, HandlerOf
from moorage.metadata.garbage import verification_results as rows
from moorage.metadata.garbage.verification_results import FindingRow
from moorage.operating.service import requested_page, with_token

if TYPE_CHECKING:
    from moorage.operating import shapes


async def list_verification_findings(
    call: ApiCall, request: shapes.ListVerificationFindingsRequest
) -> Mapping[str, Any]:
    page = requested_page(call, request, "ListVerificationFindings", (0,))
    found = await call.read(lambda tx: rows.page(tx, page.after[0], page.fetch))
    on_page, token = page.cut(found, lambda finding: (finding.number,))
    return with_token({"findings": [_view(finding) for finding in on_page]}, token)


def _view(finding: FindingRow) -> shapes.VerificationFinding:
    return {
        "kind": finding.what,
        "name": finding.name,
        "detail": finding.detail,
        "isRepaired": finding.is_repaired,
    }


OPERATIONS: Final[Mapping[str, HandlerOf[ApiCall]]] = {"ListVerificationFindings": list_verification_findings}
