"""Tests of films of rooms."""
