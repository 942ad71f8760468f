"""KMS: the operations that describe the keys of `--kms-key`. Handlers only translate."""
