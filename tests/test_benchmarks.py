"""The benchmarks run: each subject is migrated, and its end state looked at."""

import json
import sys

from conftest import ROOT, Project


def test_quick(tmp_path):
    output = Project(tmp_path).run(
        sys.executable, str(ROOT / "benchmarks/run.py"), "--quick", "--json", "out.json"
    )
    assert "upgrade, 2 revisions" in output
    rows = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert [row["command"] for row in rows] == ["upgrade", "downgrade"]
    for row in rows:
        assert row["results"].keys() == {"Flask-Migrate", "flask-alembic-env"}
        for result in row["results"].values():
            assert result["ratio"] > 0 and len(result["seconds"]) == 1
