"""Sets of labelled blocks: built, stored, balanced and described."""
