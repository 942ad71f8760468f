"""All SQL of the program and nothing else: records, and the statements that read and write them."""
