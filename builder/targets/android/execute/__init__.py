"""The very libraries of an Android package, run on this machine over a small stand-in for Android's C library."""
