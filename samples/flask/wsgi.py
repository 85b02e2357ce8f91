from app import app

application = app

if __name__ == "__main__":  # only for `python wsgi.py`; the cloud imports this file
    app.run(port=3000)
