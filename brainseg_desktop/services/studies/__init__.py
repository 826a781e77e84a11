"""Studies of several readers: reading blind, locking, and what the readings came to."""
