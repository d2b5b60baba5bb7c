"""Keeps the files that are about to be written anew. Runs in the project's folder.

The answers are checked by then. {{ cookiecutter | settle }}
"""

import os
import sys

files = {{cookiecutter | environment_files | literal}}
copies = {file: f"{file}.before~" for file in files}

for file, copy in copies.items():
    if os.path.islink(file) or (os.path.exists(file) and not os.path.isfile(file)):
        sys.exit(f"ERROR: {file} is not a plain file. Move it away, then try again.")
    if os.path.exists(copy):
        sys.exit(f"ERROR: {copy} is left from a run that was broken off. Rename it.")

versions = os.path.join(os.path.dirname(files[1]), "versions")
if os.path.exists(versions) and not os.path.isdir(versions):
    sys.exit(f"ERROR: {versions} is not a folder. Move it away, then try again.")

starter, workflow = (
    {{cookiecutter.__starter | literal}},
    {{cookiecutter.__workflow | literal}},
)
if {{cookiecutter | is_by_cruft | literal}}:
    if os.path.exists(".cruft.json"):
        sys.exit("ERROR: .cruft.json exists. `cruft update` brings a later version.")
    if starter and set(os.listdir()) - {".git"}:
        sys.exit("ERROR: the folder has files. Run cruft in it, with project=.")
if starter:  # Cookiecutter makes no folder for a file whose name is rendered to a path
    os.makedirs(os.path.dirname(workflow), exist_ok=True)

for file, copy in copies.items():
    if os.path.exists(file):
        from shutil import copy2  # slow to import, and a new project does not need it

        copy2(file, copy)  # the next hook drops it again if nothing has changed
