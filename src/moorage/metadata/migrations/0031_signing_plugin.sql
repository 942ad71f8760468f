-- Versions of signing profiles whose signatures need AWS Signer's plugin for Notation (docs/decisions/0056).

ALTER TABLE signing_profile ADD COLUMN needs_plugin INTEGER NOT NULL DEFAULT 0;
