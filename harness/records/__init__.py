"""What one run is, and where runs are kept."""
