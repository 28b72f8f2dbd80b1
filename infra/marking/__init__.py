"""Marks on published files: XMP, C2PA and the certificates behind it."""
