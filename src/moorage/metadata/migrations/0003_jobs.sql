-- Work for later, written in the transaction that makes it necessary and done by whichever worker process takes it first.
--
-- `due_at` is when a worker may take the job: for one that is being done, when its lease ends. `again_at` is set when the job is
-- asked for once more while it is being done, since what it has read by then may be old.

CREATE TABLE job (
    kind        TEXT NOT NULL,
    key         TEXT NOT NULL,          -- what the job is about: there is one job of a kind for it
    payload     TEXT NOT NULL,          -- JSON object
    state       TEXT NOT NULL,          -- waiting, or dead: given up after too many attempts
    due_at      INTEGER NOT NULL,
    lease       TEXT,                   -- known to the worker that does it
    again_at    INTEGER,
    attempts    INTEGER NOT NULL,
    last_error  TEXT,
    PRIMARY KEY (kind, key)
) STRICT;
CREATE INDEX job_by_due ON job (kind, state, due_at);
