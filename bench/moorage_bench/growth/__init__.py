"""Growth: fill a data folder with many images, serve it, and measure what must not depend on their number."""
