-- Roles, policies of identities, and issuers of identity tokens.
--
--   account ─< iam_user, iam_role ─< inline_policy       identity_id is the id of a user or of a role; whoever removes
--                                 ─< attached_policy     one removes these, too
--   account ─< iam_policy                                what attached_policy names, but for those of AWS (`aws`)
--   account ─< identity_provider
--
-- `user_policy` is not read any more.

CREATE TABLE iam_role (
    id                   TEXT PRIMARY KEY,
    account              TEXT NOT NULL REFERENCES account (id),
    name                 TEXT NOT NULL,
    path                 TEXT NOT NULL,
    trust_policy         TEXT NOT NULL,
    max_session_seconds  INTEGER NOT NULL,
    created_at           INTEGER NOT NULL,
    UNIQUE (account, name)
) STRICT;

CREATE TABLE iam_policy (
    account     TEXT NOT NULL REFERENCES account (id),
    name        TEXT NOT NULL,
    document    TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (account, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE inline_policy (
    identity_id  TEXT NOT NULL,
    name         TEXT NOT NULL,
    document     TEXT NOT NULL,
    PRIMARY KEY (identity_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE attached_policy (
    identity_id     TEXT NOT NULL,
    policy_account  TEXT NOT NULL,        -- `aws` for a policy that AWS manages
    policy_name     TEXT NOT NULL,
    PRIMARY KEY (identity_id, policy_account, policy_name)
) STRICT, WITHOUT ROWID;
CREATE INDEX attached_policy_by_policy ON attached_policy (policy_account, policy_name);

INSERT INTO attached_policy (identity_id, policy_account, policy_name) SELECT user_id, 'aws', policy FROM user_policy;

CREATE TABLE identity_provider (
    account     TEXT NOT NULL REFERENCES account (id),
    issuer      TEXT NOT NULL,            -- an https URL
    audiences   TEXT NOT NULL,            -- JSON list
    key_set     TEXT NOT NULL,            -- JWK set
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (account, issuer)
) STRICT, WITHOUT ROWID;
