"""Compiling C++ just in time: the compiler, its command line, and the cache of what came out. No algorithm is known."""
