"""The workloads. `table` lists them; each other module has those of one topic."""
