"""Only speed: whole columns decided at once."""
