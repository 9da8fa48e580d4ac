"""What happens, in order: one story a verb. Nothing here prints."""
