-- Programs before this step may go on.
-- Uploads of one owner in a repository: they are counted when another one starts (core/registry/open_uploads.py).
-- Deleting a repository uses it, too.

CREATE INDEX upload_by_owner ON upload (repository_id, owner);
