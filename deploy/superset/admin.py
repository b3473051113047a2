#!/usr/bin/env python3
"""Makes the user admin of Superset, or gives it the password that is in the file SUPERSET_PASSWORD_FILE."""

import os
import pathlib

from superset.app import create_app

password = pathlib.Path(os.environ["SUPERSET_PASSWORD_FILE"]).read_text(encoding="utf-8").strip()
app = create_app()
with app.app_context():
    users = app.appbuilder.sm
    user = users.find_user(username="admin")
    if user:
        users.reset_password(user.id, password)
    elif not users.add_user("admin", "Admin", "Admin", "admin@localhost", users.find_role("Admin"), password=password):
        raise SystemExit("the user admin could not be made")
