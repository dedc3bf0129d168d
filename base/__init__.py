"""Shared by all packages: the base of the errors."""
