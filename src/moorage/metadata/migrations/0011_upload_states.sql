-- What an object store notes of an upload that is not a blob yet (parts, pieces, a hash's state), for every node to go on with.
--
-- No foreign key: an upload that is cancelled, also with its repository, leaves objects behind that only this row knows of. It
-- goes when the store has removed them (`BlobStore.abandon`), or with the transaction that makes a layer of the upload.

CREATE TABLE upload_state (
    upload   TEXT PRIMARY KEY,        -- upload.id
    version  INTEGER NOT NULL,        -- counts the saves: who has not seen the newest one saves nothing
    state    BLOB NOT NULL            -- adapters/upload_notes.py
) STRICT;
