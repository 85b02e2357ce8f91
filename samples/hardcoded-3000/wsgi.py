# Only tells the cloud that this is a Python project: leanengine.yaml says what runs.
