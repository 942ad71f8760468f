"""The client of other registries, against a hostile one of the tests and against real ones."""
