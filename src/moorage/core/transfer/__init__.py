"""Images that come from other places and go to them: imports, exports, and the forms in which they travel."""
