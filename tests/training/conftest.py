"""Training needs torch, which the usual installation does not bring."""

import pytest

pytest.importorskip("torch", reason="training needs the extra `training`")
pytest.importorskip("PIL", reason="training needs the extra `training`")
