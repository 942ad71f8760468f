"""Coverage-guided fuzzing of every parser that reads bytes from outside.

`python -m tests.fuzz NAME --seconds 30` fuzzes one parser with atheris, `make fuzz` all of them. `corpus` has small
inputs of each kind, which the normal tests also read: those with words for names are written by hand, the others were
found and kept with `--keep`. An input that fails is written to `.fuzz/`; mend the parser, and add the input to its
corpus.
"""
