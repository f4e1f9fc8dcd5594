"""The file with the descriptors of the face tracks of a video (``*.emotions.descriptors.npz``).

It is there while an archive's persons are told apart, and after that only with ``--keep-embeddings``.
"""

from __future__ import annotations

import io
import zipfile

import numpy as np

from annotate.persons.descriptor import DIMENSIONS, METHOD
from annotate.persons.tracks import TrackVectors


def format_descriptors(tracks: TrackVectors, table_hash: str) -> bytes:
    """Return the bytes of the file; ``table_hash`` is the hash of the table whose tracks are described."""
    content = io.BytesIO()
    arrays = {"face_ids": np.array(tracks.face_ids, np.int64), "vectors": tracks.vectors, "crops": tracks.crops}
    np.savez(content, **arrays, table=np.array(table_hash), key=np.array(METHOD))  # type: ignore[arg-type]
    return content.getvalue()


def parse_descriptors(content: bytes, table_hash: str) -> TrackVectors | None:
    """Return the descriptors of the tracks of a table; None if they are of another one or damaged."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            if str(arrays["table"]) != table_hash or str(arrays["key"]) != METHOD:
                return None
            face_ids, vectors, crops = (arrays[name] for name in ("face_ids", "vectors", "crops"))
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile):
        return None
    if vectors.shape != (len(face_ids), DIMENSIONS) or crops.shape != face_ids.shape:
        return None
    return TrackVectors(tuple(face_ids.tolist()), vectors.astype(np.float32), crops.astype(np.int64))
