-- Sessions of the console: one for each browser in which somebody signed in, until it ends
-- (docs/decisions/0067-console-sessions.md). A link that was not used yet is one, too.

CREATE TABLE console_session (
    id             TEXT PRIMARY KEY,
    account        TEXT NOT NULL,
    principal      TEXT NOT NULL,          -- the ARN of who signed in
    session_key    TEXT NOT NULL,          -- the temporary credentials that its requests have
    sealed_token   BLOB NOT NULL,
    client         TEXT NOT NULL,          -- the address and the browser at the sign-in
    user_agent     TEXT NOT NULL,
    started_at     INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,       -- later with each renewal, but not beyond the credentials
    is_link        INTEGER NOT NULL        -- 1 while it is a link that nobody has used
) STRICT;
CREATE INDEX console_session_of_principal ON console_session (account, principal, started_at);
CREATE INDEX console_session_by_end ON console_session (expires_at);

CREATE TRIGGER console_session_changed AFTER UPDATE ON console_session
    BEGIN UPDATE rules SET revision = revision + 1; END;
CREATE TRIGGER console_session_removed AFTER DELETE ON console_session
    BEGIN UPDATE rules SET revision = revision + 1; END;
