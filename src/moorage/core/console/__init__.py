"""The console: who is signed in, and through which identity provider."""
