"""What the operating API shows of a server: repositories in several orders, and what works in the background."""
