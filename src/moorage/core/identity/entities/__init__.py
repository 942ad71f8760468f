"""What belongs to users, roles and policies: tags, versions, identity providers."""
