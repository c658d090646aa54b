"""What runs on the instance. Read `user_data.py` first, then `first_stage.py` and `bootstrap.py`, which run there.

`bootstrap` and what it imports travel inside the release and need the standard library only.
"""
