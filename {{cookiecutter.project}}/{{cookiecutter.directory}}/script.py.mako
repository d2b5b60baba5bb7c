"""${message}

Revision ID: ${up_revision}
Revises: ${down_revision | comma,n}
Create Date: ${create_date}
"""

import sqlalchemy as sa
from alembic import op
% if imports:
${imports}
% endif

revision = ${repr(up_revision).replace("'", '"')}
down_revision = ${repr(down_revision).replace("'", '"')}
branch_labels = ${repr(branch_labels).replace("'", '"')}
depends_on = ${repr(depends_on).replace("'", '"')}
<% names = config.attributes.get("engine_names") %>\
% if names:


def upgrade(engine_name):
    globals()[f"upgrade_{engine_name}"]()


def downgrade(engine_name):
    globals()[f"downgrade_{engine_name}"]()
% for name in names:


def upgrade_${name}():
    ${context.get(f"{name}_upgrades") or "pass"}


def downgrade_${name}():
    ${context.get(f"{name}_downgrades") or "pass"}
% endfor
% else:


def upgrade():
    ${upgrades if upgrades else "pass"}


def downgrade():
    ${downgrades if downgrades else "pass"}
% endif
<%
    # Two Git branches that each add a revision both change this file: Git reports a conflict.
    from pathlib import Path

    line = f"{up_revision} {message}".splitlines()[0].strip()
    file = Path(self.filename).with_name("head.txt")
    file.write_text(f"{line}\n", encoding="utf-8", newline="\n")
%>\
