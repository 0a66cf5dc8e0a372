"""Train a policy, put it on a microcontroller, and prove that it computes the same bits."""

__version__ = "0.1.0"
