import os
import sys

from flask import Flask, jsonify, redirect, render_template, request, url_for

app = Flask(__name__)

GREETING = "Hello from Flask"  # edit me, save, reload the page
guests = []  # gone with the instance: keep nothing in memory that matters


@app.get("/")
def home():
    return render_template("home.html", greeting=GREETING, guests=guests, facts=facts())


@app.post("/guests")
def add_guest():
    name = request.form.get("name", "").strip()[:40]
    if name:
        guests.append(name)
        app.logger.warning("a new guest: %s", name)
    return redirect(url_for("home"))


@app.get("/facts")
def facts_json():
    return jsonify(facts())


def facts():
    return {
        "python": sys.version.split()[0],
        "stage": os.environ.get("LEANCLOUD_APP_ENV", "development"),
        "version": os.environ.get("LEANCLOUD_VERSION_TAG", ""),
        "instance": os.environ.get("LEANCLOUD_APP_INSTANCE", ""),
        "client": request.headers.get("X-Real-IP", request.remote_addr),
    }
