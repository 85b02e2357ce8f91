# Only here because a project without wsgi.py is not recognised as Python; leanengine.yaml says what
# runs.
