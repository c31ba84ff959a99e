"""What went wrong for real, told again as it happened: one file a story."""
