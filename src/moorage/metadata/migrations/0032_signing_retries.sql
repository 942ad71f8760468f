-- Who pushed an image that could not be signed, so that `moorage signing retry` can try again as this caller.

ALTER TABLE image_signing ADD COLUMN pusher TEXT;  -- JSON, of a failure
