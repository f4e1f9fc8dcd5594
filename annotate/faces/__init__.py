"""Finding faces, following them through a shot, and cutting them out."""
