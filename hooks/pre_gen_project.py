"""Keeps the files that are about to be written anew. Runs in the project's folder.

The answers are checked by then. {{ cookiecutter | settle }}
"""

import json
import shutil
import sys
from pathlib import Path

files = [
    Path(name)
    for name in json.loads({{cookiecutter | environment_files | tojson | tojson}})
]
copies = {file: file.with_name(f"{file.name}.before~") for file in files}

for file, copy in copies.items():
    if file.is_symlink() or (file.exists() and not file.is_file()):
        sys.exit(f"ERROR: {file} is not a plain file. Move it away, then try again.")
    if copy.exists():
        sys.exit(f"ERROR: {copy} is left from a run that was broken off. Rename it.")

starter = json.loads({{cookiecutter.__starter | tojson | tojson}})
workflow = Path(json.loads({{cookiecutter.__workflow | tojson | tojson}}))
if starter:
    # Cookiecutter makes no folder for a file whose name is rendered to a path.
    workflow.parent.mkdir(parents=True, exist_ok=True)

versions = files[1].with_name("versions")
if versions.exists() and not versions.is_dir():
    sys.exit(f"ERROR: {versions} is not a folder. Move it away, then try again.")

for file, copy in copies.items():
    if file.exists():
        shutil.copy2(file, copy)  # the next hook drops it again if nothing has changed
