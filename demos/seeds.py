"""Seeds: of everything that is drawn."""

LARGEST = 2**63 - 1
"""That torch takes, of which some is drawn."""
