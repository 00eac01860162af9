"""`python -m scripts` is `daml`."""

from scripts.cli import main

main()
