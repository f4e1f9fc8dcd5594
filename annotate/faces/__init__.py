"""Detect faces, track them through a shot, and crop them."""
