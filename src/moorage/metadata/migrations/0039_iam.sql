-- What IAM stores of users, roles, policies and identity providers beside their permissions.
--
--   account ─< iam_policy ─< iam_policy_version       a policy's `document` is that of its version `version`
--
-- Programs before this step would not know the path of a user, which is a part of its ARN.

ALTER TABLE iam_user ADD COLUMN path TEXT NOT NULL DEFAULT '/';
ALTER TABLE iam_user ADD COLUMN tags TEXT NOT NULL DEFAULT '{}';          -- JSON object, as in the tables below

ALTER TABLE iam_role ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE iam_role ADD COLUMN tags TEXT NOT NULL DEFAULT '{}';

ALTER TABLE iam_policy ADD COLUMN path TEXT NOT NULL DEFAULT '/';
ALTER TABLE iam_policy ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE iam_policy ADD COLUMN tags TEXT NOT NULL DEFAULT '{}';
ALTER TABLE iam_policy ADD COLUMN version INTEGER NOT NULL DEFAULT 1;      -- the number of the default version
ALTER TABLE iam_policy ADD COLUMN last_version INTEGER NOT NULL DEFAULT 1; -- numbers are never used again
ALTER TABLE iam_policy ADD COLUMN updated_at INTEGER NOT NULL DEFAULT 0;   -- when `last_version` was created
UPDATE iam_policy SET updated_at = created_at;

ALTER TABLE identity_provider ADD COLUMN thumbprints TEXT NOT NULL DEFAULT '[]'; -- JSON list
ALTER TABLE identity_provider ADD COLUMN tags TEXT NOT NULL DEFAULT '{}';

CREATE TABLE iam_policy_version (
    account     TEXT NOT NULL REFERENCES account (id),
    name        TEXT NOT NULL,
    version     INTEGER NOT NULL,
    document    TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (account, name, version)
) STRICT, WITHOUT ROWID;

INSERT INTO iam_policy_version (account, name, version, document, created_at)
    SELECT account, name, 1, document, created_at FROM iam_policy;
