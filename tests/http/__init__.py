# ruff: noqa: A005 - imported as tests.http only
