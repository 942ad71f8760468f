-- Receivers of events, and the events that are on their way to them. Times are microseconds since 1970 UTC.
--
--   webhook ─< delivery          a job of the kind "webhook" for each webhook and stream takes the deliveries in order

CREATE TABLE webhook (
    id             TEXT PRIMARY KEY,
    url            TEXT NOT NULL,
    events         TEXT NOT NULL,      -- JSON list of the names of the events that it wants
    sealed_secret  BLOB NOT NULL,
    created_at     INTEGER NOT NULL
) STRICT;

-- Written in the transaction of the change, gone when the receiver has accepted it.
CREATE TABLE delivery (
    id           INTEGER PRIMARY KEY,
    webhook_id   TEXT NOT NULL REFERENCES webhook (id) ON DELETE CASCADE,
    stream       TEXT NOT NULL,        -- ARN of what the event is about; the events of one are delivered in order
    event_id     TEXT NOT NULL,
    body         TEXT NOT NULL,        -- JSON, as it is sent
    recorded_at  INTEGER NOT NULL,
    error        TEXT                  -- why it was given up; NULL while it waits
) STRICT;
CREATE INDEX delivery_by_stream ON delivery (webhook_id, stream, id);
CREATE INDEX delivery_by_age ON delivery (recorded_at);
