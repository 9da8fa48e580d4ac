"""What the numbers of runs mean: verdicts, comparisons, gates, rankings."""
