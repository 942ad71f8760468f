-- The algorithm that hashes an upload while it arrives, which its client announced (docs/decisions/0046).
--
-- Programs before this step cannot continue an upload to an object store that has a saved state of SHA-512.

ALTER TABLE upload ADD COLUMN algorithm TEXT NOT NULL DEFAULT 'sha256';
