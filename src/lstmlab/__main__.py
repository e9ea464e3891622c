"""`python -m lstmlab`."""

from lstmlab.cli import main

main()
