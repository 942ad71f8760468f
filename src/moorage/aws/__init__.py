"""AWS's protocols, as bytes and dictionaries: JSON 1.1 with the service model, signatures, STS."""
