"""What AWS's protocols are made of, as bytes and dictionaries: JSON 1.1 by the service model, signatures, STS."""
