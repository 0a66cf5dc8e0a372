"""`python -m rltools_embed` is `rlt-embed`."""

from rltools_embed.cli import main

main()
