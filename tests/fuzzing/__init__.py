"""Readers of files under random damage; each module's main runs as many cases as are wanted."""
