-- What an interrupted request left of an upload: stored bytes beyond `size`, which no client knows of. They count from
-- the moment that a client asks for the status of the upload; a client that does not ask repeats the request.
--
-- Programs before this step would append without forgetting them.

ALTER TABLE upload ADD COLUMN kept INTEGER NOT NULL DEFAULT 0;
