"""Charts of the results as SVG files, without a library: bars for a comparison, curves for growth."""
