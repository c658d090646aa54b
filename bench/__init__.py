"""Speed: ratios in one run, never asserted in a test."""
