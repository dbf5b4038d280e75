"""Tests of neural processes of patches."""
