-- Storage classes: an image is ACTIVE, or ARCHIVED and kept without being pullable. The times are NULL until the event.

ALTER TABLE image ADD COLUMN status TEXT NOT NULL DEFAULT 'ACTIVE';
ALTER TABLE image ADD COLUMN last_archived_at INTEGER;
ALTER TABLE image ADD COLUMN last_activated_at INTEGER;
ALTER TABLE image ADD COLUMN last_pulled_at INTEGER;
