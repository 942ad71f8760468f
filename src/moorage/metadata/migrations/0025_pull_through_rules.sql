-- Pull-through cache rules, and secrets. A program before this step would rotate the master key without these secrets.
--
--     pull_through_rule     a prefix of repository names, and the upstream registry whose images they cache
--     secret  <-  secret_version     encrypted values with versions, such as the credentials for upstream registries
--
-- `prefix` has no slash at its end, and is ROOT for the rule of all other names; `given` is what the client called it.

CREATE TABLE pull_through_rule (
    account          TEXT NOT NULL,
    region           TEXT NOT NULL,
    prefix           TEXT NOT NULL,
    given            TEXT NOT NULL,
    url              TEXT NOT NULL,        -- the host of the upstream registry, as ECR calls it
    kind             TEXT,                 -- ECR's name for it
    upstream_prefix  TEXT NOT NULL,
    credential_arn   TEXT,
    role             TEXT,
    refresh          INTEGER,              -- microseconds; NULL is ECR's day
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    PRIMARY KEY (account, region, prefix)
) STRICT;

CREATE TABLE secret (
    id           TEXT NOT NULL PRIMARY KEY,
    account      TEXT NOT NULL,
    region       TEXT NOT NULL,
    name         TEXT NOT NULL,
    suffix       TEXT NOT NULL,            -- the random characters at the end of its ARN
    description  TEXT NOT NULL,
    kms_key      TEXT,                     -- NULL is Secrets Manager's own key
    tags         TEXT NOT NULL,            -- JSON object
    policy       TEXT,                     -- its resource policy
    created_at   INTEGER NOT NULL,
    changed_at   INTEGER NOT NULL,
    delete_at    INTEGER                   -- the end of its recovery window; NULL while it is not marked for deletion
) STRICT;
CREATE UNIQUE INDEX secret_by_name ON secret (account, region, name);
CREATE INDEX secret_by_deletion ON secret (delete_at);

-- `id` is what the value is encrypted for. Versions without a stage are removed when there are many.
CREATE TABLE secret_version (
    id             TEXT NOT NULL PRIMARY KEY,
    secret_id      TEXT NOT NULL REFERENCES secret (id) ON DELETE CASCADE,
    version        TEXT NOT NULL,          -- ClientRequestToken
    sealed_secret  BLOB NOT NULL,
    is_binary      INTEGER NOT NULL,
    stages         TEXT NOT NULL,          -- JSON list
    created_at     INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX secret_version_by_version ON secret_version (secret_id, version);

CREATE TRIGGER pull_through_rule_added AFTER INSERT ON pull_through_rule
    BEGIN UPDATE rules SET revision = revision + 1; END;
CREATE TRIGGER pull_through_rule_changed AFTER UPDATE ON pull_through_rule
    BEGIN UPDATE rules SET revision = revision + 1; END;
CREATE TRIGGER pull_through_rule_removed AFTER DELETE ON pull_through_rule
    BEGIN UPDATE rules SET revision = revision + 1; END;

CREATE TRIGGER secret_added AFTER INSERT ON secret BEGIN UPDATE rules SET revision = revision + 1; END;
CREATE TRIGGER secret_changed AFTER UPDATE ON secret BEGIN UPDATE rules SET revision = revision + 1; END;
CREATE TRIGGER secret_removed AFTER DELETE ON secret BEGIN UPDATE rules SET revision = revision + 1; END;

CREATE TRIGGER secret_version_added AFTER INSERT ON secret_version BEGIN UPDATE rules SET revision = revision + 1; END;
CREATE TRIGGER secret_version_changed AFTER UPDATE ON secret_version
    BEGIN UPDATE rules SET revision = revision + 1; END;
CREATE TRIGGER secret_version_removed AFTER DELETE ON secret_version
    BEGIN UPDATE rules SET revision = revision + 1; END;
