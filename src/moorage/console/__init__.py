"""The console: pages for people, under /console/. They call the API with the session of their browser."""
