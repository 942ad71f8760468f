-- Programs before this step may go on.
-- Orders in which the operating API lists rows (docs/operating-api.md), so that a page reads only what it returns.

CREATE INDEX repository_by_creation ON repository (account, region, created_at, id);
CREATE INDEX console_session_by_start ON console_session (account, started_at, id);
